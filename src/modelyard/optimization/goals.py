"""Goals and constraints in the metrics that a task really has."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from modelyard.core.optimization import COSTS, FIDELITY, Constraint, Goal
from modelyard.errors import InvalidInput
from modelyard.optimization.measuring import higher_is_better, primary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.optimization import Recipe
    from modelyard.optimization.state import Task

__all__ = [
    "base_of",
    "check_known",
    "dominates",
    "excesses",
    "gain",
    "gain_in_all",
    "is_cost",
    "on_front",
    "resolved",
    "value_of",
]

_ERRORS = ("rmse", "mae", "mse", "median_error")
_NO_ERROR = 1e-12
"""Less than that is none."""
_DROP, _RATIO = "_drop", "_ratio"
_LEAST = Constraint("quality_drop", "<=", 0.01)


def resolved(recipe: Recipe, task: Task) -> Recipe:
    """The recipe with `quality` spelled out; InvalidInput: `bad-goal`, `bad-constraint`.

    `quality_drop` of a task whose first metric has a unit of its own (the root mean square error)
    is the share of it by which it grew. A recipe that says nothing of quality may lose a hundredth
    of it, and no more: a model that is small because it knows nothing helps nobody.
    """
    name = primary(task)
    goals = tuple(_goal(goal, name, task) for goal in recipe.goals)
    if not goals:
        raise InvalidInput("bad-goal", "the recipe has no objective",
                           hint="objective: [quality max, size min]")  # fmt: skip
    constraints = tuple(_constraint(each, name) for each in recipe.constraints)
    named = [goal.metric for goal in goals] + [base_of(each.metric) for each in constraints]
    if all(is_cost(metric) for metric in named):
        constraints = (*constraints, _constraint(_LEAST, name))
    return replace(recipe, goals=tuple(dict.fromkeys(goals)), constraints=constraints)


def is_cost(metric: str) -> bool:
    """Whether it is measured on the model and not on its answers."""
    return metric in COSTS


def check_known(recipe: Recipe, values: Mapping[str, float]) -> None:
    """Whether goals and constraints are about what was measured. InvalidInput: `bad-goal`."""
    wanted = [goal.metric for goal in recipe.goals]
    wanted += [base_of(each.metric) for each in recipe.constraints]
    for metric in wanted:
        if metric not in values:
            raise InvalidInput(
                "bad-goal", f"{metric} can't be measured of this version with this data",
                hint=f"known are {', '.join(sorted(values))}",
            )  # fmt: skip


def base_of(metric: str) -> str:
    """`accuracy` of `accuracy_drop` and `accuracy_ratio`."""
    return metric.removesuffix(_DROP).removesuffix(_RATIO)


def value_of(metric: str, values: Mapping[str, float], before: Mapping[str, float]) -> float:
    """A metric, `METRIC_drop` or `METRIC_ratio`; NaN where it is not known."""
    if metric in values:
        return values[metric]
    base = base_of(metric)
    new, old = values.get(base, math.nan), before.get(base, math.nan)
    if metric.endswith(_RATIO):
        return new / old if old else math.nan
    return old - new if higher_is_better(base) else new - old


def excesses(
    constraints: Sequence[Constraint], values: Mapping[str, float], before: Mapping[str, float]
) -> dict[str, float]:
    """By constraint, how far it is off: positive where it does not hold."""
    found = {}
    for each in constraints:
        value = value_of(each.metric, values, before)
        found[str(each)] = each.excess(value) if math.isfinite(value) else math.inf
    return found


def gain(goal: Goal, after: float, before: float) -> float:
    """How much better, so that goals can be added up: of costs the logarithm of the ratio, of
    everything else 20 for each unit, so that a point of accuracy is worth a fifth of the size.
    A metric with a unit of its own counts as costs do.
    """
    if not (math.isfinite(after) and math.isfinite(before)):
        return 0.0
    if goal.metric in _ERRORS:
        after, before = (max(value, _NO_ERROR) for value in (after, before))
    if is_cost(goal.metric) or goal.metric in _ERRORS:
        if after <= 0 or before <= 0:
            return 0.0
        return math.log(before / after) * (1 if goal.direction == "min" else -1)
    return 20.0 * (after - before) * (1 if goal.direction == "max" else -1)


def gain_in_all(
    goals: Sequence[Goal], after: Mapping[str, float], before: Mapping[str, float]
) -> float:
    """`gain` of all goals added up; those of which something is not known count as no gain."""
    return sum(
        gain(goal, after.get(goal.metric, math.nan), before.get(goal.metric, math.nan))
        for goal in goals
    )


def dominates(goals: Sequence[Goal], a: Mapping[str, float], b: Mapping[str, float]) -> bool:
    """Whether `a` is better than `b` in one goal and worse in none; what is not known is worse."""
    if any(goal.metric in b and goal.metric not in a for goal in goals):
        return False
    better = [gain(goal, a.get(goal.metric, math.nan), b.get(goal.metric, math.nan))
              for goal in goals]  # fmt: skip
    return all(each >= 0 for each in better) and any(each > 0 for each in better)


def on_front(goals: Sequence[Goal], found: Sequence[Mapping[str, float]]) -> list[int]:
    """Places of those that nothing dominates; of several alike the first."""
    front: list[int] = []
    for i, each in enumerate(found):
        if any(dominates(goals, other, each) for other in found):
            continue
        twins = (found[j] for j in front)
        if any(all(t.get(g.metric) == each.get(g.metric) for g in goals) for t in twins):
            continue
        front.append(i)
    return front


def _goal(goal: Goal, first: str, task: Task) -> Goal:
    if goal.metric == "quality":
        return Goal(first, "max" if higher_is_better(first) else "min")
    if goal.metric in FIDELITY and task != "other":
        raise InvalidInput(
            "bad-goal", f"{goal.metric} is for models without a known target",
            hint="leave the target out, or take quality",
        )  # fmt: skip
    return goal


def _constraint(constraint: Constraint, first: str) -> Constraint:
    metric = constraint.metric
    if not metric.startswith("quality"):
        return constraint
    rest = metric.removeprefix("quality")
    if rest == _DROP and first == "rmse":
        return Constraint("rmse_ratio", constraint.operator, 1 + constraint.value)
    return Constraint(first + rest, constraint.operator, constraint.value)
