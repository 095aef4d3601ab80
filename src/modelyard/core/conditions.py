"""What a search asks for: conditions on a version, as closed values that print as they are typed.

`parse_query` (core.query) reads them; the catalog turns them into SQL.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

__all__ = [
    "DATE",
    "HOURS",
    "Age",
    "Compare",
    "Condition",
    "Date",
    "FileGlob",
    "HasLabel",
    "HasMetric",
    "HasParam",
    "HasSize",
    "HasText",
    "HasTime",
    "HasValue",
    "HasWord",
    "Not",
    "PointedBy",
    "Query",
    "RefField",
    "Sort",
    "TextField",
    "TimeField",
    "ValueField",
    "quoted",
    "read_number",
]

Compare = Literal["=", "!=", "<", "<=", ">", ">="]
TextField = Literal["name", "description", "message", "author"]
ValueField = Literal["framework", "format", "kind", "branch"]
RefField = Literal["alias", "tag"]
TimeField = Literal["created", "updated"]

HOURS = {"h": 1, "d": 24, "w": 7 * 24, "m": 30 * 24, "y": 365 * 24}
DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)Z?)?)?)?\Z", re.ASCII)
_BARE = re.compile(r'[^\s"\\:<>=!-][^\s"\\:<>=!]*\Z')
"""What can be written without quotes anywhere."""


@dataclass(frozen=True, slots=True)
class HasWord:
    """`resnet` or `"first baseline"`: found anywhere in the text of the version or its model."""

    text: str

    def __str__(self) -> str:
        return _bare(self.text)


@dataclass(frozen=True, slots=True)
class HasText:
    """`message:baseline`: found in this one field."""

    field: TextField
    text: str

    def __str__(self) -> str:
        return f"{self.field}:{_bare(self.text)}"


@dataclass(frozen=True, slots=True)
class HasValue:
    """`framework:sklearn`: the field is this, whole; case counts for branches only."""

    field: ValueField
    value: str

    def __str__(self) -> str:
        return f"{self.field}:{_bare(self.value)}"


@dataclass(frozen=True, slots=True)
class PointedBy:
    """`alias:champion`: this ref points at the version now."""

    field: RefField
    name: str

    def __str__(self) -> str:
        return f"{self.field}:{_bare(self.name)}"


@dataclass(frozen=True, slots=True)
class HasLabel:
    """`label:domain=nlp`; `value` is None for any value."""

    key: str
    value: str | None

    def __str__(self) -> str:
        value = "" if self.value is None else "=" + (_bare(self.value) if self.value else "")
        return f"label:{_bare(self.key)}{value}"


@dataclass(frozen=True, slots=True)
class HasMetric:
    """`metric.accuracy>0.9`: evaluated, and so."""

    name: str
    compare: Compare
    value: float

    def __str__(self) -> str:
        return f"metric.{_bare(self.name)}{self.compare}{self.value!r}"


@dataclass(frozen=True, slots=True)
class HasParam:
    """`params.C=1.0`: as a number if it reads as one, else as text."""

    name: str
    compare: Compare
    value: str

    @property
    def number(self) -> float | None:
        return read_number(self.value)

    def __str__(self) -> str:
        return f"params.{_bare(self.name)}{self.compare}{_bare(self.value) if self.value else ''}"


@dataclass(frozen=True, slots=True)
class FileGlob:
    """`file:*.h5`: a file whose path or base name is so; `*` any characters, `?` one."""

    glob: str

    def __str__(self) -> str:
        return f"file:{_bare(self.glob)}"


@dataclass(frozen=True, slots=True)
class HasSize:
    """`size:<10MB`: bytes of all files together."""

    compare: Compare
    size: int

    def __str__(self) -> str:
        return f"size:{self.compare}{self.size}"


@dataclass(frozen=True, slots=True)
class Date:
    """`2026`, `2026-01`, `2026-01-31` or `2026-01-31T12:30`, UTC: the whole of that time."""

    text: str

    def span(self) -> tuple[int, int]:
        """Its begin and end in microseconds since 1970."""
        match = DATE.match(self.text)
        assert match is not None
        year, month, day, hour, minute = (int(part) if part else None for part in match.groups())
        assert year is not None
        start = datetime(year, month or 1, day or 1, hour or 0, minute or 0, tzinfo=UTC)
        if minute is not None:
            end = start + timedelta(minutes=1)
        elif day is not None:
            end = start + timedelta(days=1)
        else:
            months = start.year * 12 + (start.month if month else 12)
            end = start.replace(year=months // 12, month=months % 12 + 1)
        return _microseconds(start), _microseconds(end)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Age:
    """`7d`: time that passed since; hours, days, weeks, months of 30 and years of 365 days."""

    count: int
    unit: str

    def microseconds(self) -> int:
        return self.count * HOURS[self.unit] * 3_600_000_000

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


@dataclass(frozen=True, slots=True)
class HasTime:
    """`created:>2026-01-01` (later than that day), `updated:<7d` (less than 7 days ago)."""

    field: TimeField
    compare: Compare
    when: Date | Age

    def __str__(self) -> str:
        return f"{self.field}:{self.compare}{self.when}"


Condition = (
    HasWord | HasText | HasValue | PointedBy | HasLabel | HasMetric | HasParam | FileGlob
    | HasSize | HasTime
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Not:
    """`-label:old`: the condition does not hold."""

    condition: Condition

    def __str__(self) -> str:
        return f"-{self.condition}"


@dataclass(frozen=True, slots=True)
class Sort:
    """`sort:metric.accuracy-desc`; `key` is one of `SORTS` or `metric.NAME`."""

    key: str
    descending: bool

    @property
    def metric(self) -> str | None:
        return self.key.removeprefix("metric.") if self.key.startswith("metric.") else None

    def __str__(self) -> str:
        return f"sort:{_bare(self.key + ('-desc' if self.descending else '-asc'))}"


@dataclass(frozen=True, slots=True)
class Query:
    """Conditions that all hold, and an order; newest first if `sort` is None."""

    conditions: tuple[Condition | Not, ...] = ()
    sort: Sort | None = None

    def __str__(self) -> str:
        parts = [str(condition) for condition in self.conditions]
        return " ".join([*parts, str(self.sort)] if self.sort else parts)


def read_number(text: str) -> float | None:
    """A finite number, or None."""
    if not text.isascii() or "_" in text:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _bare(text: str) -> str:
    return text if _BARE.match(text) else quoted(text)


def quoted(text: str) -> str:
    """As the query language writes any text at all."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _microseconds(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
