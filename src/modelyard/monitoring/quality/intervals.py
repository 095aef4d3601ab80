"""Intervals of what was counted, by formulas: no resampling, so the same numbers every time.

An interval is (low, high) and holds the true value in 95 % of all cases, unless `z` says otherwise.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Interval", "Z", "around", "katz", "mean_of", "minus", "share_gap", "wilson", "z_of"]

Interval: TypeAlias = tuple[float, float]

Z: Final = 1.959963984540054
"""Of 95 %."""


def z_of(tests: int, alpha: float = 0.05) -> float:
    """So wide that all of several intervals hold together (Bonferroni)."""
    return NormalDist().inv_cdf(1 - alpha / (2 * max(tests, 1)))


def wilson(hits: float, rows: float, z: float = Z) -> Interval:
    """Of a share (Wilson, Probable inference, 1927). Without rows it may be anything."""
    if rows <= 0:
        return 0.0, 1.0
    share = hits / rows
    square = z * z / rows
    center = (share + square / 2) / (1 + square)
    half = z / (1 + square) * math.sqrt(max(share * (1 - share), 0.0) / rows + square / (4 * rows))
    # rounding must not put the share itself outside, at 0 and at 1
    return min(max(center - half, 0.0), share), max(min(center + half, 1.0), share)


def around(value: float, variance: float, z: float = Z) -> Interval:
    """Of what is normally distributed, nearly."""
    half = z * math.sqrt(max(variance, 0.0))
    return value - half, value + half


def share_gap(
    hits: float, rows: float, other_hits: float, other_rows: float, z: float = Z
) -> Interval:
    """Of a share less another one (Newcombe, Interval estimation for the difference between
    independent proportions, 1998, method 10)."""
    if rows <= 0 or other_rows <= 0:
        return -1.0, 1.0
    one, other = hits / rows, other_hits / other_rows
    low, high = wilson(hits, rows, z)
    other_low, other_high = wilson(other_hits, other_rows, z)
    gap = one - other
    return (
        max(gap - math.hypot(one - low, other_high - other), -1.0),
        min(gap + math.hypot(high - one, other - other_low), 1.0),
    )


def katz(
    hits: float, rows: float, other_hits: float, other_rows: float, z: float = Z
) -> tuple[float, float]:
    """Of a share by another one (Katz and others, 1978; Walter's halves where nothing was hit)."""
    if rows <= 0 or other_rows <= 0:
        return 0.0, math.inf
    if hits == 0 or other_hits == 0 or (hits == rows and other_hits == other_rows):
        hits, other_hits, rows, other_rows = (
            hits + 0.5, other_hits + 0.5, rows + 0.5, other_rows + 0.5,
        )  # fmt: skip
    ratio = (hits / rows) / (other_hits / other_rows)
    spread = math.sqrt(max(1 / hits - 1 / rows + 1 / other_hits - 1 / other_rows, 0.0))
    return ratio * math.exp(-z * spread), ratio * math.exp(z * spread)


def mean_of(values: Sequence[float], intervals: Sequence[Interval]) -> Interval:
    """Of the plain mean of values that do not depend on one another (MOVER: Zou and Donner,
    Construction of confidence limits about effect measures, 2008)."""
    count = len(values)
    mean = sum(values) / count
    below = math.sqrt(sum((v - i[0]) ** 2 for v, i in zip(values, intervals, strict=True)))
    above = math.sqrt(sum((i[1] - v) ** 2 for v, i in zip(values, intervals, strict=True)))
    return mean - below / count, mean + above / count


def minus(interval: Interval) -> Interval:
    """Of one less the value."""
    return 1 - interval[1], 1 - interval[0]
