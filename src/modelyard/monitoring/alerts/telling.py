"""Telling people of alerts: together what belongs together, once, and again if it lasts.

What is news (an alert that fires and was not told yet, or not for hours, or is over since) is in
the catalog; one server at a time, by a lease, sends it. An alert counts as told when every channel
that takes it has it, or was given up; until then the next server begins anew, so that each notice
arrives at least once.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from modelyard.core.channels import SEVERITIES
from modelyard.errors import ModelyardError
from modelyard.monitoring.alerts.channels import send
from modelyard.monitoring.alerts.notices import Notice
from modelyard.registry.watching import alerts, channels, leases

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelyard.core.channels import Reach
    from modelyard.core.hooks import Tried
    from modelyard.monitoring.alerts.channels import Outside
    from modelyard.registry.house import House
    from modelyard.registry.watching.alerts import Firing

__all__ = ["Teller"]

_log = logging.getLogger("modelyard.monitoring")

LOOK: Final = 0.5
TOGETHER: Final = 30.0
"""Seconds after a notice in which a channel hears no more of a deployment, but of what is worse."""
REPEAT: Final = 4 * 3600.0
"""Seconds after which what still fires is told again."""
NEWS: Final = 86_400.0
"""Seconds for which that something is over is worth telling."""
WAITS: Final = (1.0, 5.0, 15.0, 60.0, 120.0, 300.0)
"""Seconds until the next try; the last holds for all that follow."""
GIVE_UP: Final = 3600.0
_LEASE: Final = 15.0
_AT_ONCE: Final = 8

_Told = tuple[int, str, str]
"""An alert, its state, a channel."""
_Way = tuple[str, str]
"""A channel and a deployment."""


class Teller:
    """The part of a server that tells people."""

    def __init__(
        self, house: House, outside: Outside, server: str, *, base: str = "",
        repeat: float = REPEAT, together: float = TOGETHER,
    ) -> None:  # fmt: skip
        """
        Args:
            server: The name of this process.
            base: The server's address as people see it, for links.
        """
        self._house = house
        self._outside = outside
        self._server = server
        self._base = base.rstrip("/")
        self._repeat = repeat
        self._together = together
        self._lock = threading.Lock()
        self._told: set[_Told] = set()
        self._last: dict[_Way, tuple[float, int]] = {}
        """When a channel heard of a deployment last, and how bad it was."""
        self._failed: dict[_Way, tuple[int, float, float]] = {}
        """Tries, when the first failed, when the next one is due."""
        self._busy: set[_Way] = set()
        self._pool = ThreadPoolExecutor(_AT_ONCE, "alerts")
        self._over = threading.Event()
        self._news = threading.Event()
        self._thread: threading.Thread | None = None
        self._kept = time.monotonic()

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """What is being sent is sent to its end; all else waits for the next server."""
        self._over.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown()

    def wake(self) -> None:
        """There is news: look at once."""
        self._news.set()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self.look(time.time())
            except ModelyardError as error:  # the catalog is away
                _log.warning("alerts wait: %s", error)
            except Exception:
                _log.exception("alerts wait")
            self._news.wait(LOOK)
            self._news.clear()

    def look(self, now: float) -> int:
        """Begin to send what is due; gives how many notices were begun.

        Args:
            now: Seconds since 1970.
        """
        self._forget(now)
        due = alerts.due(self._house, now, repeat=self._repeat, ago=NEWS)
        if not due or not leases.take(self._house, "telling", self._server, _LEASE):
            return 0
        reaches = channels.reaches(self._house)
        settled: list[int] = []
        news: dict[_Way, list[Firing]] = defaultdict(list)
        with self._lock:
            for found in due:
                if found.alert.silenced:
                    continue
                waiting = self._waiting(found, reaches)
                for reach in waiting:
                    news[reach.name, found.alert.deployment].append(found)
                if not waiting:
                    settled.append(found.alert.id)
            self._told -= {told for told in self._told if told[0] in set(settled)}
            ready = {way: new for way, new in news.items() if self._is_ready(way, new, now)}
            self._busy.update(ready)
        alerts.mark_told(self._house, settled, now)
        of = {reach.name: reach for reach in reaches}
        for way, new in ready.items():
            self._pool.submit(self._send, of[way[0]], way, new, now)
        return len(ready)

    def _waiting(self, found: Firing, reaches: Iterable[Reach]) -> list[Reach]:
        """Channels that are yet to hear of it."""
        alert = found.alert
        if alert.source != "yard":  # whoever sent it tells people
            return []
        takers = [r for r in reaches if r.takes(alert.deployment, alert.severity)]
        if alert.state == "resolved" and not found.told:
            # it was over before it was told: only who heard of it wants to know
            takers = [r for r in takers if (alert.id, "firing", r.name) in self._told]
        return [r for r in takers if (alert.id, alert.state, r.name) not in self._told]

    def _is_ready(self, way: _Way, found: list[Firing], now: float) -> bool:
        if way in self._busy:
            return False
        failed = self._failed.get(way)
        if failed is not None:
            return now >= failed[2]
        last = self._last.get(way)
        return last is None or now - last[0] >= self._together or _badness(found) > last[1]

    def _send(self, reach: Reach, way: _Way, found: list[Firing], now: float) -> None:
        try:
            tried = send(reach, self._notice(way[1], found), self._outside)
            self._note(way, found, tried, now)
        except Exception:
            _log.exception("channel %s", reach.name)
            self._note(way, found, None, now)
        finally:
            with self._lock:
                self._busy.discard(way)
            self._news.set()

    def _notice(self, deployment: str, found: list[Firing]) -> Notice:
        told = tuple(each.alert for each in found)
        names = ",".join(f"{each.alert.id} {each.alert.state} {each.told}" for each in found)
        name = hashlib.sha256(names.encode()).hexdigest()[:24]  # another one when it is repeated
        return Notice(f"alerts-{name}", deployment, told, self._base)

    def _note(self, way: _Way, found: list[Firing], tried: Tried | None, now: float) -> None:
        with self._lock:
            if tried is not None and tried.is_good:
                self._failed.pop(way, None)
                self._last[way] = (now, max(_badness(found), self._recent(way, now)))
            else:
                tries, first, _ = self._failed.get(way, (0, now, now))
                why = "it can't be told" if tried is None else tried.error
                _log.warning("channel %s: %s", way[0], why)
                if now - first < GIVE_UP:
                    wait = WAITS[min(tries, len(WAITS) - 1)]
                    self._failed[way] = (tries + 1, first, now + wait)
                    return
                _log.warning("channel %s is given up for now: %d alerts", way[0], len(found))
                self._failed.pop(way, None)
            self._told.update((each.alert.id, each.alert.state, way[0]) for each in found)

    def _recent(self, way: _Way, now: float) -> int:
        last = self._last.get(way)
        return last[1] if last is not None and now - last[0] < self._together else -1

    def _forget(self, now: float) -> None:
        with self._lock:
            for way in [w for w, last in self._last.items() if now - last[0] > self._together]:
                del self._last[way]
        if time.monotonic() - self._kept > 3600:
            self._kept = time.monotonic()
            alerts.forget(self._house, now)


def _badness(found: Iterable[Firing]) -> int:
    """That something is over is the least that one can hear."""
    alerts = (each.alert for each in found)
    return max(SEVERITIES.index(a.severity) if a.state == "firing" else -1 for a in alerts)
