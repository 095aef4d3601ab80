"""Goals and constraints: spelled out, weighed, fronts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.optimization import Constraint, Goal
from modelyard.errors import InvalidInput
from modelyard.optimization.goals import dominates, excesses, gain, on_front, resolved
from modelyard.optimization.recipes import read_recipe

_GOALS = (Goal("accuracy", "max"), Goal("size", "min"))
_POINT = st.fixed_dictionaries({
    "accuracy": st.sampled_from([0.5, 0.6, 0.7, 0.9]), "size": st.sampled_from([1.0, 2.0, 5.0]),
})  # fmt: skip


def test_quality_is_the_first_metric_of_the_task() -> None:
    recipe = read_recipe(
        "objective: [quality max, size min]\nconstraints: [quality_drop<=0.01]\npasses: [tune]"
    )
    classes = resolved(recipe, "classification")
    assert [str(goal) for goal in classes.goals] == ["accuracy max", "size min"]
    assert str(classes.constraints[0]) == "accuracy_drop<=0.01"
    numbers = resolved(recipe, "regression")
    assert [str(goal) for goal in numbers.goals] == ["rmse min", "size min"]
    assert str(numbers.constraints[0]) == "rmse_ratio<=1.01"
    other = resolved(recipe, "other")
    assert str(other.goals[0]) == "cosine max"


@pytest.mark.parametrize("constraint", ["quality>=-2", "quality_ratio>=0.99"])
def test_of_errors_quality_is_bounded_by_what_is_lost_alone(constraint: str) -> None:
    recipe = read_recipe(f"objective: [size min]\nconstraints: ['{constraint}']\npasses: [tune]")
    assert str(resolved(recipe, "classification").constraints[0]).startswith("accuracy")
    with pytest.raises(InvalidInput, match="says nothing where quality is rmse") as caught:
        resolved(recipe, "regression")
    assert caught.value.kind == "bad-constraint"


def test_likeness_is_no_goal_where_the_truth_is_known() -> None:
    recipe = read_recipe("objective: [cosine max]\npasses: [tune]")
    with pytest.raises(InvalidInput, match="without a known target"):
        resolved(recipe, "classification")


def test_a_drop_is_what_was_lost_whichever_way_is_better() -> None:
    drop = (Constraint("accuracy_drop", "<=", 0.01), Constraint("rmse_drop", "<=", 0.5))
    found = excesses(drop, {"accuracy": 0.88, "rmse": 3.0}, {"accuracy": 0.9, "rmse": 2.0})
    assert found["accuracy_drop<=0.01"] == pytest.approx(0.01)
    assert found["rmse_drop<=0.5"] == pytest.approx(0.5)


def test_what_was_not_measured_meets_no_constraint() -> None:
    assert excesses((Constraint("size_ratio", "<=", 1),), {}, {}) == {"size_ratio<=1": math.inf}


def test_half_the_size_counts_alike_wherever_one_begins() -> None:
    goal = Goal("size", "min")
    assert gain(goal, 1, 2) == pytest.approx(gain(goal, 500, 1000))
    assert gain(goal, 2, 1) < 0


@given(st.lists(_POINT, min_size=1, max_size=12))
def test_nothing_on_the_front_is_dominated_and_all_else_is_dominated_or_a_twin(
    points: list[dict[str, float]],
) -> None:
    front = on_front(_GOALS, points)
    assert front
    for i, each in enumerate(points):
        beaten = any(dominates(_GOALS, other, each) for other in points)
        twin = any(points[j] == each for j in front if j != i)
        assert (i in front) == (not beaten and not (twin and i not in front))


def test_a_perfect_score_is_the_best_and_an_unknown_one_beats_nothing() -> None:
    error = [Goal("median_error", "min")]
    assert on_front(error, [{"median_error": value} for value in (5.0, 0.0, 3.0)]) == [1]
    goals = [Goal("accuracy", "max"), Goal("parameters", "min")]
    assert not dominates(goals, {"accuracy": 0.9}, {"accuracy": 0.899, "parameters": 10.0})
    assert dominates(goals, {"accuracy": 0.9, "parameters": 10.0}, {"accuracy": 0.899})
