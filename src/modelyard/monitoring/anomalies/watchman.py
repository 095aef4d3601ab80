"""The watchman of one deployment in one process: he is fed, and tells what is out of the way."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from modelyard.monitoring.anomalies.faults import ErrorBurst, LatencyShift
from modelyard.monitoring.anomalies.findings import Incidents
from modelyard.monitoring.anomalies.overload import REJECTED, Overload
from modelyard.monitoring.anomalies.refusals import Refusals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.core.monitoring import Anomaly
    from modelyard.monitoring.anomalies.findings import Finding
    from modelyard.monitoring.profiles import Profile
    from modelyard.monitoring.rows import Asked, Rows

__all__ = ["Watchman"]

_VERSIONS: Final = 32
"""That are looked at; the one that was asked for longest ago makes room."""


class _Version:
    """What watches one version."""

    __slots__ = ("errors", "latency", "overload")

    def __init__(self, number: int) -> None:
        self.overload = Overload(number)
        self.errors = ErrorBurst(number)
        self.latency = LatencyShift(number)

    def look(self, now: float) -> Iterator[Finding]:
        yield from self.overload.look(now)
        yield from self.errors.look(now)
        yield from self.latency.look(now)


class Watchman:
    """Finds overload, faults and attacks. Its memory is bounded, whoever asks.

    All methods may be called in any thread.

    Args:
        deployment: Its name.
        redact: Inputs and outputs whose values no evidence may show.
    """

    def __init__(self, deployment: str, redact: Sequence[str] = ()) -> None:
        self.deployment = deployment
        self.redact = frozenset(redact)
        self._versions: dict[int, _Version] = {}
        self._nowhere = Overload(None)
        self._refusals = Refusals()
        self._incidents = Incidents(deployment)
        self._pending: list[tuple[str, int]] = []
        self._lock = threading.Lock()

    def asked(self, number: int, asked: Asked) -> None:
        """How requests of a version went."""
        with self._lock:
            version = self._version(number)
            version.overload.asked(asked)
            version.errors.asked(asked)
            version.latency.asked(asked)
            for client, count in asked.clients.items():
                self._refusals.asked(client, count)

    def rows(self, number: int, rows: Rows, profile: Profile | None) -> None:
        """What a version was asked, and what it answered."""

    def refused(self, kind: str, client: str, size: int, count: int = 1) -> None:
        """Requests that were refused for what they are, or before a version was known.

        Args:
            kind: Of the error.
            client: Its name, or its address if nobody knows who it is.
            size: Bytes of the body, as far as they are known.
        """
        with self._lock:
            if kind in REJECTED:
                self._pending.append((kind, count))
            else:
                self._refusals.refused(kind, client, size, count)

    def tick(self, now: float) -> list[Anomaly]:
        """What is new or got worse, and every five seconds what only lasts.

        An incident is one anomaly whose `until` and `count` grow; it is over when nothing was
        seen of it for a minute. Ids are 0.

        Args:
            now: Seconds since 1970.
        """
        with self._lock:
            for kind, count in self._pending:
                self._nowhere.refused(int(now), kind, count)
            self._pending.clear()
            for finding in self._look(now):
                self._incidents.take(finding, now)
            return self._incidents.tell(now)

    def _look(self, now: float) -> Iterator[Finding]:
        for version in self._versions.values():
            yield from version.look(now)
        yield from self._nowhere.look(now)
        yield from self._refusals.look(now)

    def _version(self, number: int) -> _Version:
        found = self._versions.pop(number, None) or _Version(number)
        self._versions[number] = found  # the newest is the last
        if len(self._versions) > _VERSIONS:
            del self._versions[next(iter(self._versions))]
        return found
