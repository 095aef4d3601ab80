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
_PART: Final = 0.1
"""Of a core's time that looking may take."""
_OFTEN: Final = 30.0
"""Seconds: what costs less than that in this time is looked at whenever it is asked."""
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
        """Of deployments: from when on to look again, and what was seen last."""

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
        known, self._known = self._known, {}
        for name in names:
            with self._failing.trying(name):
                again, facts = known.get(name, (now, []))
                self._known[name] = (
                    (again, facts) if now < again else self._looked(name, now, len(names))
                )
        told = [fact for _, facts in self._known.values() for fact in facts]
        self._evaluator.tick(now, told, fast=False)

    def _looked(self, name: str, now: float, count: int) -> tuple[float, list[Fact]]:
        """Facts of one of so many deployments, and from when on to look again."""
        spent = time.thread_time()
        since = datetime.fromtimestamp(now - _WINDOW, UTC)
        facts = facts_of_monitor(look(self._house, name, since=since, longer=_LONGER))
        wait = (time.thread_time() - spent) * count / _PART
        return now + (wait if wait > _OFTEN else 0.0), facts

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
