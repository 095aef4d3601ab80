"""Which inputs matter, before and after a model was improved: as its report says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelyard.core.evaluation import Report

__all__ = ["Input", "Mattering", "mattering_of"]

_MOST = 20


@dataclass(frozen=True, slots=True)
class Input:
    """One input: how much worse the score gets when it is shuffled."""

    name: str
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class Mattering:
    """The inputs of one published version, the most important first."""

    version: int
    score: str
    """`accuracy`, `r2` or `output`."""
    rows: int
    correlation: float | None
    """Spearman's, of both; None where it is not defined."""
    inputs: tuple[Input, ...]

    @property
    def largest(self) -> float:
        """Of all values."""
        values = [v for each in self.inputs for v in (each.before, each.after) if v is not None]
        return max(values, default=0.0)


def mattering_of(report: Report) -> Mattering | None:
    """None if the report tells nothing of it, or not in the usual form."""
    told = report.content.get("importance") if isinstance(report.content, Mapping) else None
    features = told.get("features") if isinstance(told, Mapping) else None
    if not isinstance(told, Mapping) or not isinstance(features, list | tuple):
        return None
    rows = told.get("rows")
    inputs = tuple(
        Input(str(row.get("feature", ""))[:200], _number(row.get("before")),
              _number(row.get("after")))
        for row in features[:_MOST] if isinstance(row, Mapping)
    )  # fmt: skip
    if not inputs:
        return None
    return Mattering(
        report.number, str(told.get("score", ""))[:80], rows if isinstance(rows, int) else 0,
        _number(told.get("correlation")), inputs,
    )  # fmt: skip


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
