"""Which trials are put to the proof, and why the others are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from modelyard.optimization.goals import base_of, dominates, gain_in_all, is_cost, on_front

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.optimization import Goal, Optimization, Trial
    from modelyard.optimization.trials import Trials

__all__ = ["failures", "to_prove"]

_CLEARLY: Final = -0.1
"""A logarithm: a tenth more is more than a trial's own measuring is off."""
_MORE: Final = 2
"""Candidates that are proved beyond those that may be published."""


def to_prove(
    found: Optimization, source: str, trials: Trials
) -> tuple[list[list[Trial]], list[str]]:
    """The front of the trials that meet the constraints, the most gain first, and those that are
    next, if nothing on the front can be proved; and why there are not more.

    What stands on the front alone may be there by luck. But each candidate more makes the proof of
    all of them harder, so the next ones come only then.
    """
    done, goals = trials.done, found.recipe.goals
    if not done:
        return [], ["no pass of the recipe can help this version"] if not trials.all else []
    fresh = [t for t in done if t.digest != source and any(step.kept for step in t.steps)]
    if not fresh:
        return [], ["no trial made anything else than what was there", *_dropped(done)]
    fit = [t for t in fresh if t.holds]
    if not fit:
        return [], [_nearest(fresh)]
    better = [t for t in fit if not dominates(goals, found.before, t.values)]
    gained = [t for t in better if any(
        gain_in_all([goal], t.values, found.before) > 0 for goal in goals
    )]  # fmt: skip
    if not gained:
        best = max(fit, key=lambda t: gain_in_all(goals, t.values, found.before))
        return [], [f"the best trial, {best.number}, is better in no goal: {_told(found, best)}"]
    bought = [t for t in gained if _costs_more(found, t)]
    gained = [t for t in gained if t not in bought]
    if not gained:
        best = max(bought, key=lambda t: gain_in_all(goals, t.values, found.before))
        said = f"trial {best.number} has {_told(found, best)}"
        return [], [f"what is better in one goal is worse in another: {said}"]
    once = list({t.digest: t for t in reversed(gained)}.values())[::-1]
    most = found.recipe.publish + _MORE
    first, following = _first_and_next(found, once, most)
    return [first[:most], *([following] if following else [])], []


def _costs_more(found: Optimization, trial: Trial) -> bool:
    """Whether it is larger or slower than before, where that is a goal: it would not be published.

    Unless a constraint says how much it may be.
    """
    held = {base_of(each.metric) for each in found.recipe.constraints}
    costs = [g for g in found.recipe.goals if is_cost(g.metric) and g.metric not in held]
    return any(gain_in_all([goal], trial.values, found.before) < _CLEARLY for goal in costs)


def _first_and_next(
    found: Optimization, trials: Sequence[Trial], most: int
) -> tuple[list[Trial], list[Trial]]:
    """The front, the most gain first; and so many of the front of the others, and so on."""
    goals = found.recipe.goals
    first, left = _front(goals, found.before, trials)
    following: list[Trial] = []
    while left and len(following) < most:
        front, left = _front(goals, found.before, left)
        if not front:  # where little is known, each may be beaten by another one
            break
        following += front
    return first, following[:most]


def _front(
    goals: Sequence[Goal], before: Mapping[str, float], trials: Sequence[Trial]
) -> tuple[list[Trial], list[Trial]]:
    """The front, the most gain first, and all others."""
    places = set(on_front(goals, [t.values for t in trials]))

    def order(trial: Trial) -> tuple[float, int]:
        return -gain_in_all(goals, trial.values, before), trial.number

    front = sorted((trials[i] for i in places), key=order)
    return front, [trial for i, trial in enumerate(trials) if i not in places]


def _told(found: Optimization, trial: Trial) -> str:
    parts = (
        f"{g.metric} from {found.before[g.metric]:.4g} to {trial.values[g.metric]:.4g}"
        for g in found.recipe.goals
        if g.metric in found.before and g.metric in trial.values
    )
    return ", ".join(parts)


def _nearest(trials: Sequence[Trial]) -> str:
    best = min(trials, key=lambda t: sum(max(e, 0.0) for e in t.excess.values()))
    broken = [name for name, excess in best.excess.items() if excess > 0]
    return f"no trial meets all constraints; the nearest, {best.number}, breaks {', '.join(broken)}"


def failures(trials: Trials) -> list[str]:
    """Why trials failed, each reason once."""
    found: dict[str, list[int]] = {}
    for trial in trials.all:
        if trial.state == "failed":
            found.setdefault(trial.reason, []).append(trial.number)
    return [
        f"trial {numbers[0]}{f' and {len(numbers) - 1} more' if len(numbers) > 1 else ''} failed: "
        f"{reason}"
        for reason, numbers in found.items()
    ]


def _dropped(trials: Sequence[Trial]) -> list[str]:
    """Why passes were dropped, each reason once."""
    told = (f"{step.name}: {step.why}" for t in trials for step in t.steps if not step.kept)
    return list(dict.fromkeys(told))
