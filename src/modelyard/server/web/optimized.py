"""An optimization as pages show it: how far goals came, trials in a table and as lines."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from modelyard.server.web.axes import Axis, axis_of, place_of
from modelyard.server.web.fronts import best_first, on_front, value_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.core.optimization import (
        Candidate,
        Goal,
        Optimization,
        PassDone,
        Trial,
        Verdict,
    )
    from modelyard.core.version import VersionInfo

__all__ = [
    "Fact", "Lines", "MadeBy", "TrialLine", "TrialRow", "chosen_trial", "facts_of", "lines_of",
    "made_by", "parallel_of", "short_names",
]  # fmt: skip

_BRANCH = re.compile(r"optimize-([1-9][0-9]{0,14})-([0-9]{1,9})")
_AXES = 10
_LINES = 200


@dataclass(frozen=True, slots=True)
class Fact:
    """How far one goal came."""

    goal: Goal
    before: float | None
    after: float | None
    trial: int | None
    """Which trial did it; None if none did yet."""
    proof: Verdict | None = None
    """What was proved of it on rows that no pass has seen."""

    @property
    def ratio(self) -> float | None:
        """How many times less it is, of what costs something; below 1 it is more."""
        if self.before is None or not self.after or self.before <= 0 or self.after <= 0:
            return None
        return self.before / self.after

    @property
    def is_better(self) -> bool | None:
        """None if nobody knows, or it is the same, or it may be chance."""
        if self.proof is not None:
            return True if self.proof.holds else False if self.proof.worse else None
        if self.before is None or self.after is None or self.before == self.after:
            return None
        return (self.after > self.before) == (self.goal.direction == "max")


@dataclass(frozen=True, slots=True)
class MadeBy:
    """By what a version was made from another one."""

    optimization: int
    trial: int
    recipe: str
    passes: tuple[str, ...]
    """Names, in their order."""


@dataclass(frozen=True, slots=True)
class TrialLine:
    """One trial in the table."""

    trial: Trial
    values: tuple[float | None, ...]
    """Of each goal."""
    best: tuple[bool, ...]
    """Of each goal, whether no other trial that meets the constraints is better."""
    front: bool
    holds: bool
    """Whether it meets all constraints."""
    version: int | None
    """What came of it."""

    @property
    def steps(self) -> tuple[PassDone, ...]:
        """What its passes did, in their order."""
        return self.trial.steps


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial as a line over axes."""

    title: str
    values: tuple[Any, ...]
    places: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """Trials over axes."""

    axes: tuple[Axis, ...]
    rows: tuple[TrialRow, ...]
    left_out: int
    """Parameters that differ too, and have no axis."""
    all_rows: int
    """How many trials could be drawn: of very many the last ones are."""


def facts_of(optimization: Optimization, trials: Sequence[Trial]) -> tuple[Fact, ...]:
    """Of each goal: what was proved of the chosen version; before there is one, the best so far."""
    made = next((c for c in optimization.candidates if c.version in optimization.published[:1]),
                None)  # fmt: skip
    shown = next((trial for trial in trials if made and trial.number == made.trial), None)
    proofs = {} if made is None else {each.about: each for each in made.verdicts}
    facts = []
    for goal in optimization.recipe.goals:
        proof = proofs.get(str(goal))
        if made is not None and proof is not None and proof.after is not None:
            facts.append(Fact(goal, proof.before, proof.after, made.trial, proof))
            continue
        best = shown or next(iter(best_first(trials, goal)), None)
        after = None if best is None else value_in(best.values, goal.metric)
        facts.append(
            Fact(
                goal,
                value_in(optimization.before, goal.metric),
                after,
                best.number if best is not None and after is not None else None,
            )
        )
    return tuple(facts)  # fmt: skip


