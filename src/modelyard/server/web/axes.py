"""Axes of parallel coordinates: what differs between versions or trials, and where values lie."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any, Literal

from modelyard.server.web.grid import natural
from modelyard.server.web.trade_off import LARGEST

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Axis", "axis_of", "place_of"]

_KINDS = 8
"""Values of an axis that are words."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A parameter or a metric in which versions, or trials, differ."""

    name: str
    kind: Literal["param", "metric"]
    low: float
    high: float
    words: tuple[str, ...]
    """What the values are called, at equal distances; empty if they are numbers."""
    log: bool
    """Whether equal factors lie at equal distances."""
    way: Literal["higher", "lower"] | None
    """Which way is better, where that is known."""


def axis_of(
    name: str,
    kind: Literal["param", "metric"],
    values: Sequence[Any],
    way: Literal["higher", "lower"] | None = None,
) -> Axis | None:
    """None if there is no difference, more words than an axis has room for, or too much."""
    there = [value for value in values if value is not None]
    if len({str(value) for value in there}) < 2:
        return None
    numbers = [v for v in there if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) == len(there):
        if max(map(abs, numbers)) >= LARGEST:  # a whole number may be larger than any float
            return None
        low, high = float(min(numbers)), float(max(numbers))
        if not 0 < high - low < LARGEST:
            return None
        return Axis(name, kind, low, high, (), kind == "param" and low > 0 and high / low > 50, way)
    words = sorted({str(value) for value in there}, key=natural)
    if len(words) > _KINDS:
        return None
    return Axis(name, kind, 0.0, float(len(words) - 1), tuple(words), False, way)


def place_of(axis: Axis, value: Any) -> float | None:
    """From 0, at the bottom, to 1; None where there is no value."""
    if value is None:
        return None
    if axis.words:
        return axis.words.index(str(value)) / max(len(axis.words) - 1, 1)
    if axis.log:
        return (log(value) - log(axis.low)) / (log(axis.high) - log(axis.low))
    return (float(value) - axis.low) / (axis.high - axis.low)
