"""Signals: the numbers that rules look at, each a fact about a deployment at a moment.

Fast ones are how requests went in the last seconds, and anomalies; they come twice a second. Slow
ones need tiles, references or truth, and come every half minute. A signal that can't be told now
(no traffic, no truth yet) gives no fact: a rule about it neither fires nor ends for a while.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from modelyard.monitoring.drift.thresholds import LIMITS
from modelyard.monitoring.quality.fairness import unfairness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from modelyard.core.monitoring import (
        Anomaly,
        Drift,
        Measured,
        Monitor,
        Performance,
        VersionMonitor,
    )

__all__ = [
    "FACT_SPANS",
    "ONGOING",
    "SIGNALS",
    "Fact",
    "Signal",
    "facts_of_anomalies",
    "facts_of_live",
    "facts_of_monitor",
    "facts_of_performance",
]

FACT_SPANS: Final = (10.0, 60.0, 180.0)
"""Seconds that fast facts look back: the shortest in which enough was asked."""
ONGOING: Final = 60.0
"""Seconds for which an anomaly goes on after it was seen last."""
_ENOUGH: Final = 50
"""Requests."""
_WORST: Final = 5
"""Things that the evidence of a fact names."""

Unit = Literal["share", "seconds", "count", "rate", "number"]


@dataclass(frozen=True, slots=True)
class Signal:
    """What can be asked of a deployment."""

    name: str
    unit: Unit
    words: str
    fast: bool = False
    subjects: str = ""
    """What facts of it are told apart by, if by anything: a column, a group, a kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A signal's value now."""

    deployment: str
    signal: str
    value: float
    rows: int
    """Requests or rows that it was made from."""
    number: int | None = None
    """Of the version; None: of all together."""
    subject: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    """Whose version it is, where that is known."""


def _signals() -> Iterator[Signal]:
    fast = [
        ("error_rate", "share", "Requests that the server or the model failed."),
        ("rejected_rate", "share", "Requests that were turned away: overloaded, late, too many."),
        ("latency_p50", "seconds", "Half of the answers take longer."),
        ("latency_p95", "seconds", "One answer of 20 takes longer."),
        ("latency_p99", "seconds", "One answer of 100 takes longer."),
        ("queue_p99", "seconds", "One request of 100 waits longer before it is computed."),
        ("request_rate", "rate", "Requests a second."),
        ("saturation", "share", "Time spent waiting in a queue, of the time of all requests."),
        ("cold_starts", "count", "Requests that waited until a version was loaded."),
    ]
    for name, unit, words in fast:
        yield Signal(name, unit, words, fast=True)  # type: ignore[arg-type]
    yield Signal("drifted_columns", "count", "Columns that drifted: in 2 of the last 3 windows.")
    yield Signal("drift_score", "number", "The main test over its threshold; 1 is suspicious.",
                 subjects="column")  # fmt: skip
    yield Signal("drifted_outputs", "count", "Predictions or scores that drifted.")
    yield Signal("violation_rate", "share", "Values of a column that are missing, unknown, not"
                 " finite or outside of what the reference has.", subjects="column")  # fmt: skip
    for name in _MEASURES:
        words = f"{name.replace('_', ' ').capitalize()}, from truth."
        yield Signal(name, "number" if name in _ANY else "share", words)
        if name in _ESTIMATED:
            yield Signal(f"estimated_{name}", "share", f"{words[:-13]}, estimated without truth.")
    yield Signal("accuracy_drop", "share", "Accuracy surely lost since the reference: from there"
                 " to the upper end of the interval.")  # fmt: skip
    yield Signal("estimated_accuracy_drop", "share", "The same, estimated without truth.")
    yield Signal("error_growth", "number", "Mean absolute error, by its lower end, over that of the"
                 " reference.")  # fmt: skip
    yield Signal("unfair_groups", "count", "Fairness measures that surely fail.")
    yield Signal("fairness_gap", "number", "How differently groups are treated: 0 is fair. Of"
                 " selection_rate_ratio it is 1 - ratio, of error_ratio ratio - 1.",
                 subjects="measure of a column")  # fmt: skip
    for name, words in _LEAKS.items():
        yield Signal(name, "share", words)
    yield Signal("label_lag", "seconds", "From an answer to its truth: the median.")
    yield Signal("anomalies", "count", "Anomalies of a kind that are warnings and go on.",
                 fast=True, subjects="kind")  # fmt: skip
    yield Signal("critical_anomalies", "count", "Anomalies of a kind that are critical and go on.",
                 fast=True, subjects="kind")  # fmt: skip
    yield Signal("dropped_rows", "count", "Rows that monitoring could not take.")


