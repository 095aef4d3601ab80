"""Trials as points: one goal against another, and which of them no other beats."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelyard.optimization.fronts import unbeaten

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from modelyard.core.optimization import Goal, Optimization, Trial
    from modelyard.optimization.fronts import Costs

__all__ = ["GUESSED", "Field", "Spot", "best_first", "better", "field_of", "on_front", "value_in"]

GUESSED = ("quality", "accuracy", "r2", "cosine", "agreement")
"""Under what the first metric of a suite may stand, where a goal says `quality`."""
_LARGEST = 1e200
_DRAWN = 500
"""Points: more than that are a cloud to the eye, and much to send."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A trial in the picture."""

    number: int
    x: float
    y: float
    front: bool
    """No other is better in all goals."""
    holds: bool
    """All constraints are met."""
    version: int | None
    """The one that came of it."""


@dataclass(frozen=True, slots=True)
class Field:
    """One goal against another; with one goal alone, against the number of the trial."""

    across: Goal | None
    """From left to right; None: the number of the trial."""
    up: Goal
    """From bottom to top."""
    spots: tuple[Spot, ...]
    """In the order of their trials; of very many some: see `drawn`."""
    before: tuple[float | None, float] | None
    """The version as it was."""
    all_spots: int
    """How many trials could be drawn."""

    @property
    def edge(self) -> tuple[Spot, ...]:
        """What no other beats in these two, from one end to the other; with one goal, each that
        was the best when it came."""
        held = [spot for spot in self.spots if spot.holds]
        if self.across is None:
            return tuple(_records(held, self.up))
        order = sorted(held, key=lambda s: (_cost(s.x, self.across), _cost(s.y, self.up)))
        return tuple(_records(order, self.up))

    def drawn(self, most: int = _DRAWN) -> Field:
        """With so many points at most: versions, the edge, the front, and some of all others."""
        if len(self.spots) <= most:
            return self
        made = [spot for spot in self.spots if spot.version is not None][:most]
        known = dict.fromkeys([*made, *_spread(self.edge, (most - len(made)) // 2)])
        for group in ([s for s in self.spots if s.front], list(self.spots)):
            left = [spot for spot in group if spot not in known]
            known |= dict.fromkeys(_spread(left, most - len(known)))
        return replace(self, spots=tuple(sorted(known, key=lambda spot: spot.number)))


def value_in(values: Mapping[str, float], metric: str) -> float | None:
    """A metric of a trial, or of a version; None where it has none that can be drawn."""
    names = (metric,) if metric != "quality" else GUESSED
    found = next((values[name] for name in names if name in values), None)
    return found if found is not None and abs(found) < _LARGEST else None


def better(a: float, b: float, goal: Goal) -> bool:
    """Whether `a` is better than `b`."""
    return a > b if goal.direction == "max" else a < b


def on_front(trials: Sequence[Trial], goals: Sequence[Goal]) -> frozenset[int]:
    """Numbers of those that no other beats: as they were marked, else as their values say."""
    marked = frozenset(trial.number for trial in trials if trial.on_front)
    if marked:
        return marked
    known: dict[int, Costs] = {}
    for trial in trials:
        values = [value_in(trial.values, goal.metric) for goal in goals]
        if trial.state == "done" and trial.holds and None not in values:
            known[trial.number] = tuple(
                _cost(value, goal) for value, goal in zip(values, goals, strict=True)
            )
    ahead = unbeaten(list(known.values()))
    return frozenset(number for number, is_ahead in zip(known, ahead, strict=True) if is_ahead)


def best_first(trials: Iterable[Trial], goal: Goal) -> list[Trial]:
    """Those that are done and have a value: what meets the constraints first, then the better."""
    known = [trial for trial in trials if trial.state == "done"
             and value_in(trial.values, goal.metric) is not None]  # fmt: skip
    return sorted(known, key=lambda t: (not t.holds, _cost(value_in(t.values, goal.metric), goal),
                                        t.number))  # fmt: skip


def field_of(
    optimization: Optimization,
    trials: Sequence[Trial],
    across: str,
    up: str,
    front: frozenset[int] | None = None,
) -> Field | None:
    """The picture of two goals, by name; those that are not named are chosen.

    None as long as no trial has ended.

    Args:
        front: As `on_front` says, if it is known.
    """
    goals = optimization.recipe.goals
    if not goals:
        return None
    upper = next((goal for goal in goals if goal.metric == up), goals[0])
    others = [goal for goal in goals if goal.metric != upper.metric]
    lower = next((goal for goal in others if goal.metric == across), others[0] if others else None)
    front = on_front(trials, goals) if front is None else front
    versions = {each.trial: each.version for each in optimization.candidates}
    spots = []
    for trial in trials:
        y = value_in(trial.values, upper.metric)
        x = float(trial.number) if lower is None else value_in(trial.values, lower.metric)
        if trial.state == "done" and x is not None and y is not None:
            spots.append(Spot(trial.number, x, y, trial.number in front, trial.holds,
                              versions.get(trial.number)))  # fmt: skip
    if not spots:
        return None
    y = value_in(optimization.before, upper.metric)
    x = None if lower is None else value_in(optimization.before, lower.metric)
    known = y is not None and (lower is None or x is not None)
    before = (x, y) if known and y is not None else None
    return Field(lower, upper, tuple(spots), before, len(spots)).drawn()


def _spread(spots: Sequence[Spot], most: int) -> list[Spot]:
    """So many at most, at equal distances, with the first and the last one."""
    if len(spots) <= most:
        return list(spots)
    if most < 2:
        return list(spots[:most])
    return [spots[at * (len(spots) - 1) // (most - 1)] for at in range(most)]


def _records(order: Iterable[Spot], up: Goal) -> list[Spot]:
    """Each that is better than all before it."""
    found: list[Spot] = []
    for spot in order:
        if not found or better(spot.y, found[-1].y, up):
            found.append(spot)
    return found


def _cost(value: float | None, goal: Goal | None) -> float:
    """Less is better."""
    if value is None or math.isnan(value):
        return math.inf
    return -value if goal is not None and goal.direction == "max" else value
