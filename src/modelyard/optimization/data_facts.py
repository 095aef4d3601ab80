"""What a look at data finds, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ColumnFacts", "DataFacts", "Doubt", "Finding", "Leak", "Overlap", "TargetFacts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFacts:
    """One input."""

    name: str
    kind: str
    """number, flag, category, text, time, array, constant."""
    dtype: str
    missing: float
    """Share of the rows without a value."""
    distinct: int
    least: float | None = None
    median: float | None = None
    most: float | None = None
    spread: tuple[float, ...] = ()
    """Of numbers: shares of the rows in twelve cells between the least and the most."""
    common: tuple[tuple[str, float], ...] = ()
    """Of categories: the most frequent values, and their shares."""
    far_out: int = 0
    """Rows whose number is very far from the others."""
    skill: float | None = None
    """How much of the target it tells by itself, 0 to 1, on rows that nothing was learned from."""
    is_identifier: bool = False
    """Whether it is different in every row, and so only names the row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFacts:
    """What is to be predicted."""

    name: str
    task: str
    classes: tuple[tuple[str, int], ...] = ()
    """With their rows, the most frequent first."""
    least: float | None = None
    median: float | None = None
    most: float | None = None
    spread: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A column that tells the target nearly alone."""

    column: str
    skill: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A label that is likely to be wrong."""

    row: int
    """From 0."""
    label: str
    instead: str
    margin: float
    """How much likelier the other class is, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Rows that are to be predicted, but stand among those that are learned from."""

    rows: int
    """Of the data to measure with."""
    exact: int
    near: int
    differing: tuple[str, ...] = ()
    """Columns with values of another kind there: text instead of numbers, say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that should be known, and what helps."""

    about: str
    """`leak`, `overlap`, `copies`, `conflicts`, `missing`, `far-out`, `labels`, `balance`,
    `constant`, `identifier`, `text`, `few-rows`, `differing`."""
    weight: Literal["bad", "warn", "note"]
    sentence: str
    passes: tuple[str, ...] = ()
    """That may help."""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """What a look at data found."""

    name: str
    rows: int
    columns: tuple[ColumnFacts, ...]
    target: TargetFacts | None = None
    without_target: int = 0
    """Rows whose target is missing; all else is said of the others."""
    copies: int = 0
    """Rows that are there again, with the same target."""
    conflicts: int = 0
    """Rows whose equals have another target: no model can be right about all of them."""
    leaks: tuple[Leak, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    """The worst first, 1,000 at most."""
    doubted: float | None = None
    """Share of labels that are likely to be wrong; None if that was not looked at."""
    judged: int = 0
    """Rows whose labels were looked at."""
    overlap: Overlap | None = None
    findings: tuple[Finding, ...] = ()
    """The worst first."""
