"""The last minutes, second by second: what fast rules look at. In memory, of one process."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from modelyard.monitoring.performance import of_tile
from modelyard.monitoring.performances import (
    fold_performance,
    merge_performance,
    new_performance,
)

if TYPE_CHECKING:
    from modelyard.core.monitoring import Performance
    from modelyard.monitoring.rows import Asked
    from modelyard.monitoring.tiles import PerformanceTile

__all__ = ["Live"]

_SECONDS: Final = 15
"""Seconds that are told apart."""
_TENS: Final = 18
"""Spans of ten seconds before."""
_MOST: Final = 2000
"""Versions that are looked at."""


class _Ring:
    """Of one version: some seconds, and before them some spans of ten seconds."""

    __slots__ = ("seconds", "tens")

    def __init__(self) -> None:
        self.seconds: deque[tuple[int, PerformanceTile]] = deque()
        self.tens: deque[tuple[int, PerformanceTile]] = deque(maxlen=_TENS)

    def add(self, asked: Asked) -> None:
        if not self.seconds or self.seconds[-1][0] < asked.second:
            self.seconds.append((asked.second, new_performance()))
        fold_performance(self.seconds[-1][1], asked)
        while len(self.seconds) > _SECONDS:
            second, old = self.seconds.popleft()
            start = second // 10 * 10
            if not self.tens or self.tens[-1][0] < start:
                self.tens.append((start, new_performance()))
            merge_performance(self.tens[-1][1], old)

    def since(self, second: float) -> PerformanceTile:
        whole = new_performance()
        for start, tile in (*self.tens, *self.seconds):
            if start > second:
                merge_performance(whole, tile)
        return whole


class Live:
    """Of all versions of all deployments that this process serves. Any thread may ask."""

    def __init__(self) -> None:
        self._rings: dict[tuple[str, str, int, bool], _Ring] = {}
        self._lock = threading.Lock()

    def add(
        self, deployment: str, model: str, number: int, asked: Asked, *, shadow: bool = False
    ) -> None:
        """Requests that were answered, or not, just now."""
        key = (deployment, model, number, shadow)
        with self._lock:
            ring = self._rings.get(key)
            if ring is None:
                if len(self._rings) >= _MOST:
                    return
                ring = self._rings[key] = _Ring()
            ring.add(asked)

    def versions(self, *, shadow: bool = False) -> list[tuple[str, str, int]]:
        """Deployments, models and numbers of all versions that were asked lately."""
        with self._lock:
            return [key[:3] for key in self._rings if key[3] == shadow]

    def of_last(
        self, deployment: str, model: str, number: int, now: float, seconds: float,
        *, shadow: bool = False,
    ) -> Performance:  # fmt: skip
        """Of one version in the last seconds (at most 180), the one that is not over included."""
        with self._lock:
            ring = self._rings.get((deployment, model, number, shadow))
            whole = new_performance() if ring is None else ring.since(int(now) - seconds)
        return of_tile(whole, seconds)

    def forget(self, deployment: str) -> None:
        """One that is gone."""
        with self._lock:
            for key in [key for key in self._rings if key[0] == deployment]:
                del self._rings[key]
