"""The watchman of one deployment in one process: he is fed, and tells what is out of the way."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.monitoring.anomalies.askers import Askers
from modelyard.monitoring.anomalies.faults import ErrorBurst, LatencyShift
from modelyard.monitoring.anomalies.findings import Incidents
from modelyard.monitoring.anomalies.outputs import Outputs
from modelyard.monitoring.anomalies.overload import REJECTED, Overload
from modelyard.monitoring.anomalies.refusals import Refusals
from modelyard.monitoring.anomalies.yardsticks import Yardstick, picked, together

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from modelyard.core.monitoring import Anomaly
    from modelyard.monitoring.anomalies.findings import Finding
    from modelyard.monitoring.profiles import Profile
    from modelyard.monitoring.rows import Asked, Rows

__all__ = ["Watchman"]

_VERSIONS: Final = 32
"""That are looked at; the one that was asked for longest ago makes room."""
_PER_SECOND, _PER_CALL, _TOGETHER = 1024, 256, 512
"""Rows of a version that are held against its reference: in a second, of a call, and at once."""


class _Version:
    """What watches one version."""

    __slots__ = (
        "askers", "errors", "latency", "looked", "outputs", "overload", "pending", "profile",
        "random", "room", "second", "waiting",
    )  # fmt: skip

    def __init__(self, number: int, redact: frozenset[str]) -> None:
        self.overload = Overload(number)
        self.errors = ErrorBurst(number)
        self.latency = LatencyShift(number)
        self.outputs = Outputs(number, redact)
        self.askers = Askers(number, redact)
        self.profile: Profile | None = None
        self.second = 0
        self.pending: list[Rows] = []
        self.waiting = 0
        """Rows of them."""
        self.room = _PER_SECOND
        """Rows that may still be looked at one by one in this second."""
        self.looked = 0
        self.random = np.random.default_rng(0)

    def asked(self, asked: Asked) -> None:
        self.second = max(self.second, asked.second)
        self.overload.asked(asked)
        self.errors.asked(asked)
        self.latency.asked(asked)

    def rows(self, rows: Rows, profile: Profile | None) -> None:
        if profile is not self.profile:
            self.profile = profile
            self.pending.clear()
            self.waiting = 0
            self.askers.use(None if profile is None else Yardstick.of(profile))
        self.outputs.rows(rows, profile)
        self._at(self.second)
        count = min(rows.count, _PER_CALL, self.room)
        if profile is None or not count:
            return
        self.room -= count
        places: Any = range(rows.count)
        if count < rows.count:  # a stride from anywhere: every row has the same chance
            step = rows.count / count
            places = (np.arange(count) * step + self.random.random() * step).astype(np.int64)
        self.pending.append(picked(rows, places))
        self.waiting += count
        if self.waiting >= _TOGETHER:
            self.take()

    def hide(self, redact: frozenset[str]) -> None:
        """Show no values of these from now on."""
        self.outputs.hide(redact)
        self.askers.hide(redact)

    def _at(self, second: int) -> None:
        """What waits is looked at once a second at least."""
        if second > self.looked:
            self.take()
            self.looked, self.room = second, _PER_SECOND

    def take(self) -> None:
        """Look at rows that wait, together: that is far cheaper."""
        pending, self.pending, self.waiting = self.pending, [], 0
        if pending:
            self.askers.take(pending[0] if len(pending) == 1 else together(pending))

    def look(self, now: float) -> Iterator[Finding]:
        self._at(int(now))
        yield from self.overload.look(now)
        yield from self.errors.look(now)
        yield from self.latency.look(now)
        yield from self.outputs.look(now)
        yield from self.askers.look(now)


class Watchman:
    """Finds overload, faults and attacks. Its memory is bounded, whoever asks.

    All methods may be called in any thread.

    Args:
        deployment: Its name.
        redact: Inputs and outputs whose values no evidence may show.
    """

    def __init__(self, deployment: str, redact: Sequence[str] = ()) -> None:
        self.deployment = deployment
        self._redact = frozenset(redact)
        self._versions: dict[int, _Version] = {}
        self._nowhere = Overload(None)
        self._refusals = Refusals()
        self._incidents = Incidents(deployment)
        self._pending: list[tuple[str, int]] = []
        self._lock = threading.Lock()

    @property
    def redact(self) -> frozenset[str]:
        return self._redact

    @redact.setter
    def redact(self, names: Iterable[str]) -> None:
        """From now on; rows that wait to be shown are forgotten."""
        found = frozenset(names)
        if found == self._redact:
            return
        with self._lock:
            self._redact = found
            for version in self._versions.values():
                version.hide(found)

    def asked(self, number: int, asked: Asked) -> None:
        """How requests of a version went."""
        with self._lock:
            version = self._version(number)
            version.asked(asked)
            for client, count in asked.clients.items():
                self._refusals.asked(client, count)

    def rows(self, number: int, rows: Rows, profile: Profile | None) -> None:
        """What a version was asked, and what it answered.

        Answers are all looked at. Of what was asked, a sample is held against the reference: all
        rows up to about a thousand a second.

        Args:
            profile: The reference; without one only answers are looked at.
        """
        with self._lock:
            self._version(number).rows(rows, profile)

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
        found = self._versions.pop(number, None) or _Version(number, self._redact)
        self._versions[number] = found  # the newest is the last
        if len(self._versions) > _VERSIONS:
            del self._versions[next(iter(self._versions))]
        return found
