"""The last minutes, second by second: what fast rules look at. In memory, of one process."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.monitoring.performance import latency_counts, performance_of

if TYPE_CHECKING:
    from modelyard.core.monitoring import Performance
    from modelyard.monitoring.rows import Array, Asked

__all__ = ["Live"]

_KEPT: Final = 180
"""Seconds."""
_MOST: Final = 2000
"""Versions that are looked at."""


class _Second:
    __slots__ = ("batches", "cold", "latency", "outcomes", "rows", "second", "sums")

    def __init__(self, second: int) -> None:
        self.second = second
        self.outcomes: dict[str, int] = {}
        self.latency: Array | None = None
        self.sums = np.zeros(5)
        self.rows = self.cold = 0
        self.batches = 0.0


class Live:
    """Of all versions of all deployments that this process serves. Any thread may ask."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, int, bool], deque[_Second]] = {}
        self._lock = threading.Lock()

    def add(self, deployment: str, number: int, asked: Asked, *, shadow: bool = False) -> None:
        """Requests that were answered, or not, just now."""
        latency, sums = latency_counts(asked)
        key = (deployment, number, shadow)
        with self._lock:
            ring = self._seconds.get(key)
            if ring is None:
                if len(self._seconds) >= _MOST:
                    return
                ring = self._seconds[key] = deque(maxlen=_KEPT)
            if not ring or ring[-1].second < asked.second:
                ring.append(_Second(asked.second))
            last = ring[-1]
            for kind, count in asked.outcomes.items():
                last.outcomes[kind] = last.outcomes.get(kind, 0) + count
            last.latency = latency if last.latency is None else last.latency + latency
            last.sums = last.sums + sums
            last.rows += asked.rows
            last.cold += asked.cold
            last.batches += float(asked.batches.sum())

    def versions(self, *, shadow: bool = False) -> list[tuple[str, int]]:
        """Deployments and numbers of all versions that were asked lately."""
        with self._lock:
            return [(name, number) for name, number, kind in self._seconds if kind == shadow]

    def of_last(
        self, deployment: str, number: int, now: float, seconds: float, *, shadow: bool = False
    ) -> Performance:
        """Of one version in the last seconds, the one that is not over included."""
        since = int(now) - seconds
        with self._lock:
            ring = self._seconds.get((deployment, number, shadow), ())
            return _of([each for each in ring if each.second > since], seconds)

    def forget(self, deployment: str) -> None:
        """One that is gone."""
        with self._lock:
            for key in [key for key in self._seconds if key[0] == deployment]:
                del self._seconds[key]


def _of(seconds: list[_Second], length: float) -> Performance:
    outcomes: dict[str, int] = {}
    latency, sums, rows, cold, batches = None, np.zeros(5), 0, 0, 0.0
    for one in seconds:
        for kind, count in one.outcomes.items():
            outcomes[kind] = outcomes.get(kind, 0) + count
        if one.latency is not None:
            latency = one.latency if latency is None else latency + one.latency
        sums = sums + one.sums
        rows, cold, batches = rows + one.rows, cold + one.cold, batches + one.batches
    good = outcomes.get("ok", 0)
    return performance_of(
        outcomes, latency, sums, rows=rows, seconds=length, cold=cold,
        batch=batches / good if good else None,
    )  # fmt: skip
