"""Tests that are made one by one, and not of all columns at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.core.monitoring import Drift, DriftScore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modelyard.core.monitoring import ColumnKind

__all__ = ["Single", "Subject"]


@dataclass(frozen=True, slots=True)
class Single:
    """One test of something."""

    test: str
    value: float
    p: float
    threshold: Callable[[float], float]
    """What the value has to reach to be significant at a p-value, and to matter."""
    nothing: float = 0.0
    """The value if nothing changed."""

    def ratio(self, threshold: float) -> float:
        """How far the value is on its way to the threshold: 1 and more has reached it."""
        return max(0.0, (self.value - self.nothing) / (threshold - self.nothing))


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that is tested: a vector, all columns together."""

    column: str
    kind: ColumnKind
    rows: int
    tests: tuple[Single, ...]
    violations: Mapping[str, int]
    reason: str | None = None

    @property
    def chance(self) -> float:
        """One p-value: the smallest, times the number of tests."""
        return min((1.0, *(test.p * len(self.tests) for test in self.tests)))

    def drift(self, highest: float) -> Drift:
        """What is told of it, if a subject's p-value is significant up to `highest`."""
        limits = [test.threshold(highest / len(self.tests)) for test in self.tests]
        scores = tuple(
            DriftScore(test=test.test, value=test.value, threshold=limit, p=test.p)
            for test, limit in zip(self.tests, limits, strict=True)
        )
        pairs = zip(self.tests, limits, strict=True)
        ratio = max((test.ratio(limit) for test, limit in pairs), default=0.0)
        return Drift(
            column=self.column, kind=self.kind, rows=self.rows, scores=scores,
            suspected=ratio >= 1, drifted=False, score=ratio, violations=self.violations,
            reason=self.reason,
        )  # fmt: skip