_MEASURES: Final = (
    "accuracy", "precision", "recall", "miss_rate", "false_alarm_rate", "f1", "auc",
    "calibration_error", "bias", "mae", "rmse", "r2",
)  # fmt: skip
_LEAKS: Final = {
    "duplicates": "Rows of the traffic that the reference has too.",
    "near_duplicates": "Rows of the traffic that are nearly those of the reference.",
    "membership_exposure": "How well the model's confidence tells rows that it was trained with:"
    " 50 % is not at all.",
}
_ANY: Final = frozenset({"bias", "mae", "rmse", "r2"})
"""Those that are no shares."""
_ESTIMATED: Final = frozenset({"accuracy", "precision", "recall", "f1", "auc"})

SIGNALS: Final[Mapping[str, Signal]] = MappingProxyType({s.name: s for s in _signals()})
"""All that rules may look at, by name."""


def facts_of_performance(name: str, number: int | None, seen: Performance) -> list[Fact]:
    """How requests of a version went, as facts.

    Args:
        number: Of the version; None if these are requests of all.
    """
    found: list[tuple[str, float | None, int]] = [("request_rate", seen.rate, seen.requests)]
    if seen.requests:
        failed = {kind: n for kind, n in seen.outcomes.items() if kind != "ok" and n}
        found += [
            ("error_rate", seen.errors / seen.requests, seen.requests),
            ("rejected_rate", seen.rejected / seen.requests, seen.requests),
            ("latency_p50", seen.p50, seen.requests),
            ("latency_p95", seen.p95, seen.requests),
            ("latency_p99", seen.p99, seen.requests),
            ("queue_p99", seen.phases["queue"][2] if "queue" in seen.phases else None,
             seen.requests),
            ("saturation", seen.saturation, seen.requests),
            ("cold_starts", float(seen.cold_starts), seen.requests),
        ]  # fmt: skip
        kinds = dict(Counter(failed).most_common(_WORST))
    else:
        kinds = {}
    shown = {
        "requests": seen.requests, "errors": seen.errors, "rejected": seen.rejected,
        "p50": seen.p50, "p99": seen.p99, "outcomes": kinds,
    }  # fmt: skip
    return [
        Fact(deployment=name, signal=signal, value=value, rows=rows, number=number, evidence=shown)
        for signal, value, rows in found
        if value is not None
    ]


def facts_of_live(
    name: str, number: int | None, of_last: Callable[[float], Performance]
) -> list[Fact]:
    """Fast facts of a version, from as few of the last seconds as tell enough.

    Args:
        of_last: How requests went in the last so many seconds, one of `FACT_SPANS`.
    """
    for seconds in FACT_SPANS:
        seen = of_last(seconds)
        if seen.requests >= _ENOUGH:
            break
    return facts_of_performance(name, number, seen)


def facts_of_monitor(monitor: Monitor) -> list[Fact]:
    """All slow facts of a deployment in a window, such as the last hour."""
    found: list[Fact] = []
    for version in monitor.versions:
        if not version.shadow:  # its answers reach nobody
            found += _of_version(monitor.deployment, version)
    rows = sum(version.performance.rows for version in monitor.versions)
    found.append(
        Fact(deployment=monitor.deployment, signal="dropped_rows", value=monitor.dropped,
             rows=rows + monitor.dropped)
    )  # fmt: skip
    return found


