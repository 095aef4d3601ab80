"""What measuring a version on data gave, and what comparing and choosing made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

__all__ = [
    "HOLDOUT",
    "LEARNED",
    "Bin",
    "Choice",
    "Comparison",
    "Confusion",
    "Evaluation",
    "Excluded",
    "Latency",
    "Measure",
    "Pair",
    "Report",
    "ReportKind",
    "Slice",
]

HOLDOUT: Final = " (holdout)"
"""Behind the name of data whose rows a proof has kept apart: what it was measured on."""
LEARNED: Final = "the version has learned from these rows: on others it may be less good"
"""The note of an evaluation on what a version was trained on."""

ReportKind = Literal["evaluation", "explanation", "profile", "optimization"]


@dataclass(frozen=True, slots=True)
class Report:
    """Something that was found out about a version and is kept with it."""

    id: int
    """Never used again; the number of its line in the audit log."""
    model: str
    number: int
    """Of the version."""
    kind: ReportKind
    """What sort of finding it is."""
    data: str
    """Name of the data that it was found with; empty if there was none."""
    data_digest: str
    """SHA-256 of that data in hex; empty if there was none."""
    suite: str
    created: datetime
    who: str
    content: Mapping[str, Any]
    """What was found, as JSON has it."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric with the interval that holds its true value with a probability of 95 %."""

    name: str
    value: float
    low: float | None = None
    """None where no interval is known."""
    high: float | None = None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.name} {self.value:.4g}"
        return f"{self.name} {self.value:.4g} ({self.low:.4g} to {self.high:.4g})"


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows that have one value in one column, measured by themselves."""

    column: str
    value: str
    rows: int
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows for which the model was about equally sure."""

    low: float
    high: float
    confidence: float
    """How sure the model was, on average."""
    accuracy: float
    """How often it was right."""
    rows: int


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often a class was taken for another."""

    labels: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]
    """Rows are the true classes, columns the predicted ones."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds that the model itself took, on the machine in `environment`."""

    p50: float
    """For a single row."""
    p95: float
    p99: float
    asked: int
    """How many single rows were asked for."""
    batch_rows: int
    """Rows of a full batch."""
    batch_p50: float
    batch_p95: float
    batch_p99: float
    rows_per_second: float
    """In full batches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Metrics of one version on one dataset, bound to the data's digest and to the code."""

    id: int
    model: str
    number: int
    suite: str
    """`classification`, `regression`, `ranking` or `embedding`."""
    data: str
    """The data's name: a path, or a version such as `data/wine@3`."""
    data_digest: str
    target: str
    """The column that was to be predicted."""
    rows: int
    seed: int
    """Of the resampling."""
    created: datetime
    who: str
    code: Mapping[str, str] = field(default_factory=dict)
    """Versions of modelyard and of the suite, and the caller's git commit where there is one."""
    measures: tuple[Measure, ...] = ()
    slices: tuple[Slice, ...] = ()
    """By column, the worst first."""
    confusion: Confusion | None = None
    calibration: tuple[Bin, ...] = ()
    latency: Latency | None = None
    size: int = 0
    """Bytes of the version's files."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Python, machine, and the libraries that took part."""
    notes: tuple[str, ...] = ()
    """What a reader should know: how the suite was chosen, what was left out."""
    group: str | None = None
    """The column that names the query, in the ranking suite."""
    labels: tuple[str, ...] = ()
    """The classes, in the order of the confusion matrix; the positive one comes last of two."""
    has_outcomes: bool = False
    """Whether rows are kept, so that versions can be compared row by row."""

    @property
    def title(self) -> str:
        """`flowers/iris@3`."""
        return f"{self.model}@{self.number}"

    def measure(self, name: str) -> Measure | None:
        """One of the measures."""
        return next((m for m in self.measures if m.name == name), None)

    def __str__(self) -> str:
        shown = ", ".join(f"{m.name} {m.value:.4g}" for m in self.measures[:3])
        return f"{self.title} on {self.data}: {shown}"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two versions on the same rows. `difference` is `b` minus `a`."""

    a: int
    b: int
    metric: str
    difference: float
    low: float | None
    high: float | None
    p: float | None
    """Chance of such a difference between equals, after Holm's correction over all pairs."""
    test: str
    """`McNemar`, `paired bootstrap`, or `intervals` where rows are not known."""
    verdict: str
    """A sentence."""
    significant: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Versions on one dataset, and whether they differ."""

    model: str
    metric: str
    data: str
    data_digest: str
    evaluations: tuple[Evaluation, ...]
    """In the order that was asked for."""
    leader: int
    """The version with the best value, which need not be a winner."""
    pairs: tuple[Pair, ...]
    """The leader against each other."""
    sentence: str


@dataclass(frozen=True, slots=True)
class Excluded:
    """A version that could not be chosen."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The best version, or those that can't be told apart. `str` gives the sentence."""

    model: str
    metric: str
    data: str
    data_digest: str
    winner: int | None
    """None in a tie."""
    leader: int
    """The version with the best value."""
    tied: tuple[int, ...]
    """Versions that are not significantly worse than the leader."""
    ranking: tuple[tuple[int, Measure], ...]
    """All candidates, the best first."""
    excluded: tuple[Excluded, ...]
    sentence: str
    alias: str | None = None
    points_at: int | None = None
    """Where the alias points now."""

    def __str__(self) -> str:
        return self.sentence
