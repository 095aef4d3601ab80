"""How requests went, folded: times in bins that are the same everywhere, so that they add up."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.monitoring.tiles import LATENCY_BINS, PHASES, PerformanceTile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.monitoring.rows import Array, Asked

__all__ = [
    "BATCH_BOUNDS",
    "LATENCY_BOUNDS",
    "fold_performance",
    "latency_bins",
    "latency_quantile",
    "latency_quantiles",
    "merge_performance",
    "new_performance",
]

_BATCHES: Final = 17
_OUTCOMES: Final = 64
"""Kinds of outcomes that are told apart; the rest is `other`."""
_SHIFT: Final = 52 - 3
_FIRST: Final = (1023 + 10) << 3
"""The bits of 1,024.0 above the shift: exponent and the first three digits of the fraction."""

LATENCY_BOUNDS: Final = (
    2.0 ** (10 + (np.arange(LATENCY_BINS - 1) // 8)) * (1 + (np.arange(LATENCY_BINS - 1) % 8) / 8)
) / 1e9  # fmt: skip
"""Seconds: where each bin but the last ends, and the next begins."""
_BOUNDS: Final[list[float]] = LATENCY_BOUNDS.tolist()
BATCH_BOUNDS: Final = tuple(2**power for power in range(_BATCHES - 1))
"""Rows: the most in each bin but the last."""


def new_performance() -> PerformanceTile:
    phases = len(PHASES)
    return PerformanceTile(
        0, 0, {}, np.zeros((phases, LATENCY_BINS), np.int64), np.zeros(phases),
        np.zeros(_BATCHES, np.int64),
    )  # fmt: skip


def latency_bins(nanoseconds: Array) -> Array:
    """The bin of each time: int64, 0 to LATENCY_BINS - 1."""
    bits = np.asarray(nanoseconds, np.float64).view(np.int64) >> _SHIFT
    bins: Array = np.clip(bits - (_FIRST - 1), 0, LATENCY_BINS - 1)
    return bins


def latency_quantile(counts: Array, share: float) -> float | None:
    """Seconds: the quantile, with straight lines inside of bins; None of nothing.

    Args:
        counts: int64 [LATENCY_BINS], or several added up.
    """
    return latency_quantiles(counts, (share,))[0]


def latency_quantiles(counts: Array, shares: Sequence[float]) -> list[float | None]:
    """Several quantiles at once, as `latency_quantile`: they are asked for twice a second."""
    upto = np.cumsum(counts).tolist()
    total = upto[-1]
    if not total:
        return [None] * len(shares)
    last = bisect_left(upto, total)
    return [_inside(upto, min(bisect_left(upto, share * total), last), share * total)
            for share in shares]  # fmt: skip


def _inside(upto: list[int], place: int, rank: float) -> float:
    below = 0.0 if place == 0 else _BOUNDS[place - 1]
    if place == LATENCY_BINS - 1:
        return below
    before = upto[place - 1] if place else 0
    inside = (rank - before) / max(upto[place] - before, 1)
    return below + (_BOUNDS[place] - below) * min(max(inside, 0.0), 1.0)


def fold_performance(tile: PerformanceTile, asked: Asked) -> None:
    """Add requests of a second."""
    tile.requests += sum(asked.outcomes.values())
    tile.rows += asked.rows
    tile.cold += asked.cold
    _add_outcomes(tile.outcomes, asked.outcomes.items())
    for phase, name in enumerate(PHASES):
        taken: Array = getattr(asked, name)
        if len(taken):
            tile.latency[phase] += np.bincount(latency_bins(taken), minlength=LATENCY_BINS)
            tile.sums[phase] += float(np.sum(taken, dtype=np.float64)) / 1e9
    if len(asked.batches):
        bins = np.searchsorted(np.array(BATCH_BOUNDS), asked.batches)
        tile.batches += np.bincount(bins, minlength=_BATCHES)


def merge_performance(into: PerformanceTile, other: PerformanceTile) -> None:
    """Add what another tile saw."""
    into.requests += other.requests
    into.rows += other.rows
    _add_outcomes(into.outcomes, other.outcomes.items())
    into.latency += other.latency
    into.sums += other.sums
    into.batches += other.batches
    into.cold += other.cold
    into.dropped += other.dropped


def _add_outcomes(into: dict[str, int], more: object) -> None:
    for name, count in more:  # type: ignore[attr-defined]
        kept = name if name in into or len(into) < _OUTCOMES else "other"
        into[kept] = into.get(kept, 0) + count
