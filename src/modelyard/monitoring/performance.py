"""How requests went, from histograms of their times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.core.monitoring import Performance
from modelyard.monitoring.tiles import LATENCY_BINS, PHASES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.monitoring.rows import Array, Asked
    from modelyard.monitoring.tiles import PerformanceTile

__all__ = [
    "ERRORS", "REJECTED", "latency_bins", "latency_counts", "of_tile", "performance_of",
    "quantiles",
]  # fmt: skip

ERRORS: Final = frozenset({
    "failed", "model-failed", "model-died", "model-timeout", "not-ready", "self-test", "other",
})  # fmt: skip
"""Kinds that speak against the server or a version, not against the request."""
REJECTED: Final = frozenset({"overloaded", "deadline", "too-many-requests"})
"""Kinds that say: come again."""
_FIRST: Final = 1024
"""Nanoseconds; the first bin ends here."""
_TO_POWER: Final = 8
"""Bins to each power of two."""


def latency_bins(nanoseconds: Array) -> Array:
    """The bin of each time: eight to each power of two, of the same width within it."""
    clipped = np.maximum(nanoseconds, 1).astype(np.float64)
    part, power = np.frexp(clipped / _FIRST)  # part in [0.5, 1)
    bins = (power - 1) * _TO_POWER + ((part - 0.5) * 2 * _TO_POWER).astype(np.int64) + 1
    return np.clip(np.where(clipped < _FIRST, 0, bins), 0, LATENCY_BINS - 1)


def _ends() -> Array:
    """Where each bin ends, in seconds."""
    at = np.arange(LATENCY_BINS)
    power, part = np.divmod(at - 1, _TO_POWER)
    ends = _FIRST * np.exp2(power) * (1 + (part + 1) / _TO_POWER)
    ends[0] = _FIRST
    return ends / 1e9


_ENDS: Final = _ends()
_STARTS: Final = np.concatenate([[0.0], _ENDS[:-1]])


def latency_counts(asked: Asked) -> tuple[Array, Array]:
    """int64 [phases, LATENCY_BINS], and float64 [phases] seconds: of each of `PHASES`."""
    times = np.stack([asked.total, asked.queue, asked.preprocess, asked.predict, asked.postprocess])
    bins = latency_bins(times) + np.arange(len(PHASES))[:, None] * LATENCY_BINS
    counts = np.bincount(bins.ravel(), minlength=len(PHASES) * LATENCY_BINS)
    return counts.reshape(len(PHASES), LATENCY_BINS), times.sum(axis=1) / 1e9


def quantiles(counts: Array, shares: tuple[float, ...] = (0.5, 0.95, 0.99)) -> list[float | None]:
    """Seconds below which these shares of the times are, within a bin as if evenly spread."""
    total = int(counts.sum())
    if not total:
        return [None] * len(shares)
    cumulative = np.cumsum(counts)
    found: list[float | None] = []
    for share in shares:
        wanted = share * total
        at = min(int(np.searchsorted(cumulative, wanted)), LATENCY_BINS - 1)
        before = cumulative[at - 1] if at else 0
        inside = (wanted - before) / max(int(counts[at]), 1)
        found.append(float(_STARTS[at] + (_ENDS[at] - _STARTS[at]) * min(max(inside, 0.0), 1.0)))
    return found


def performance_of(
    outcomes: Mapping[str, int],
    latency: Array | None,
    sums: Array,
    *,
    rows: int,
    seconds: float,
    cold: int = 0,
    batch: float | None = None,
) -> Performance:
    """Of a span of so many seconds.

    Args:
        latency: int64 [phases, LATENCY_BINS], None if nothing was answered.
        sums: float64 [phases]: seconds.
    """
    requests = sum(outcomes.values())
    errors = sum(count for kind, count in outcomes.items() if kind in ERRORS)
    rejected = sum(count for kind, count in outcomes.items() if kind in REJECTED)
    p50, p95, p99 = (None,) * 3 if latency is None else quantiles(latency[0])
    phases = {}
    if latency is not None:
        for at, name in enumerate(PHASES[1:], 1):
            a, b, c = quantiles(latency[at])
            if a is not None and b is not None and c is not None:
                phases[name] = (a, b, c)
    return Performance(
        requests=requests, rows=rows, errors=errors, rejected=rejected, outcomes=dict(outcomes),
        rate=requests / max(seconds, 1e-9), p50=p50, p95=p95, p99=p99, phases=phases, batch=batch,
        saturation=float(sums[1] / sums[0]) if sums[0] > 0 else 0.0, cold_starts=cold,
    )  # fmt: skip


def of_tile(tile: PerformanceTile, seconds: float) -> Performance:
    """Of a tile of a span of so many seconds."""
    total = int(tile.batches.sum())
    middle = np.exp2(np.arange(len(tile.batches)))
    batch = float((tile.batches * middle).sum() / total) if total else None
    return performance_of(
        tile.outcomes, tile.latency, tile.sums, rows=tile.rows, seconds=seconds, cold=tile.cold,
        batch=batch,
    )  # fmt: skip
