"""The honest gain of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.optimization import Goal, Recipe, Step
from modelyard.core.table import Table
from modelyard.errors import InvalidInput
from modelyard.frameworks import framework_of, serializer_of
from modelyard.optimization.nested import nested_gain, search_of_plan
from modelyard.optimization.spaces import plan_of
from modelyard.optimization.state import Model, Rows
from modelyard.optimization.subjects import subject_of

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("sklearn")
pytest.importorskip("optuna")


def kept(obj: Any, folder: Path) -> Model:
    folder.mkdir()
    framework = framework_of(obj)
    return Model(folder=folder, saved=framework.save(obj, folder, serializer_of(framework, None)))


def noise(rows: int = 90) -> Rows:
    """Nothing can be learned of these."""
    rng = np.random.default_rng(0)
    columns = {f"c{at}": rng.normal(size=rows) for at in range(6)}
    return Rows(Table(columns), rng.integers(0, 2, rows))


def test_of_noise_the_trials_promise_a_gain_that_is_none(tmp_path: Path) -> None:
    from sklearn.tree import DecisionTreeClassifier

    rows = noise()
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(rows.inputs.frame(), rows.target)
    source = kept(tree, tmp_path / "tree")
    recipe = Recipe(name="tune", steps=(Step("tune"),), goals=(Goal("accuracy", "max"),))
    plan = plan_of(recipe, subject_of(source, rows, "classification"))
    (tmp_path / "work").mkdir()

    found = nested_gain(
        search_of_plan(source, plan, task="classification", trials=6, scratch=tmp_path / "work"),
        rows, task="classification", count=4, seed=1,
    )  # fmt: skip

    assert found.low < 0 < found.high
    assert found.claimed > 0
    assert found.optimism > 0
    assert str(found).startswith("over 4 outer folds the search gains ")


def test_a_real_gain_is_told_with_its_interval(tmp_path: Path) -> None:
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(1)
    values = rng.normal(size=(200, 4))
    rows = Rows(
        Table({f"c{at}": values[:, at] for at in range(4)}),
        values @ np.array([1.0, 2.0, 3.0, 4.0]) + rng.normal(size=200) / 10,
    )
    source = kept(Ridge(alpha=1e4).fit(rows.inputs.frame(), rows.target), tmp_path / "ridge")
    recipe = Recipe(
        name="tune", steps=(Step("tune", {"alpha": [1e-2, 1e2]}),), goals=(Goal("rmse", "min"),)
    )
    plan = plan_of(recipe, subject_of(source, rows, "regression"))
    (tmp_path / "work").mkdir()

    found = nested_gain(
        search_of_plan(source, plan, task="regression", trials=2, scratch=tmp_path / "work"),
        rows, task="regression", count=3, seed=1,
    )  # fmt: skip

    assert found.low > 0
    assert found.gain == pytest.approx(np.mean(found.after) - np.mean(found.before))


def test_without_a_target_there_is_no_gain() -> None:
    rows = Rows(noise().inputs)

    with pytest.raises(InvalidInput) as caught:
        nested_gain(lambda *_: pytest.fail("searched"), rows, task="other", count=3, seed=0)

    assert caught.value.kind == "no-target"


def test_copies_that_an_id_tells_apart_are_in_one_fold(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(size=40), 3)
    rows = Rows(Table({"a": values, "id": np.arange(120)}), rng.integers(0, 2, 120))
    seen: list[set[float]] = []

    def search(inside: Rows, _seed: int) -> tuple[Model, Model, float]:
        seen.append(set(inside.inputs.column("a").tolist()))
        return model, model, 0.0

    from sklearn.dummy import DummyClassifier

    model = kept(DummyClassifier().fit(rows.inputs.frame(), rows.target), tmp_path / "dummy")
    nested_gain(search, rows, task="classification", count=4, seed=0, columns=("a",))
    assert [len(each) for each in seen] == [30] * 4
