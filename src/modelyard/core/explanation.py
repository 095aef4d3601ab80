"""Why a model answers as it does: importance of its inputs, and the answers along each of them."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 (read at run time, to decode)
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec

from modelyard.core.decoding import converted
from modelyard.errors import Corrupt

__all__ = ["Dependence", "Explanation", "Importance"]


@dataclass(frozen=True, slots=True)
class Importance:
    """How much one input matters."""

    feature: str
    """Name of the column."""
    mean: float
    """Drop of the score, mean over repetitions; without a target, the change of the output."""
    deviation: float
    """Standard deviation over repetitions."""
    shap: float | None = None
    """Mean |SHAP value| over rows (and classes), if it was computed."""


@dataclass(frozen=True, slots=True)
class Dependence:
    """The mean output while one input is set to each of some values."""

    feature: str
    """Name of the column."""
    values: tuple[Any, ...]
    """Quantiles of the column, or its most frequent texts."""
    outputs: Mapping[str, tuple[float, ...]]
    """A mean output for each value: by class, or as `prediction`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What is kept with a version."""

    model: str
    number: int
    data: str
    """Name of the rows it was computed on."""
    digest: str
    rows: int
    seed: int
    score: str
    """What importance is measured by: `accuracy`, `r2`, or `output`."""
    baseline: float
    """The score without any change."""
    importances: tuple[Importance, ...]
    """The most important first."""
    dependences: tuple[Dependence, ...]
    """Of the most important inputs."""
    expected: Mapping[str, float] = field(default_factory=dict)
    """Mean output over the rows: by class, or as `prediction`."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of the libraries that computed it."""

    @classmethod
    def decode(cls, content: Mapping[str, Any]) -> Self:
        """From what a report keeps: the fields as JSON has them. Corrupt: `bad-report-row`."""
        try:
            return converted(content, cls)
        except msgspec.ValidationError as error:
            raise Corrupt(
                "bad-report-row", f"an explanation can't be read: {error}"
            ) from None  # fmt: skip
