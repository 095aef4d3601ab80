"""Who looks at what was taken, and fires: fast rules in each process, slow ones in one of them."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from modelyard.errors import NotFound
from modelyard.monitoring.alerts.evaluator import Evaluator
from modelyard.monitoring.alerts.signals import (
    facts_of_anomalies,
    facts_of_live,
    facts_of_monitor,
)
from modelyard.monitoring.failing import Failing
from modelyard.monitoring.looking import Longer, look
from modelyard.registry.deployments.reading import all_deployments
from modelyard.registry.watching import leases
from modelyard.registry.watching.events import keep_events
from modelyard.registry.watching.seeing import watched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.core.monitoring import Anomaly
    from modelyard.monitoring.alerts.signals import Fact
    from modelyard.monitoring.live import Live
    from modelyard.registry.house import House

__all__ = ["Judge"]

_log = logging.getLogger("modelyard.monitoring")
_ONGOING: Final = 100
"""Anomalies of a deployment that are remembered."""
_WINDOW: Final = 600.0
"""Seconds that slow rules look at; drift looks at the two windows before too."""
_HOUR: Final = 3600.0
_LONGER: Final = Longer(
    traffic=(_HOUR, 6 * _HOUR, 24 * _HOUR), truth=(_HOUR, 6 * _HOUR, 24 * _HOUR, 7 * 24 * _HOUR)
)
_MOST: Final = 3.0
"""Seconds of a core that looking may take each time; who was not looked at is the next time."""
_LEASE: Final = 90.0


class Judge:
    """Of one process."""

    def __init__(
        self, house: House, server: str, live: Live, changed: Callable[[], None] = lambda: None
    ) -> None:
        """`changed`: called after an alert fired or ended."""
        self._house = house
        self._server = server
        self._live = live
        self._evaluator = Evaluator(house, changed)
        self._ongoing: dict[str, dict[int, Anomaly]] = {}
        self._failing = Failing(_log, "judging")
        self._known: dict[str, tuple[float, list[Fact]]] = {}
        """When each deployment was looked at last, and what was seen."""

    def fast(self, now: float) -> None:
        """Errors, latency, overload, attacks of the last seconds, as this process saw them."""
        facts: list[Fact] = []
        names: dict[str, None] = {}
        for name, model, number in self._live.versions():
            names[name] = None
            of_last = partial(self._live.of_last, name, model, number, now)
            facts += facts_of_live(name, number, of_last)
        for name in {**names, **dict.fromkeys(self._ongoing)}:
            facts += facts_of_anomalies(name, self._ongoing.get(name, {}).values(), now)
        self._evaluator.tick(now, facts, fast=True)

    def slow(self, now: float) -> None:
        """Drift and quality of the last minutes, of all servers together."""
        if not leases.take(self._house, "monitoring", self._server, _LEASE):
            return
        names = [deployment.name for deployment in all_deployments(self._house)]
        known = {name: self._known.get(name, (0.0, [])) for name in names}
        since = datetime.fromtimestamp(now - _WINDOW, UTC)
        begun = time.thread_time()
        for name in sorted(names, key=lambda name: known[name][0]):
            known[name] = now, []
            with self._failing.trying(name):
                seen = look(self._house, name, since=since, longer=_LONGER)
                known[name] = now, facts_of_monitor(seen)
            if time.thread_time() - begun > _MOST:
                break
        self._known = known
        self._evaluator.tick(now, [fact for _, some in known.values() for fact in some], fast=False)

    def note(self, name: str, found: Sequence[Anomaly]) -> list[Anomaly]:
        """Keep anomalies that were found, or went on, just now; gives them as they are kept."""
        try:
            at = watched(self._house, name)
        except NotFound:
            return []
        ongoing = self._ongoing.setdefault(name, {})
        kept = keep_events(self._house, at.id, found)
        for anomaly in kept:
            ongoing.pop(anomaly.id, None)
            ongoing[anomaly.id] = anomaly  # the newest is the last
        while len(ongoing) > _ONGOING:
            del ongoing[next(iter(ongoing))]
        return kept
