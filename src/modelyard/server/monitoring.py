"""Monitoring in a server process: it hears of every request, and says what it means.

Three kinds of work, none of them in the thread that answers requests: *taking* (four times a
second, in the recorder's thread: requests become rows, rows are folded into tiles), *writing*
(tiles, answers and events go to the catalog every few seconds), and *judging* (fast rules twice a
second; slow ones, drift and quality, every half minute by one of several servers).
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from modelyard.errors import ModelyardError
from modelyard.monitoring.extracting import One
from modelyard.monitoring.judging import Judge
from modelyard.monitoring.live import Live
from modelyard.monitoring.taking import Taken, Takings
from modelyard.monitoring.upkeep import Upkeep
from modelyard.server.serving import serving_of
from modelyard.server.state import Server
from modelyard.server.telling import wake

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.serving.plane import Plane
    from modelyard.serving.records import Record

__all__ = ["Watch", "watch"]

_log = logging.getLogger("modelyard.server")
_FAST: Final = 0.5
_WRITE: Final = 5.0
_SLOW: Final = 30.0
_UPKEEP: Final = 300.0


def watch(server: Server) -> None:
    """Let a process's deployments be watched from when it starts."""
    serving = serving_of(server)
    server.parts["monitoring"] = Watch(server, serving.plane, serving.name)


class Watch:
    """A part of the server: starts after the data plane, and stops before it."""

    def __init__(self, server: Server, plane: Plane, name: str) -> None:
        """
        Args:
            name: Of this process, as deployments know it.
        """
        self._server = server
        self._plane = plane
        self.live = Live()
        self.takings = Takings(server.house, name, self.live)
        self._judge = Judge(server.house, name, self.live, lambda: wake(server))
        self._upkeep = Upkeep(server.house, name)
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._colds: dict[tuple[str, str, str], int] = {}
        self._dropped = 0

    def start(self) -> None:
        counted = self.takings.counted
        serving_of(self._server).tellers.append(lambda: counted.text(list(self._plane.lines)))
        self._plane.recorder.listen(self.take)
        self._plane.recorder.listen_refused(self.takings.refused)
        for name, seconds, work in (
            ("monitoring-fast", _FAST, self._fast), ("monitoring-slow", _SLOW, self._slow),
        ):  # fmt: skip
            thread = threading.Thread(
                target=self._repeat, args=(seconds, work), name=name, daemon=True
            )
            thread.start()
            self._threads.append(thread)
        self._written = self._kept = time.monotonic()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=10)
        self._plane.recorder.drain()
        self._try(self.takings.write)

    def take(self, records: Sequence[Record]) -> None:
        """Called with all requests of a quarter of a second, in the recorder's thread."""
        groups: dict[tuple[str, str, str, bool], Taken] = {}
        before: tuple[object, ...] = ()
        for record in records:
            if record.model is None or record.version is None:
                continue
            of = (record.line, record.model, record.version, record.shadow)
            if of != before:  # mostly it is as the one before
                before, taken = of, self._taken(groups, record)
            timing, error, client = record.timing, record.error, record.client
            taken.timed.append((
                timing.begun, record.decoded, timing.queued, timing.computed, record.ended,
                timing.batch, timing.rows, error, client,
            ))  # fmt: skip
            if error is None:
                feeds, outputs = record.feeds, record.outputs
                rows, step = timing.rows, record.step
                if feeds is None or outputs is None:  # too large to be held on to
                    taken.dropped += rows
                else:
                    here = rows if step == 1 else -(-rows // step)
                    taken.ones.append(One(feeds, outputs, here, record.request, client, step))
        dropped, self._dropped = (
            self._plane.recorder.dropped - self._dropped,
            self._plane.recorder.dropped,
        )
        for key, taken in groups.items():
            taken.cold = self._cold(key)
            taken.dropped += dropped
            dropped = 0
            try:  # one that can't be taken takes no other along
                self.takings.take(taken)
            except Exception:
                _log.exception("requests of %s could not be taken", taken.deployment)

    def _taken(self, groups: dict[tuple[str, str, str, bool], Taken], record: Record) -> Taken:
        """What takes the requests of its version."""
        assert record.model is not None
        assert record.version is not None
        key = (record.line.name, record.model, record.version, record.shadow)
        found = groups.get(key)
        if found is None:
            found = groups[key] = Taken(
                record.line.name, record.model, int(record.version), record.shadow,
                int(record.time + record.seconds), record.line.spec.redact, self._classes(record),
            )  # fmt: skip
            found.shows = record.line.spec.sample > 0
        return found

    def _classes(self, record: Record) -> tuple[str, ...] | None:
        slot = record.line.slot(record.version or "")
        served = None if slot is None else slot.served
        if served is None or served.classes is None:
            return None
        return tuple(str(each) for each in served.classes)

    def _cold(self, key: tuple[str, str, str, bool]) -> int:
        """Cold starts since it was asked last."""
        deployment, model, version, shadow = key
        if shadow:
            return 0
        now = self._plane.statistics.of(deployment, model, version).cold
        before = self._colds.get((deployment, model, version), 0)
        self._colds[deployment, model, version] = now
        return max(now - before, 0)

    # -- what is repeated ------------------------------------------------------------------------

    def _repeat(self, seconds: float, work: Callable[[], None]) -> None:
        while not self._over.wait(seconds):
            self._try(work)

    def _fast(self) -> None:
        now = time.time()
        self._judge.fast(now)
        for deployment, found in self.takings.anomalies(now):
            self.takings.counted.anomalies(self._judge.note(deployment, found))
        if time.monotonic() - self._written >= _WRITE:
            self._written = time.monotonic()
            self.takings.keep_only(set(self._plane.lines))
            self.takings.write()

    def _slow(self) -> None:
        self._judge.slow(time.time())
        if time.monotonic() - self._kept >= _UPKEEP:
            self._kept = time.monotonic()
            self._upkeep.run(time.time())

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except ModelyardError as error:  # the catalog is away: the next time takes these too
            _log.warning("monitoring: %s", error)
        except Exception:
            _log.exception("monitoring")
