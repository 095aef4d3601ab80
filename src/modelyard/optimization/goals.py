"""Goals and constraints in the metrics that a task really has."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from modelyard.core.optimization import COSTS, FIDELITY, Constraint, Goal
from modelyard.errors import InvalidInput
from modelyard.optimization.fronts import Costs, are_beaten
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
_Told = tuple[bool | None, ...]
"""Goal by goal whether there is a value, and one that gains can be told of: None, False, True."""


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
    groups: dict[_Told, list[int]] = {}
    for i, each in enumerate(found):
        groups.setdefault(_told(goals, each), []).append(i)
    beaten: set[int] = set()
    for told, places in groups.items():
        for others, rivals in groups.items():
            beaten |= _beaten(goals, found, (told, places), (others, rivals))
    front: list[int] = []
    seen: set[tuple[float | None, ...]] = set()
    for i, each in enumerate(found):
        values = tuple(each.get(goal.metric) for goal in goals)
        if i in beaten or values in seen:
            continue
        front.append(i)
        if all(value == value for value in values):  # NaN is like nothing, not even itself
            seen.add(values)
    return front


def _told(goals: Sequence[Goal], values: Mapping[str, float]) -> _Told:
    return tuple(
        None if goal.metric not in values else _cost(goal, values[goal.metric]) is not None
        for goal in goals
    )


def _cost(goal: Goal, value: float) -> float | None:
    """In the order of `gain`, the best first; None where it tells of no gain."""
    if goal.metric in _ERRORS:
        value = max(value, _NO_ERROR) if math.isfinite(value) else value
    if not math.isfinite(value) or (is_cost(goal.metric) and value <= 0):
        return None
    return value if goal.direction == "min" else -value


def _beaten(
    goals: Sequence[Goal],
    found: Sequence[Mapping[str, float]],
    some: tuple[_Told, list[int]],
    rivals: tuple[_Told, list[int]],
) -> set[int]:
    """Places that a rival dominates, by the goals that both tell of: see `dominates`."""
    (told, places), (others, against) = some, rivals
    if any(mine is not None and other is None for mine, other in zip(told, others, strict=True)):
        return set()
    both = [goal for goal, mine, other in zip(goals, told, others, strict=True) if mine and other]

    def costs(of: Sequence[int]) -> list[Costs]:
        return [tuple(_cost(g, found[i][g.metric]) or 0.0 for g in both) for i in of]

    told_of = are_beaten(costs(places), costs(against))
    return {i for i, beaten in zip(places, told_of, strict=True) if beaten}


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
    if not higher_is_better(first):
        if rest != _DROP:
            raise InvalidInput(
                "bad-constraint", f"{metric} says nothing where quality is {first}",
                hint=f"quality_drop<=0.005, {first}_ratio<=1.005 or {first}<=2.5",
            )  # fmt: skip
        return Constraint(f"{first}{_RATIO}", constraint.operator, 1 + constraint.value)
    return Constraint(first + rest, constraint.operator, constraint.value)
