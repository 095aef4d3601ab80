"""Who looks at what was taken, and fires: fast rules in each process, slow ones in one of them."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from modelyard.errors import ModelyardError, NotFound
from modelyard.monitoring.alerts.evaluator import Evaluator
from modelyard.monitoring.alerts.signals import (
    Fact,
    facts_of_anomaly,
    facts_of_monitor,
    facts_of_performance,
)
from modelyard.monitoring.looking import look
from modelyard.registry.deployments.reading import all_deployments
from modelyard.registry.watching import leases
from modelyard.registry.watching.events import keep_events
from modelyard.registry.watching.seeing import watched

if TYPE_CHECKING:
    from modelyard.core.monitoring import Anomaly
    from modelyard.monitoring.live import Live
    from modelyard.registry.house import House

__all__ = ["Judge"]

_log = logging.getLogger("modelyard.monitoring")
_RECENT: Final = 10
"""Seconds that fast rules look at."""
_WINDOW: Final = 600.0
"""Seconds that slow rules look at; drift looks at the two windows before too."""
_LEASE: Final = 90.0


class Judge:
    """Of one process."""

    def __init__(self, house: House, server: str, live: Live) -> None:
        self._house = house
        self._server = server
        self._live = live
        self._evaluator = Evaluator(house)

    def fast(self, now: float) -> None:
        """Errors, latency, overload of the last seconds, as this process saw them."""
        facts: list[Fact] = []
        for (name, number), performance in self._live.performance(now, _RECENT).items():
            facts += facts_of_performance(name, number, performance)
        self._evaluator.tick(now, facts, fast=True)

    def slow(self, now: float) -> None:
        """Drift and quality of the last minutes, of all servers together."""
        if not leases.take(self._house, "monitoring", self._server, _LEASE):
            return
        facts: list[Fact] = []
        since = datetime.fromtimestamp(now - _WINDOW, UTC)
        for deployment in all_deployments(self._house):
            try:
                facts += facts_of_monitor(look(self._house, deployment.name, since=since))
            except NotFound:
                continue
            except ModelyardError as error:
                _log.warning("%s can't be judged: %s", deployment.name, error)
        self._evaluator.tick(now, facts, fast=False)

    def note(self, name: str, found: list[Anomaly]) -> None:
        """Anomalies that were found just now."""
        try:
            at = watched(self._house, name)
        except NotFound:
            return
        kept = keep_events(self._house, at.id, found)
        facts = [fact for anomaly in kept for fact in facts_of_anomaly(anomaly)]
        self._evaluator.tick(max(a.time for a in kept).timestamp(), facts, fast=True)
