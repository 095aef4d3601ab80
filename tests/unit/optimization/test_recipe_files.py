"""A recipe that was printed into a file does what the one of that name does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import modelyard
from modelyard.optimization.ladders import auto_steps
from modelyard.optimization.recipes import KNOWN, known_recipe, recipe_of, written
from modelyard.optimization.recipes.known import LADDERS, with_steps
from modelyard.optimization.running import optimize
from modelyard.optimization.state import Subject

if TYPE_CHECKING:
    from pathlib import Path

_SUBJECTS = (
    Subject(
        framework="sklearn", serializer="skops", size=1000, task="classification", rows=500,
        has_target=True, class_name="sklearn.ensemble._forest.RandomForestClassifier",
    ),
    Subject(
        framework="torch", serializer="torch", size=1000, task="classification", rows=500,
        has_target=True, class_name="torch.nn.Sequential",
    ),
    Subject(framework="onnx", serializer="onnx", size=9, class_name="onnx.ModelProto"),
)  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_a_printed_recipe_takes_the_same_passes(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(written(known_recipe(name)), encoding="utf-8")
    for subject in _SUBJECTS:
        found = with_steps(recipe_of(path), auto_steps, subject)
        assert found == with_steps(known_recipe(name), auto_steps, subject)
        assert found.steps


def test_those_that_take_what_fits_say_so_when_they_are_printed() -> None:
    told = {name for name in KNOWN if "passes: auto" in written(known_recipe(name))}
    assert told == set(LADDERS)


def test_a_printed_recipe_makes_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    from sklearn.ensemble import RandomForestClassifier

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = datasets.load_breast_cancer(as_frame=True)
    data = tmp_path / "cells.csv"
    found.frame.to_csv(data, index=False)
    mine = tmp_path / "mine.yaml"
    mine.write_text(written(known_recipe("small")), encoding="utf-8")
    with modelyard.create(tmp_path / "yard", author="ann") as yard:
        forest = RandomForestClassifier(9, random_state=0).fit(found.data[:300], found.target[:300])
        yard.commit("cells", forest, example=found.data[:3])
        ended = [
            optimize(yard, "cells", 1, recipe=each, data=data, target="target", trials=2)  # type: ignore[arg-type]
            for each in ("small", mine)
        ]
    assert ended[0].recipe == ended[1].recipe
    assert [each.digest for each in ended[0].candidates] == [
        each.digest for each in ended[1].candidates
    ]
