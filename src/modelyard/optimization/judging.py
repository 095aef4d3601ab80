"""What a proof says: verdicts of goals and constraints, and whether a candidate is published.

Metrics are compared by the paired tests of evaluation (`core.significance`), latencies by turns on
the same rows. A goal is reached only where the difference is more than chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.core.evaluation import Measure
from modelyard.core.metrics import Classified, Resampler
from modelyard.core.optimization import Candidate, Constraint, Goal, Verdict
from modelyard.core.significance import ALPHA, holm, paired_bootstrap, paired_mcnemar
from modelyard.optimization.goals import base_of, is_cost, value_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.core.metrics import Facts
    from modelyard.optimization.measuring import Timing

__all__ = ["Proved", "corrected", "judged", "passes_gate"]

Array = np.ndarray[Any, Any]

_LEAST_GAIN: Final = 0.02
"""A cost must go down by so much to be better: smaller gains are not worth a version."""
_BLOCKS: Final = 12
_RESAMPLES: Final = 2000


@dataclass(frozen=True, slots=True)
class Proved:
    """A model with all that was measured of it."""

    facts: Facts | None
    measures: tuple[Measure, ...]
    costs: dict[str, float]
    timing: Timing | None
    refused: str = ""
    """Why it gives no answers to these rows."""

    @property
    def values(self) -> dict[str, float]:
        """Metrics and costs by name."""
        return {**{m.name: m.value for m in self.measures}, **self.costs}


def judged(
    trial: int,
    source: Proved,
    other: Proved,
    goals: Sequence[Goal],
    constraints: Sequence[Constraint],
    seed: int,
) -> Candidate:
    """A candidate with its verdicts; of one that gives no answers, all fail for that reason."""
    if other.refused:
        wanted = (*goals, *constraints)
        refusals = (Verdict(about=str(e), holds=False, sentence=other.refused) for e in wanted)
        return Candidate(trial=trial, before=_told(source), verdicts=tuple(refusals))
    verdicts = [_of_goal(goal, source, other, seed) for goal in goals]
    verdicts += [_of_constraint(each, source, other) for each in constraints]
    return Candidate(
        trial=trial, before=_told(source), after=_told(other), verdicts=tuple(verdicts)
    )


def corrected(found: Sequence[Candidate], earlier: int = 0) -> list[Candidate]:
    """Of several candidates one is the best by chance: p-values by Holm's correction, by goal.

    Args:
        earlier: How many were tested before these: each of them was a chance too.
    """
    if len(found) + earlier < 2 or not found:
        return list(found)
    columns = zip(*(candidate.verdicts for candidate in found), strict=True)
    verdicts = [_corrected_column(column, earlier) for column in columns]
    return [
        replace(candidate, verdicts=tuple(column[i] for column in verdicts))
        for i, candidate in enumerate(found)
    ]


def passes_gate(candidate: Candidate) -> tuple[bool, str]:
    """Whether it may be published: better in one goal, worse in none, no constraint broken.

    A goal with a constraint of its own may be worse as far as that allows.

    Returns:
        With the reason, if it may not.
    """
    broken = [v for v in candidate.verdicts if not v.holds and _is_constraint(v)]
    if broken:
        return False, broken[0].sentence
    held = {_metric_of(v.about) for v in candidate.verdicts if _is_constraint(v)}
    goals = [v for v in candidate.verdicts if not _is_constraint(v)]
    for verdict in goals:
        metric = _metric_of(verdict.about)
        if verdict.worse and metric not in held:
            return False, verdict.sentence
    if not any(verdict.holds for verdict in goals):
        said = "; ".join(dict.fromkeys(verdict.sentence for verdict in goals))
        return False, said or "nothing was to become better"
    return True, ""


def _told(proved: Proved) -> tuple[Measure, ...]:
    costs = tuple(Measure(name, value) for name, value in proved.costs.items())
    return (*proved.measures, *costs)


def _of_goal(goal: Goal, source: Proved, other: Proved, seed: int) -> Verdict:
    if is_cost(goal.metric):
        return _of_cost(goal, source, other, seed)
    before, after = (each.values.get(goal.metric) for each in (source, other))
    verdict = Verdict(about=str(goal), holds=False, before=before, after=after)
    if before is None or after is None or source.facts is None or other.facts is None:
        return replace(verdict, sentence=f"{goal.metric} could not be measured")
    test = _paired(goal.metric, source.facts, other.facts, seed)
    if test is None:
        return replace(verdict, difference=after - before,
                       sentence=f"{goal.metric}: nothing is known of chance")  # fmt: skip
    better = test.difference > 0 if goal.direction == "max" else test.difference < 0
    return replace(
        verdict, difference=test.difference, low=test.low, high=test.high, p=test.p,
        test=test.name, holds=better and test.p < ALPHA,
        worse=not better and bool(test.difference) and test.p < ALPHA,
        sentence=_sentence(goal, before, after, better, test.p),
    )  # fmt: skip


def _paired(metric: str, source: Facts, other: Facts, seed: int) -> Any:
    if metric == "accuracy" and isinstance(source, Classified) and isinstance(other, Classified):
        return paired_mcnemar(source.truth == source.label, other.truth == other.label)
    return paired_bootstrap(source, other, metric, Resampler(seed))


def _sentence(goal: Goal, before: float, after: float, better: bool, p: float) -> str:
    name = goal.metric
    if after == before:
        return f"{name} stays at {before:.4g}"
    if p >= ALPHA:
        return f"{name} from {before:.4g} to {after:.4g} may be chance (p {p:.2g})"
    way = "better" if better else "worse"
    old, new = _apart(before, after)
    return f"{name} is {way}: from {old} to {new} (p {p:.2g})"


def _apart(before: float, after: float) -> tuple[str, str]:
    """With so many digits that they differ."""
    pairs = [(f"{before:.{digits}g}", f"{after:.{digits}g}") for digits in (4, 6, 9, 17)]
    return next((pair for pair in pairs if pair[0] != pair[1]), pairs[-1])


def _of_cost(goal: Goal, source: Proved, other: Proved, seed: int) -> Verdict:
    before, after = source.costs.get(goal.metric), other.costs.get(goal.metric)
    verdict = Verdict(about=str(goal), holds=False, before=before, after=after)
    if before is None or after is None or not before:
        return replace(verdict, sentence=f"{goal.metric} could not be measured")
    ratio, low, high = after / before, after / before, after / before
    if goal.metric.endswith("latency_p50") and source.timing and other.timing:
        ratio, low, high = _ratio(*_calls(goal.metric, source.timing, other.timing), seed)
    if goal.direction == "max":
        holds, worse = low > 1 + _LEAST_GAIN, high < 1 - _LEAST_GAIN
    else:
        holds, worse = high < 1 - _LEAST_GAIN, low > 1 + _LEAST_GAIN
    return replace(
        verdict, difference=ratio, low=low, high=high, holds=holds, worse=worse,
        test="counted" if low == high else "bootstrap of calls in turns",
        sentence=_cost_sentence(goal.metric, ratio, holds, worse),
    )  # fmt: skip


def _cost_sentence(name: str, ratio: float, holds: bool, worse: bool) -> str:
    if not (holds or worse):
        return f"{name} stays about the same ({ratio:.3g} of what it was)"
    if ratio < 1:
        return f"{name} is {1 / ratio:.3g} times less"
    return f"{name} is {ratio:.3g} times what it was"


def _calls(metric: str, source: Timing, other: Timing) -> tuple[Array, Array]:
    if metric == "latency_p50":
        return source.singles, other.singles
    return source.batches, other.batches


def _ratio(before: Array, after: Array, seed: int) -> tuple[float, float, float]:
    """The ratio of medians with its 95 % interval, by resampling blocks of turns.

    Calls that follow each other see the same machine, so blocks of them are what varies freely.
    """
    ratio = float(np.median(after) / np.median(before))
    count = min(_BLOCKS, len(before) // 3)
    if count < 2:
        return ratio, 0.0, math.inf
    logs = np.array([
        math.log(np.median(b) / np.median(a))
        for a, b in zip(np.array_split(before, count), np.array_split(after, count), strict=True)
    ])  # fmt: skip
    rng = np.random.default_rng([seed, count])
    drawn = rng.integers(0, count, (_RESAMPLES, count))
    low, high = np.percentile(np.median(logs[drawn], axis=1), [2.5, 97.5])
    return ratio, min(math.exp(low), ratio), max(math.exp(high), ratio)


def _of_constraint(constraint: Constraint, source: Proved, other: Proved) -> Verdict:
    before, after = source.values, other.values
    value = value_of(constraint.metric, after, before)
    holds = math.isfinite(value) and constraint.excess(value) <= 1e-12
    said = "holds" if holds else "does not hold"
    base = base_of(constraint.metric)
    return Verdict(
        about=str(constraint), holds=holds, before=before.get(base), after=after.get(base),
        difference=value if math.isfinite(value) else None,
        sentence=f"{constraint} {said}: it is {value:.4g}",
    )  # fmt: skip


def _corrected_column(column: Sequence[Verdict], earlier: int) -> list[Verdict]:
    count = len(column) + earlier
    tested = {place: verdict.p for place, verdict in enumerate(column) if verdict.p is not None}
    found = list(column)
    for place, chance in zip(tested, holm(list(tested.values())), strict=True):
        found[place] = _again(column[place], min(chance * count / len(tested), 1.0), count)
    return found


def _again(verdict: Verdict, p: float, count: int) -> Verdict:
    """With a corrected p. That it is worse needs none: nothing is published that may be."""
    sentence = verdict.sentence
    if verdict.holds and p >= ALPHA:
        sentence = f"{sentence}, but {p:.2g} among {count} candidates"
    return replace(verdict, p=p, holds=verdict.holds and p < ALPHA, sentence=sentence)


def _is_constraint(verdict: Verdict) -> bool:
    return "=" in verdict.about


def _metric_of(about: str) -> str:
    name = about.split("<")[0].split(">")[0].split(" ")[0]
    return base_of(name)
