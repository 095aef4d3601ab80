"""How requests went, as people are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.core.monitoring import Performance
from modelyard.monitoring.performances import BATCH_BOUNDS, latency_quantiles
from modelyard.monitoring.tiles import PHASES

if TYPE_CHECKING:
    from modelyard.monitoring.tiles import PerformanceTile

__all__ = ["ERRORS", "REJECTED", "of_tile"]

ERRORS: Final = frozenset({
    "failed", "model-failed", "model-died", "model-timeout", "not-ready", "self-test", "other",
})  # fmt: skip
"""Kinds that speak against the server or a version, not against the request."""
REJECTED: Final = frozenset({"overloaded", "deadline", "too-many-requests"})
"""Kinds that say: come again."""
_SHARES: Final = (0.5, 0.95, 0.99)
_SIZES: Final = np.array([1.0, 2.0, *(0.75 * bound for bound in (*BATCH_BOUNDS[2:], 1 << 16))])
"""Rows computed together: the middle of each bin."""


def of_tile(tile: PerformanceTile, seconds: float) -> Performance:
    """Of the requests of a span of so many seconds."""
    outcomes = tile.outcomes
    requests = sum(outcomes.values())
    total, queued = float(tile.sums[0]), float(tile.sums[1])
    p50, p95, p99 = latency_quantiles(tile.latency[0], _SHARES)
    answered = int(tile.batches.sum())
    return Performance(
        requests=requests, rows=tile.rows,
        errors=sum(count for kind, count in outcomes.items() if kind in ERRORS),
        rejected=sum(count for kind, count in outcomes.items() if kind in REJECTED),
        outcomes=dict(outcomes), rate=requests / max(seconds, 1e-9), p50=p50, p95=p95, p99=p99,
        phases=_phases(tile), cold_starts=tile.cold,
        batch=float((tile.batches * _SIZES).sum() / answered) if answered else None,
        saturation=queued / total if total > 0 else 0.0,
    )  # fmt: skip


def _phases(tile: PerformanceTile) -> dict[str, tuple[float, float, float]]:
    found = {}
    for at, name in enumerate(PHASES[1:], 1):
        p50, p95, p99 = latency_quantiles(tile.latency[at], _SHARES)
        if p50 is not None:
            found[name] = (p50, p95 or 0.0, p99 or 0.0)
    return found
