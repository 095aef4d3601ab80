"""What monitoring says: numbers over time, drift, quality, anomalies, alerts. Values, pure.

All are of one deployment; a *window* is a span of time whose tiles were merged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

__all__ = [
    "Alert",
    "Anomaly",
    "Column",
    "ColumnKind",
    "ColumnWindow",
    "Drift",
    "DriftScore",
    "FeedbackSummary",
    "GroupGap",
    "Measured",
    "Monitor",
    "Overview",
    "Performance",
    "ProfileInfo",
    "Rule",
    "RuleSet",
    "Schema",
    "Series",
    "Severity",
    "Silence",
    "Task",
    "VersionMonitor",
]

ColumnKind = Literal["number", "category", "vector"]
Task = Literal["classification", "regression", "other"]
Severity = Literal["info", "warning", "critical"]
AlertState = Literal["firing", "resolved"]
Source = Literal["data", "evaluation", "traffic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One input that is watched: a column of a table, or an element or the whole of a tensor."""

    name: str
    """As people know it: `age`; `input[3]` of a tensor without names of columns."""
    kind: ColumnKind
    """`number`, `category`, or `vector`."""
    size: int = 1
    """Elements of a vector (pictures, embeddings: what has more than 256 elements a row)."""
    edges: tuple[float, ...] = ()
    """Of a number: where its bins end, ascending, made from quantiles of the reference. Bin i is
    (edges[i-1], edges[i]]; the first is open below, the last open above. Of a vector: the width of
    the kernel that its features are of."""
    categories: tuple[str, ...] = ()
    """Of a category: those that are counted apart; the rest is counted as one."""
    low: float | None = None
    high: float | None = None
    nulls: float = 0.0
    """Share of rows without a value, in the reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What is watched of a version. Its tiles merge because they all have the same one."""

    columns: tuple[Column, ...]
    """What goes in."""
    task: Task = "other"
    """`classification`, `regression`, or `other`."""
    classes: tuple[str, ...] = ()
    """Of a classification; scores come in this order. At most 64."""
    groups: tuple[str, ...] = ()
    """Columns (categories) by whose values the version is to be fair."""
    values: Column | None = None
    """Of what else is predicted than classes: its edges and range."""

    def of_kind(self, kind: ColumnKind) -> tuple[Column, ...]:
        """In their order; arrays of a kind have this order too."""
        return tuple(column for column in self.columns if column.kind == kind)

    def column(self, name: str) -> Column | None:
        """The one of this name."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileInfo:
    """What a version's traffic is compared with."""

    model: str
    number: int
    created: datetime
    source: Source
    """`data` (`yard profile`), `evaluation`, or `traffic`: the first rows that came, in want of
    anything better."""
    rows: int
    data: str | None
    data_digest: str | None
    schema: Schema
    """What is watched of the version."""
    measures: tuple[Measured, ...] = ()
    """What the reference says of the version: accuracy and so on, if the truth was there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """How fast, how much, how often not. Times are seconds."""

    requests: int
    """How many came."""
    rows: int
    errors: int
    """The server's own, and the model's: those that speak against a version."""
    rejected: int
    """Overloaded, late, too many of one client."""
    outcomes: Mapping[str, int]
    """Requests by `ok` or the kind of error."""
    rate: float
    """Requests a second."""
    p50: float | None
    """Half of the requests took no longer; None if there were none. `p95`, `p99`: 95 and 99 of
    100."""
    p95: float | None
    p99: float | None
    phases: Mapping[str, tuple[float, float, float]]
    """p50, p95, p99 of `queue`, `preprocess`, `predict`, `postprocess`."""
    batch: float | None
    """Rows that were computed together, in the mean."""
    saturation: float
    """Time that was waited in a queue, of the time of all requests: 0 to 1."""
    cold_starts: int
    """Requests that waited until the version was loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A number about quality, with its interval of 95 %."""

    name: str
    """`accuracy`, `precision`, `recall`, `miss_rate`, `false_alarm_rate`, `f1`, `auc`,
    `calibration_error`, `bias`, `mae`, `rmse`, `r2`, ..."""
    value: float | None
    """What was measured; None if that can't be told."""
    low: float | None = None
    high: float | None = None
    rows: int = 0
    estimated: bool = False
    """Made without truth, from the model's own scores."""
    valid: bool = True
    """Whether it is to be believed."""
    reason: str | None = None
    """Why it is not to be believed, or can't be told."""
    reference: float | None = None
    """The same of the reference."""
    label: str | None = None
    """The class it is of, where it is of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupGap:
    """How differently groups are treated."""

    metric: str
    """`selection_rate_ratio`, `equalized_odds_gap`, `accuracy_gap`, `error_ratio`, ..."""
    column: str
    value: float | None
    """Of the metric; None if too little is known."""
    worst: str | None
    """The group that fares worst."""
    best: str | None
    """The group that fares best."""
    groups: Mapping[str, tuple[float | None, float | None, float | None, int]]
    """By group: value, low, high, rows."""
    fails: bool
    """Beyond what the rules allow, and surely so: intervals do not touch."""
    estimated: bool = False
    """Made without truth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftScore:
    """One test of one column."""

    test: str
    """Of numbers `psi`, `ks`, `rank`, `wasserstein`, `js`; of texts `psi`, `chi2`, `js`; of both
    `nulls`; of vectors `centroid`, `mmd`; of all numbers `correlation`, `classifier`."""
    value: float
    threshold: float | None = None
    """What it would have to reach, at these sizes of samples."""
    p: float | None = None
    """The test's p-value, where it has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far a column moved from the reference."""

    column: str
    """Its name; `predictions` and `scores` for what came out; `together` for all numbers."""
    kind: ColumnKind
    """What sort of column it is."""
    rows: int
    scores: tuple[DriftScore, ...]
    suspected: bool
    """In this window: significant after Benjamini-Hochberg over all columns, and no less than the
    smallest effect that matters."""
    drifted: bool
    """Suspected in 2 of the last 3 windows; in the only one, if no other has enough rows."""
    score: float
    """The main test's value divided by its threshold: for order, 1 and more is suspected."""
    violations: Mapping[str, int] = field(default_factory=dict)
    """Of the data's quality: `null`, `out-of-range`, `unknown-category`, `not-finite`."""
    reason: str | None = None
    """Why nothing can be said: too few rows, no reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnWindow:
    """A column in a window beside its reference: for a picture."""

    column: Column
    counts: tuple[int, ...]
    """Rows in each bin or of each category (the last: all others), in the window."""
    reference: tuple[int, ...]
    """The same of the reference."""
    mean: float | None = None
    """Of a number; None where there is none."""
    std: float | None = None
    """Its standard deviation."""
    reference_mean: float | None = None
    """The same of the reference."""
    reference_std: float | None = None
    """Its standard deviation in the reference."""
    quantiles: tuple[float, ...] = ()
    """Of a number: 5, 25, 50, 75 and 95 %, within 1.3 % of ranks."""
    reference_quantiles: tuple[float, ...] = ()
    """The same of the reference."""
    others: Mapping[str, int] = field(default_factory=dict)
    """Of a category: texts that are none of its categories, seen five times at least; the most
    frequent first, about how often. Never of columns that are redacted."""
    distinct: int | None = None
    """Of a category: how many other texts there are, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """Something that was out of the way, with what shows it; nothing that is redacted."""

    id: int
    time: datetime
    deployment: str
    """Its name."""
    kind: str
    """`overload`, `error-burst`, `latency-shift`, `not-finite-output`, `constant-output`,
    `out-of-range-output`, `schema-abuse`, `out-of-distribution`, `extraction`, `probing`,
    `auth-failures`, `oversized-bodies`."""
    severity: Severity
    """How bad it is."""
    words: str
    """What happened, for people."""
    number: int | None = None
    """The version it is about."""
    client: str | None = None
    """Who asked, if it is about one client."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """What shows it: counts, and some rows without what is redacted."""
    until: datetime | None = None
    """When it was seen last, if it lasts."""
    count: int = 1
    """How often it was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When people are to be told.

    `signal op value` for `hold` seconds fires; it is over once the opposite of `clear` held for
    `hold` seconds (hysteresis).
    """

    name: str
    signal: str
    """A name of `SIGNALS`, such as `error_rate`, `latency_p99`, `drifted_columns`, `accuracy`."""
    op: Literal[">", ">=", "<", "<="]
    """How the signal is compared with the `value`."""
    value: float
    hold: float = 0.0
    clear: float | None = None
    """Half way back: when the value has come back so far it is over; None: as `value`."""
    severity: Severity = "warning"
    """Of its alerts."""
    rows: int = 0
    """Requests or rows that must have been seen for it to be looked at."""
    words: str = ""
    """What is told to people; made from the signal if it is empty."""
    enabled: bool = True
    """Whether it is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """The rules of a deployment, and where they come from."""

    rules: tuple[Rule, ...]
    """In their order."""
    source: str
    """`default`, `version` (`monitoring.yaml` in the stable version), `deployment`."""
    text: str
    """YAML."""
    changed: datetime | None = None
    """When a deployment's own were set."""
    who: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A rule that fires, or fired."""

    id: int
    deployment: str
    """Its name."""
    rule: str
    """Name of the rule."""
    severity: Severity
    """As the rule says."""
    state: AlertState
    """`firing` until it is over, then `resolved`."""
    since: datetime
    """When it began to fire, in UTC."""
    until: datetime | None
    """When it was over; None while it fires."""
    value: float | None
    """What the signal was when it fired last."""
    threshold: float | None
    """What the rule allows."""
    words: str
    """What happened, for people."""
    number: int | None = None
    subject: str = ""
    """What of the deployment, if the rule can fire for several things: a column, a group."""
    silenced: bool = False
    """Whether nobody was told."""
    source: str = "yard"
    """`yard`, or `alertmanager`."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """What shows it: numbers, rows, columns."""
    model: str = ""
    """Whose version the `number` is, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Nobody is told of alerts that fit, until a time."""

    id: int
    deployment: str
    """Empty: of all."""
    rule: str
    """Empty: all."""
    until: datetime
    """When it ends, in UTC."""
    who: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackSummary:
    """What became of truths that were sent."""

    joined: int
    """Rows whose truth is known now, and was not before."""
    late: int
    """Older than the window in which they can be joined."""
    duplicate: int
    """Known already; the same truth again changes nothing."""
    unknown: int
    """No such request is known; kept for a while, in case it is still on its way."""
    conflicting: int = 0
    """Another truth was known: the first one counts."""
    problems: tuple[str, ...] = ()
    """What was wrong with some of them, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A number over time."""

    name: str
    """`requests` (1/s), `latency_p50`, `latency_p95`, `latency_p99` (s), `error_rate`,
    `rejected_rate`, `saturation`, `accuracy` and `estimated_accuracy` (with their intervals),
    `drift_score` (of the worst column: 1 and more is drift), `drift.COLUMN`: shares and scores
    have the unit 1. Those of performance come for each version and for all together."""
    number: int | None
    """Of the version; None: of all."""
    unit: str
    """`1`, `1/s`, `s`, `rows`."""
    times: tuple[float, ...]
    """Seconds since 1970: the beginnings of steps."""
    values: tuple[float | None, ...]
    """One for each time; None where nothing is known. `low` and `high` are of its interval."""
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionMonitor:
    """One version in a window."""

    model: str
    number: int
    percent: float
    """Of the requests that it gets now."""
    shadow: bool
    """It gets copies of requests, and its answers are dropped."""
    performance: Performance
    """How fast it is."""
    reference: ProfileInfo | None
    """What it is compared with; None as long as there is nothing."""
    drift: tuple[Drift, ...]
    """Worst first."""
    columns: tuple[ColumnWindow, ...]
    """For pictures: values of columns in the window and in the reference."""
    realized: tuple[Measured, ...]
    """How right it is, by the truth that came back."""
    estimated: tuple[Measured, ...]
    """How right it seems, from its own scores."""
    fairness: tuple[GroupGap, ...]
    """How it treats groups."""
    label_lag: float | None = None
    """Seconds from an answer to its truth: the median."""
    labelled: int = 0
    """Rows whose truth is known."""
    notes: tuple[str, ...] = ()
    """What else is to be known, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """A deployment in a window: all that is known of it."""

    deployment: str
    """Its name."""
    since: datetime
    """Beginning of the window, in UTC: earlier than asked for if what is kept of that time is of a
    whole minute, hour or day that began before."""
    until: datetime
    """Its end; later, likewise."""
    versions: tuple[VersionMonitor, ...]
    """Those that are served, and those that were in the window; who answers most comes first."""
    anomalies: tuple[Anomaly, ...]
    """In the window, newest first."""
    alerts: tuple[Alert, ...]
    """Those that fire."""
    dropped: int = 0
    """Rows that monitoring could not take."""

    @property
    def verdict(self) -> str:
        """`critical`, `warning`, `quiet` (no traffic) or `fine`."""
        firing = {alert.severity for alert in self.alerts if alert.state == "firing"}
        for severity in ("critical", "warning"):
            if severity in firing:
                return severity
        return "fine" if any(v.performance.requests for v in self.versions) else "quiet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A deployment among others: for lists, worst first."""

    deployment: str
    """Its name."""
    models: tuple[str, ...]
    """`MODEL@REV` of what answers."""
    verdict: str
    """As of `Monitor`: `critical`, `warning`, `quiet` or `fine`."""
    rate: float
    """Requests a second."""
    error_rate: float
    """Share of the requests that failed."""
    p99: float | None
    drifted: int
    """Columns."""
    accuracy: float | None
    """Realized if there is truth, else estimated."""
    accuracy_estimated: bool
    """Whether it is made without truth."""
    alerts: int
    """How many fire."""
    anomalies: int
    """How many there were."""
    rates: tuple[float, ...] = ()
    """Requests a second, of the last steps: for a small picture, as `errors` (a second) and
    `latencies` (p99) are."""
    errors: tuple[float, ...] = ()
    latencies: tuple[float | None, ...] = ()
    drifts: tuple[float | None, ...] = ()
    """The worst column's score."""
