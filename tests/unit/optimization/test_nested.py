"""The honest gain of a search."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.optimization import Constraint, Goal, Recipe, Step
from modelyard.core.table import Table
from modelyard.errors import InvalidInput
from modelyard.frameworks import framework_of, serializer_of
from modelyard.optimization.nested import nested_gain, search_of_plan
from modelyard.optimization.searching import Search
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


def curve(rows: int = 300) -> Rows:
    """The deeper a tree, the better, and the larger."""
    values = np.random.default_rng(2).uniform(size=(rows, 1))
    return Rows(Table({"x": values[:, 0]}), np.sin(values[:, 0] * 20))


def searched(
    folder: Path, constraints: tuple[Constraint, ...], goals: tuple[Goal, ...], depths: list[int]
) -> tuple[Model, Model, float]:
    """What a search chooses that begins with a tree of depth 2."""
    from sklearn.tree import DecisionTreeRegressor

    rows = curve()
    tree = DecisionTreeRegressor(max_depth=2, random_state=0)
    source = kept(tree.fit(rows.inputs.frame(), rows.target), folder / "tree")
    recipe = Recipe(
        name="tune", steps=(Step("choose", {"algorithm": "tree", "tree.max_depth": depths}),),
        goals=goals, constraints=constraints,
    )  # fmt: skip
    plan = plan_of(recipe, subject_of(source, rows, "regression"))
    plan = replace(
        plan, spaces={n: o for n, o in plan.spaces.items() if n.endswith("tree.max_depth")}
    )
    (folder / "work").mkdir()
    search = search_of_plan(
        source, plan, task="regression", trials=len(depths), scratch=folder / "work"
    )
    return search(rows, 1)


def test_what_breaks_a_constraint_is_not_chosen(tmp_path: Path) -> None:
    goals = (Goal("rmse", "min"),)
    size = searched(tmp_path, (), goals, [2])[0].size
    (tmp_path / "free").mkdir()
    (tmp_path / "bound").mkdir()

    _, free, _ = searched(tmp_path / "free", (), goals, [2, 4, 10])
    small = (Constraint("size", "<=", 1.5 * size),)
    _, bound, _ = searched(tmp_path / "bound", small, goals, [2, 4, 10])

    assert free.load().max_depth == 10
    assert bound.size <= 1.5 * size
    assert bound.load().max_depth == 4


def test_goals_on_costs_are_told_to_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    tell = Search.tell

    def heard(self: Search, params: Any, values: Any, excess: Any) -> None:
        tell(self, params, values, excess)
        told.append(self._known[self._space.key(params)].values)

    monkeypatch.setattr(Search, "tell", heard)
    goals = (Goal("rmse", "min"), Goal("size", "min"), Goal("latency_p50", "min"))

    searched(tmp_path, (Constraint("rmse_ratio", "<=", 1.0),), goals, [2, 4, 10])

    assert len(told) == 3
    assert all(values is not None and len(values) == 2 for values in told)


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
