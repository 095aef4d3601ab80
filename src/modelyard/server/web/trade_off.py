"""Versions by how large or slow they are and how good, and which of them no other beats in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from modelyard.core.metrics.names import direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.registry.side_by_side import Beside

__all__ = ["LARGEST", "Point", "TradeOff", "trade_off_of"]

LARGEST = 1e200
"""What is beyond can't be drawn, and is no measure of anything."""


@dataclass(frozen=True, slots=True)
class Point:
    """A version in the picture of the trade-off."""

    title: str
    x: float
    y: float
    low: float | None
    """The interval that holds the true value with a probability of 95 %."""
    high: float | None
    front: bool
    """No other is better in both."""
    tied: bool
    """Its interval touches that of the best one."""


@dataclass(frozen=True, slots=True)
class TradeOff:
    """Size or time against a metric."""

    across: Literal["size", "latency"]
    metric: str
    way: Literal["higher", "lower"]
    """Which way of the metric is better."""
    points: tuple[Point, ...]


def trade_off_of(
    beside: Sequence[Beside], metric: str, across: Literal["size", "latency", ""]
) -> TradeOff | None:
    """None if nobody knows which way of the metric is better, or there are no two versions."""
    way = direction(metric)
    if way is None:
        return None
    timed = sum(each.latency is not None for each in beside) > 1
    chosen: Literal["size", "latency"] = "latency" if across == "latency" and timed else "size"
    points = []
    for each in beside:
        x = each.latency if chosen == "latency" else float(each.version.size)
        y = each.version.metrics.get(metric)
        if x is None or y is None or not max(abs(x), abs(y)) < LARGEST:
            continue
        measure = each.measures.get(metric)
        sure = measure is not None and measure.value == y
        low, high = (measure.low, measure.high) if sure and measure else (None, None)
        if low is not None and high is not None and not max(abs(low), abs(high)) < LARGEST:
            low = high = None
        points.append((each.version.title, x, y, low, high))
    if len(points) < 2:
        return None
    sign = 1 if way == "higher" else -1
    top = max(points, key=lambda p: sign * p[2])
    made = []
    for title, x, y, low, high in points:
        beaten = any(
            other[1] <= x and sign * other[2] >= sign * y and (other[1], other[2]) != (x, y)
            for other in points
        )
        tied = None not in (low, high, top[3], top[4]) and low <= top[4] and high >= top[3]  # type: ignore[operator]
        made.append(Point(title, x, y, low, high, not beaten, bool(tied)))
    return TradeOff(chosen, metric, way, tuple(sorted(made, key=lambda p: (p.x, sign * p.y))))
