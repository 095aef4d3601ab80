"""All deployments beside each other, worst first."""

from __future__ import annotations

import logging
import time
import weakref
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from modelyard.core.monitoring import Overview
from modelyard.monitoring.failing import Failing
from modelyard.monitoring.looking import look
from modelyard.monitoring.seeing_series import series
from modelyard.registry.deployments.reading import all_deployments

if TYPE_CHECKING:
    from modelyard.catalog.engine import Catalog
    from modelyard.core.deployment import Deployment
    from modelyard.core.monitoring import Monitor, Series
    from modelyard.registry.house import House

__all__ = ["fleet"]

_log = logging.getLogger("modelyard.monitoring")
_WINDOW: Final = 3600.0
_STEPS: Final = 30
_FRESH: Final = 3.0
"""Seconds for which an overview is not made again."""
_recents: weakref.WeakKeyDictionary[Catalog, dict[str, tuple[float, int, Overview | None]]] = (
    weakref.WeakKeyDictionary()
)
_failing: weakref.WeakKeyDictionary[Catalog, Failing] = weakref.WeakKeyDictionary()
_RANK: Final = {"critical": 0, "warning": 1, "fine": 2, "quiet": 3}


def fleet(house: House) -> tuple[Overview, ...]:
    """`Monitoring.fleet`: the last hour of each."""
    found = []
    failing = _failing.setdefault(house.catalog, Failing(_log, "overview of"))
    for deployment in all_deployments(house):
        with failing.trying(deployment.name):
            found.append(_recent(house, deployment))
    return tuple(sorted(found, key=_order))


def _recent(house: House, deployment: Deployment) -> Overview:
    """The same for all who look within some seconds: a page of a hundred asks all the time."""
    kept = _recents.setdefault(house.catalog, {})
    now = time.monotonic()
    when, generation, found = kept.get(deployment.name, (0.0, -1, None))
    if found is None or generation != deployment.generation or now - when > _FRESH:
        found = _overview(house, deployment)
        kept[deployment.name] = now, deployment.generation, found
    return found


def _order(one: Overview) -> tuple[float, ...]:
    return (_RANK[one.verdict], -one.alerts, -one.drifted, -one.error_rate, -one.rate)


def _overview(house: House, deployment: Deployment) -> Overview:
    now = time.time()
    since = datetime.fromtimestamp(now - _WINDOW, UTC)
    seen = look(house, deployment.name, since=since)
    wanted = ("requests", "error_rate", "latency_p99", "drift_score")
    told = series(house, deployment.name, wanted, since=since, steps=_STEPS)
    value, is_estimated = _accuracy(seen)
    live = [v for v in seen.versions if not v.shadow]
    requests = sum(v.performance.requests for v in live)
    errors = sum(v.performance.errors for v in live)
    slowest = [v.performance.p99 for v in live if v.performance.p99 is not None]
    return Overview(
        deployment=deployment.name,
        models=tuple(share.source for share in deployment.spec.shares if not share.shadow),
        verdict=seen.verdict, rate=sum(v.performance.rate for v in live),
        error_rate=errors / requests if requests else 0.0, p99=max(slowest, default=None),
        drifted=len({d.column for v in live for d in v.drift if d.drifted}),
        accuracy=value, accuracy_estimated=is_estimated,
        alerts=sum(alert.state == "firing" for alert in seen.alerts),
        anomalies=len(seen.anomalies),
        rates=tuple(v or 0.0 for v in _values(told, "requests")),
        errors=tuple(v or 0.0 for v in _values(told, "error_rate")),
        latencies=_values(told, "latency_p99"), drifts=_worst(told),
    )  # fmt: skip


def _accuracy(seen: Monitor) -> tuple[float | None, bool]:
    """Of the version that answers most: realized if there is truth, else estimated."""
    for version in seen.versions:
        for told, is_estimated in ((version.realized, False), (version.estimated, True)):
            for one in told:
                if one.name == "accuracy" and one.label is None and one.value is not None:
                    return one.value, is_estimated
        break
    return None, False


def _values(told: tuple[Series, ...], name: str) -> tuple[float | None, ...]:
    return next((one.values for one in told if one.name == name and one.number is None), ())


def _worst(told: tuple[Series, ...]) -> tuple[float | None, ...]:
    """Of all versions."""
    drifts = [one.values for one in told if one.name == "drift_score"]
    return tuple(
        max((v for v in column if v is not None), default=None)
        for column in zip(*drifts, strict=True)
    )
