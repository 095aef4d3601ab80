"""How fast each version is asked, for people: its rate and its median time, lately."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.core.deployment import ServedVersion, ServerStatus
    from modelyard.serving.statistics import Counts, Statistics

__all__ = ["Pace"]

_LOOKS: Final = 5
"""Looks between which the rate is told: with one every 2 seconds, that of the last 8."""
_KEPT: Final = 10_000
"""Versions whose last counts are remembered."""
_OURS: Final = ("failed", "model-failed", "model-died", "model-timeout", "overloaded", "deadline")
"""Kinds of errors that are not the caller's fault."""

_Key = tuple[str, str, int]


class Pace:
    """Remembers counts from one look to the next."""

    def __init__(
        self, statistics: Statistics, clock: Callable[[], float] = time.monotonic
    ) -> None:  # fmt: skip
        self._statistics = statistics
        self._clock = clock
        self._before: dict[_Key, deque[tuple[float, int]]] = {}

    def told(self, name: str, status: ServerStatus) -> ServerStatus:
        """A deployment's status with what was counted for it, shadows' copies too."""
        found: dict[tuple[str, str], list[Counts]] = {}
        for one in self._statistics.every():
            if one.deployment == name:
                found.setdefault((one.model, one.version), []).append(one)
        versions = tuple(
            self._with(name, version, found.get((version.model, str(version.number)), []))
            for version in status.versions
        )
        return replace(status, versions=versions)

    def _with(self, name: str, version: ServedVersion, counts: list[Counts]) -> ServedVersion:
        asked = sum(one.answered + one.failed for one in counts)
        busiest = max(counts, key=lambda one: one.answered, default=None)
        return replace(
            version, requests=asked, rate=self._rate((name, version.model, version.number), asked),
            median=busiest.median if busiest else None,
            failures=sum(one.errors.get(kind, 0) for one in counts for kind in _OURS),
        )  # fmt: skip

    def _rate(self, key: _Key, asked: int) -> float | None:
        """None at the first look: nobody knows since when."""
        if key not in self._before and len(self._before) >= _KEPT:
            self._before.clear()
        looks = self._before.setdefault(key, deque(maxlen=_LOOKS))
        now = self._clock()
        if looks and asked < looks[-1][1]:  # counted anew
            looks.clear()
        if not looks or now - looks[-1][0] >= 1:
            looks.append((now, asked))
        since, before = looks[0]
        return (asked - before) / (now - since) if now - since >= 1 else None