def _of_version(name: str, version: VersionMonitor) -> Iterator[Fact]:
    def fact(
        signal: str, value: float | None, rows: int, subject: str = "", **evidence: Any
    ) -> Iterator[Fact]:
        if value is not None:
            yield Fact(deployment=name, signal=signal, value=float(value), rows=rows,
                       number=version.number, subject=subject, evidence=evidence,
                       model=version.model)  # fmt: skip

    told = [each for each in version.drift if each.reason is None]
    outputs = [each for each in told if each.column in ("predictions", "scores")]
    columns = [each for each in told if each not in outputs]
    for signal, among in (("drifted_columns", columns), ("drifted_outputs", outputs)):
        if among:
            drifted = sorted((each for each in among if each.drifted), key=lambda d: -d.score)
            rows = max(each.rows for each in among)
            shown = [_drift_words(each) for each in drifted[:_WORST]]
            yield from fact(signal, len(drifted), rows, drifted=shown)
    for each in told:
        yield from fact("drift_score", each.score, each.rows, each.column, **_drift_words(each))
    few = version.reference is not None and version.reference.rows < LIMITS.rows
    for each in version.drift:
        if each.rows and not few:  # the range of a few rows is nobody's
            worst = sum(each.violations.values()) / each.rows
            yield from fact("violation_rate", worst, each.rows, each.column,
                            violations=dict(each.violations))  # fmt: skip
    for some in (version.realized, version.estimated):
        for subject, measured in _told_by(some):
            if measured.valid and measured.value is not None:
                yield from _of_measured(fact, measured, subject)
    failing = [gap for gap in version.fairness if gap.fails]
    if version.fairness:
        rows = max((sum(g[3] for g in gap.groups.values()) for gap in version.fairness), default=0)
        unfair = [f"{gap.metric} of {gap.column}: {gap.worst}" for gap in failing[:_WORST]]
        yield from fact("unfair_groups", len(failing), rows, failing=unfair)
    for gap in version.fairness:
        rows = sum(group[3] for group in gap.groups.values())
        yield from fact("fairness_gap", unfairness(gap), rows, f"{gap.metric} of {gap.column}",
                        measured=gap.value, worst=gap.worst, best=gap.best)  # fmt: skip
    yield from fact("label_lag", version.label_lag, version.labelled)


def _told_by(some: Sequence[Measured]) -> Iterator[tuple[str, Measured]]:
    """Of each measure the one of all classes; else those of single classes, by their labels. Of two
    classes it is one: then it speaks for itself."""
    by_name: dict[str, list[Measured]] = {}
    for measured in some:
        by_name.setdefault(measured.name, []).append(measured)
    for found in by_name.values():
        whole = [each for each in found if each.label is None]
        if whole or len(found) == 1:
            yield "", (whole or found)[0]
        else:
            yield from ((each.label or "", each) for each in found)


def _of_measured(
    fact: Callable[..., Iterator[Fact]], measured: Measured, subject: str
) -> Iterator[Fact]:
    plain = measured.name in _LEAKS
    before = "estimated_" if measured.estimated and not plain else ""
    shown = {"low": measured.low, "high": measured.high, "reference": measured.reference}
    if f"{before}{measured.name}" in SIGNALS:
        name = f"{before}{measured.name}"
        yield from fact(name, measured.value, measured.rows, subject, **shown)
    reference = measured.reference
    if reference is None or measured.value is None:
        return
    if measured.name == "accuracy":
        end = measured.value if measured.high is None else measured.high
        yield from fact(
            f"{before}accuracy_drop", max(reference - end, 0.0), measured.rows,
            accuracy=measured.value, **shown,
        )  # fmt: skip
    elif measured.name == "mae" and reference > 0 and not measured.estimated:
        end = measured.value if measured.low is None else measured.low
        yield from fact("error_growth", end / reference, measured.rows, mae=measured.value, **shown)


def _drift_words(drift: Drift) -> dict[str, Any]:
    tests = {score.test: round(score.value, 6) for score in drift.scores}
    return {"column": drift.column, "score": round(drift.score, 3), "tests": tests}


def facts_of_anomalies(name: str, events: Iterable[Anomaly], now: float) -> list[Fact]:
    """How many anomalies of each kind go on: seen within the last minute.

    Without a subject there is always a zero, so that alerts about other kinds can end.

    Args:
        now: Seconds since 1970.
    """
    facts = [
        Fact(deployment=name, signal=signal, value=0.0, rows=0)
        for signal in ("anomalies", "critical_anomalies")
    ]
    kinds: dict[tuple[str, str], list[Anomaly]] = {}
    for event in events:
        if (event.until or event.time).timestamp() >= now - ONGOING:
            kinds.setdefault((event.severity, event.kind), []).append(event)
    for (severity, kind), found in sorted(kinds.items()):
        if severity == "info":
            continue
        last = max(found, key=lambda event: event.until or event.time)
        facts.append(
            Fact(
                deployment=name,
                signal="critical_anomalies" if severity == "critical" else "anomalies",
                value=float(len(found)), rows=sum(event.count for event in found),
                number=last.number, subject=kind,
                evidence={"event": last.id, "words": last.words, "client": last.client},
            )
        )  # fmt: skip
    return facts
