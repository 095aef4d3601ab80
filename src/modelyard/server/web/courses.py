"""How trials went while they learned: their scores, place by place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.core.optimization import Trial

__all__ = ["Course", "Courses", "courses_of"]

_TRIALS, _PLACES = 200, 500
_LARGEST = 1e200


@dataclass(frozen=True, slots=True)
class Course:
    """Of one trial."""

    number: int
    scores: tuple[tuple[int, float], ...]
    """By the place among `Courses.places`; higher is better."""
    given_up: bool
    chosen: bool
    """Whether the page tells of this trial, or a version came of it."""


@dataclass(frozen=True, slots=True)
class Courses:
    """Of all trials that told how good they were on their way."""

    places: tuple[str, ...]
    """What they were doing (`epoch 3`), in the order of doing it."""
    trials: tuple[Course, ...]
    all_trials: int
    """How many could be drawn: of very many the last ones are."""


def courses_of(trials: Sequence[Trial], chosen: frozenset[int]) -> Courses | None:
    """None where fewer than two trials have told of two places: there is nothing to compare.

    Args:
        chosen: Numbers of trials that are shown before others.
    """
    every = [trial for trial in trials if len(trial.scores) > 1]
    told = every[-_TRIALS:]
    if len(told) < 2:
        return None
    longest = sorted(told, key=lambda trial: -len(trial.scores))
    names = list(dict.fromkeys(name for trial in longest for name in trial.scores))[:_PLACES]
    at = {name: place for place, name in enumerate(names)}
    found = []
    for trial in told:
        scores = sorted(
            (at[name], score) for name, score in trial.scores.items()
            if name in at and math.isfinite(score) and abs(score) < _LARGEST
        )  # fmt: skip
        if scores:
            found.append(Course(trial.number, tuple(scores), trial.state == "pruned",
                                trial.number in chosen))  # fmt: skip
    if len(found) < 2:
        return None
    return Courses(tuple(names), tuple(found), len(every) - (len(told) - len(found)))
