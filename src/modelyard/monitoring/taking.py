"""What a server process takes of its requests: into tiles of this minute, and out to the catalog.

A version without a reference has its first rows kept until they are enough to be one. Whatever
monitoring can't take is counted, and never holds anybody up.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from modelyard.errors import ModelyardError, NotFound
from modelyard.monitoring.anomalies.evidence import NO_ROWS
from modelyard.monitoring.anomalies.watchman import Watchman
from modelyard.monitoring.export.counted import Counted
from modelyard.monitoring.extracting import One, Timed, asked_of
from modelyard.monitoring.quality.joining import join_waiting
from modelyard.monitoring.watched_version import WatchedVersion
from modelyard.registry.watching import tiles
from modelyard.registry.watching.answers import keep_answers
from modelyard.registry.watching.seeing import watched

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.core.monitoring import Anomaly
    from modelyard.monitoring.live import Live
    from modelyard.registry.house import House
    from modelyard.registry.watching.seeing import Watched

__all__ = ["Taken", "Takings"]

_log = logging.getLogger("modelyard.monitoring")
_NAMES: Final = 10_000
_HOLD: Final = 0.9
"""Seconds that rows may be held: few at once cost as much to fold as many."""
_IDLE: Final = 600.0
"""Seconds after which a version that nobody asks is forgotten here."""
_AGAIN: Final = 5.0
"""Seconds until the catalog is asked again about a deployment, or a reference."""


class Taken:
    """Requests of one version, of less than a second."""

    __slots__ = (
        "classes", "cold", "deployment", "dropped", "model", "number", "ones", "redact", "second",
        "shadow", "shows", "timed",
    )  # fmt: skip

    def __init__(
        self, deployment: str, model: str, number: int, shadow: bool, second: int,
        redact: Sequence[str], classes: tuple[str, ...] | None,
    ) -> None:  # fmt: skip
        """
        Args:
            second: Since 1970.
            redact: Inputs whose values are kept nowhere.
            classes: What the model calls its classes, if it knows.
        """
        self.deployment = deployment
        self.model = model
        self.number = number
        self.shadow = shadow
        self.second = second
        self.redact = tuple(redact)
        self.classes = classes
        self.shows = True
        """Whether rows may show what was found: not if the log of requests keeps none."""
        self.cold = 0
        self.dropped = 0
        """Rows whose tensors are not here."""
        self.timed: list[Timed] = []
        """All requests."""
        self.ones: list[One] = []
        """Those that were answered, and whose tensors are here."""


class Takings:
    """Of all deployments of one process. Any thread may call it."""

    def __init__(self, house: House, server: str, live: Live) -> None:
        self._house = house
        self._server = server
        self._live = live
        self.counted = Counted()
        """What was found, as counters for Prometheus."""
        self._lock = threading.RLock()
        self._versions: dict[tuple[str, str, int], WatchedVersion] = {}
        self._watchmen: dict[str, Watchman] = {}
        self._seen: dict[str, tuple[float, Watched | None]] = {}

    def take(self, taken: Taken) -> None:
        """Fold these requests into the tiles of their minute."""
        asked = asked_of(taken.timed, taken.second, taken.cold)
        self._live.add(
            taken.deployment, taken.model, taken.number, asked, shadow=taken.shadow
        )  # fmt: skip
        with self._lock:
            version = self._of(taken)
            if version is None:
                return
            hidden = taken.redact if taken.shows else (*taken.redact, NO_ROWS)
            watchman = self._watchman(taken.deployment, hidden)
            version.asked(asked, taken.dropped)
            if not taken.shadow:
                watchman.asked(taken.number, asked)
            try:
                version.hold(taken.ones, taken.second, shadow=taken.shadow)
                if version.is_full:
                    self._fold(version)
            except Exception:
                version.missed(sum(one.rows for one in taken.ones))
                _log.exception("rows of %s could not be taken", taken.deployment)

    def _fold(self, version: WatchedVersion) -> None:
        """Fold what a version holds; the watchman sees it too."""
        for rows, is_shadow in version.folded():
            if not is_shadow:
                self._watchman(version.at.name).rows(version.number, rows, version.profile)

    def _fold_due(self, seconds: float) -> None:
        for version in list(self._versions.values()):
            if version.is_due(seconds):
                try:
                    self._fold(version)
                except Exception:
                    _log.exception("rows of %s could not be taken", version.at.name)

    def refused(self, deployment: str, kind: str, client: str, size: int, count: int) -> None:
        """Requests that never got to a version, or were no good: whose they are, and why."""
        with self._lock:
            if deployment in self._watchmen or self._watched(deployment) is not None:
                self._watchman(deployment).refused(kind, client, size, count)

    def anomalies(self, now: float) -> Iterator[tuple[str, list[Anomaly]]]:
        """What was found since it was asked last, by deployment."""
        with self._lock:
            self._fold_due(_HOLD)
            found = [(name, watchman.tick(now)) for name, watchman in self._watchmen.items()]
        yield from ((name, each) for name, each in found if each)

    def write(self) -> None:
        """Write down what changed: tiles, references that were made, answers that wait."""
        with self._lock:
            self._fold_due(0.0)
            versions = list(self._versions.values())
        came = False
        for version in versions:
            try:
                came |= self._write(version)
            except ModelyardError:
                raise
            except Exception:  # one that can't be written takes no other along
                _log.exception("%s could not be written", version.at.name)
        if came:
            join_waiting(self._house)

    def _write(self, version: WatchedVersion) -> bool:
        """One version; gives whether there were answers. What can't be written now stays."""
        with self._lock:
            rows = version.tiles(self._server)
            self.counted.traffic(version.at.name, version.model, version.number, version.traffic)
            made, answers = version.made, version.taken_answers()
        try:
            tiles.keep(self._house, rows)
            if made is not None:
                version.keep_reference(self._house, made)
            keep_answers(self._house, version.at.id, version.model_id, version.number, answers)
        except ModelyardError:
            with self._lock:
                version.not_written(rows, answers)
            raise
        with self._lock:
            version.written(time.time())
            version.look_again(self._house)
        return bool(answers)

    def keep_only(self, names: set[str]) -> None:
        """Forget deployments that are not served here any more, once they are written down."""
        long_ago = time.monotonic() - _IDLE
        with self._lock:
            for key, version in list(self._versions.items()):
                gone = key[0] not in names
                if (gone or version.used < long_ago) and version.is_written:
                    del self._versions[key]
                if gone:
                    self._live.forget(key[0])
                    self.counted.forget(key[0])
            for name in [name for name in self._watchmen if name not in names]:
                del self._watchmen[name]

    def _of(self, taken: Taken) -> WatchedVersion | None:
        key = (taken.deployment, taken.model, taken.number)
        found = self._versions.get(key)
        if found is not None:
            found.redact(taken.redact)
            return found
        at = self._watched(taken.deployment)
        if at is None:
            return None
        found = WatchedVersion.of(
            self._house, at, taken.model, taken.number, taken.redact, taken.classes
        )
        if found is not None:
            self._versions[key] = found
        return found

    def _watched(self, name: str) -> Watched | None:
        now = time.monotonic()
        when, found = self._seen.get(name, (float("-inf"), None))
        if found is None and now - when > _AGAIN:
            try:
                found = watched(self._house, name)
            except NotFound:
                found = None
            except ModelyardError as error:
                _log.warning("monitoring: %s", error)
            if len(self._seen) > _NAMES:  # of names that anybody made up
                self._seen.clear()
            self._seen[name] = now, found
        return found

    def _watchman(self, name: str, redact: Sequence[str] | None = None) -> Watchman:
        """Args: `redact`: what it may not show, from now on; None: as before."""
        found = self._watchmen.get(name)
        if found is None:
            found = self._watchmen[name] = Watchman(name, redact or ())
        elif redact is not None:
            found.redact = redact
        return found