def made_by(version: VersionInfo) -> MadeBy | None:
    """As publishing names branches and messages; None of a version that was made otherwise."""
    found = _BRANCH.fullmatch(version.branch)
    recipe, colon, names = version.message.partition("\n")[0].partition(": ")
    if found is None or not colon:
        return None
    passes = tuple(name.strip() for name in names.split(",") if name.strip())
    return MadeBy(int(found[1]), int(found[2]), recipe, passes)


def chosen_trial(optimization: Optimization, trials: Sequence[Trial]) -> Trial | None:
    """The one that an alias would get; else one that was published; else the best so far."""
    known = {trial.number: trial for trial in trials}
    order: list[Candidate] = sorted(
        optimization.candidates, key=lambda each: (not each.chosen, each.version is None)
    )
    found = next((known[each.trial] for each in order if each.trial in known), None)
    if found is None and optimization.recipe.goals:
        found = next(iter(best_first(trials, optimization.recipe.goals[0])), None)
    return found or next((trial for trial in reversed(trials) if trial.steps), None)


def lines_of(
    optimization: Optimization, trials: Sequence[Trial], front: frozenset[int] | None = None
) -> tuple[TrialLine, ...]:
    """Of all trials, in their order.

    Args:
        front: As `on_front` says, if it is known.
    """
    goals = optimization.recipe.goals
    front = on_front(trials, goals) if front is None else front
    versions = {each.trial: each.version for each in optimization.candidates}
    tops = [next(iter(best_first(trials, goal)), None) for goal in goals]
    best = [None if top is None else value_in(top.values, goal.metric)
            for top, goal in zip(tops, goals, strict=True)]  # fmt: skip
    made = []
    for trial in trials:
        values = tuple(value_in(trial.values, goal.metric) for goal in goals)
        fits = trial.holds
        tops_it = tuple(v is not None and fits and v == b and trial.state == "done"
                        for v, b in zip(values, best, strict=True))  # fmt: skip
        made.append(TrialLine(trial, values, tops_it, trial.number in front, fits,
                              versions.get(trial.number)))  # fmt: skip
    return tuple(made)


def parallel_of(optimization: Optimization, trials: Sequence[Trial]) -> Lines | None:
    """Parameters on the left, goals on the right, the first goal last; None without trials."""
    every = [trial for trial in trials if trial.state == "done"]
    done = every[-_LINES:]
    names = list(dict.fromkeys(name for trial in done for name in trial.params))
    shown = short_names(names)
    params = [
        (axis, [_param(trial, name) for trial in done]) for name in names
        if (axis := axis_of(shown[name], "param", [_param(trial, name) for trial in done]))
    ]  # fmt: skip
    goals = []
    for goal in reversed(optimization.recipe.goals):
        values = [value_in(trial.values, goal.metric) for trial in done]
        way: Literal["higher", "lower"] = "higher" if goal.direction == "max" else "lower"
        if axis := axis_of(goal.metric, "metric", values, way):
            goals.append((axis, values))
    kept = params[: max(_AXES - len(goals), 0)]
    columns = [*kept, *goals]
    if len(columns) < 2:
        return None
    rows = tuple(
        TrialRow(f"#{trial.number}", tuple(values[i] for _, values in columns),
                 tuple(place_of(axis, values[i]) for axis, values in columns))
        for i, trial in enumerate(done)
    )  # fmt: skip
    return Lines(tuple(axis for axis, _ in columns), rows, len(params) - len(kept), len(every))


def short_names(names: Sequence[str]) -> dict[str, str]:
    """`prune.sparsity` for `1.prune.sparsity`, where no other pass of the recipe has the name."""
    bare = {name: name.partition(".")[2] or name for name in names}
    taken = Counter(bare.values())
    return {name: short if taken[short] == 1 else name for name, short in bare.items()}


def _param(trial: Trial, name: str) -> Any:
    """None where the trial has none; what can't lie on an axis is told in words."""
    value = trial.params.get(name)
    if isinstance(value, bool):
        return str(value).lower()
    return value if value is None or isinstance(value, int | float | str) else str(value)
