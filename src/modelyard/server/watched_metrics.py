"""What monitoring says, among the metrics: looked at beside requests, only while somebody asks."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from modelyard.monitoring.export.metrics import gauges
from modelyard.monitoring.failing import Failing
from modelyard.monitoring.looking import Longer, look
from modelyard.registry.deployments.reading import all_deployments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.monitoring import Monitor
    from modelyard.registry.house import House

__all__ = ["WatchedMetrics"]

_log = logging.getLogger("modelyard.server")
_OLD: Final = 10.0
"""Seconds after which what is told is looked at again."""
_PART: Final = 0.05
"""Of a core's time that looking may take: of a yard with many deployments it is done less often."""
_WINDOW: Final = 3600.0
_LONGER: Final = Longer(truth=(6 * 3600.0, 24 * 3600.0, 7 * 24 * 3600.0))
_DEPLOYMENTS: Final = 60
"""Deployments that are looked at; nothing is told of more."""
_FIRST: Final = 2.0
"""Seconds that whoever asks first waits."""


class WatchedMetrics:
    """Of one process."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._lock = threading.Lock()
        self._next = float("-inf")
        self._text = ""
        self._known = threading.Event()
        self._failing = Failing(_log, "metrics of")

    def text(self) -> str:
        """What was seen last; it is looked at anew in a thread of its own if that is old."""
        with self._lock:
            if time.monotonic() >= self._next:
                self._next = float("inf")
                threading.Thread(target=self._look, name="metrics-look", daemon=True).start()
        self._known.wait(_FIRST)
        return self._text

    def _look(self) -> None:
        begun, spent = time.monotonic(), time.thread_time()
        try:
            self._text = gauges(self._monitors())
        except Exception:
            _log.exception("metrics of monitoring")
        finally:
            took = time.thread_time() - spent
            self._next = max(begun + _OLD, time.monotonic() + took / _PART)
            self._known.set()

    def _monitors(self) -> Iterator[Monitor]:
        since = datetime.fromtimestamp(time.time() - _WINDOW, UTC)
        for deployment in all_deployments(self._house)[:_DEPLOYMENTS]:
            monitor: Monitor | None = None
            with self._failing.trying(deployment.name):
                monitor = look(self._house, deployment.name, since=since, longer=_LONGER)
            if monitor is not None:
                yield monitor
