"""A whole optimization gives the same on every engine, however many trials run at once."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

import modelyard
from modelyard.optimization.engines import engine_named
from modelyard.optimization.engines.local import LocalEngine
from modelyard.optimization.running import optimize

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modelyard.optimization.engines.interface import Engine

pytestmark = pytest.mark.slow

RECIPE = """
name: same
objective: [quality max, size min]
constraints: [quality_drop<=0.01]
budget: {trials: 10}
passes: [{select: {optional: true}}, tune, {to-onnx: {optional: true}}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A yard with a model that is easily improved, and rows."""
    datasets = pytest.importorskip("sklearn.datasets")
    tree = pytest.importorskip("sklearn.tree")
    for name in ("optuna", "onnxruntime", "skl2onnx"):
        pytest.importorskip(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    x, y = datasets.load_digits(return_X_y=True)
    with modelyard.create(tmp_path / "yard") as yard:
        yard.commit("m", tree.DecisionTreeClassifier(max_depth=3, random_state=0).fit(x, y))
    lines = [",".join([*(f"p{i}" for i in range(x.shape[1])), "target"])]
    lines += [
        ",".join(map(str, [*row, label]))
        for row, label in zip(x[:700].tolist(), y[:700].tolist(), strict=True)
    ]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    return tmp_path


def outcome(folder: Path, name: str, engine: Callable[[], Engine]) -> Any:
    """Trials and versions, without times."""
    shutil.copytree(folder / "yard", folder / name)
    with modelyard.open(folder / name) as yard:
        found = optimize(
            yard, "m", recipe=RECIPE, data=folder / "rows.csv", target="target", engine=engine()
        )  # type: ignore[arg-type]
        assert found.state == "done"
        trials = [
            (each.number, each.params, each.state, each.digest, each.on_front)
            for each in yard.optimizations.trials(found.id)
        ]
        return trials, [(each.trial, each.version, each.digest) for each in found.candidates]


def test_one_process_or_three_at_once_give_the_same(folder: Path) -> None:
    one = outcome(folder, "one", lambda: LocalEngine(at_once=1))
    assert one == outcome(folder, "three", lambda: LocalEngine(at_once=3))
    assert {state for _, _, state, _, _ in one[0]} == {"done"}
    assert any(version is not None for _, version, _ in one[1])


@pytest.mark.heavy
def test_ray_gives_the_same(folder: Path) -> None:
    pytest.importorskip("ray")
    here = outcome(folder, "here", LocalEngine)
    assert here == outcome(folder, "ray", lambda: engine_named("ray"))
