"""How a deployment does: its speed, its quality, its data, who is told; in a window of time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Annotated

from fastapi import Query

from modelyard.core.deployment import DeploymentSpec
from modelyard.core.monitoring import Alert, Anomaly, ProfileInfo
from modelyard.server.routing import on_yard
from modelyard.server.state import Ask
from modelyard.server.web.deployed import may_change
from modelyard.server.web.twins import Pages
from modelyard.server.web.watched import (
    SERIES,
    AlertLine,
    Chart,
    Feature,
    Happened,
    Quality,
    Step,
    Watched,
    Window,
    alert_lines,
    charts_of,
    chosen,
    features_of,
    happened,
    monitoring_of,
    qualities_of,
    steps_of,
    versions_of,
    window_of,
)

__all__ = ["MonitoringPage", "pages"]

pages = Pages("monitoring")

_FEATURES = 12
_ANOMALIES, _ALERTS = 20, 20
_STEPS = 120

Time = Annotated[float | None, Query(allow_inf_nan=False)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringPage:
    """What the page shows."""

    deployment: str
    spec: DeploymentSpec
    verdict: str
    """`critical`, `warning`, `fine` or `quiet`."""
    window: Window
    by_version: bool
    """Whether the charts set versions against each other."""
    versions: tuple[Watched, ...]
    """The stable one first."""
    shown: Watched | None
    """The version whose data, quality and fairness are shown."""
    charts: tuple[Chart, ...]
    moments: tuple[Happened, ...]
    """Changes in the window, oldest first."""
    qualities: tuple[Quality, ...]
    features: tuple[Feature, ...]
    """Worst first; a page of them."""
    after: int
    """How many stand on pages before this one."""
    all_features: int
    drifted: int
    reference: ProfileInfo | None
    """What the shown version is compared with."""
    anomalies: tuple[Anomaly, ...]
    """In the window, newest first."""
    alerts: tuple[AlertLine, ...]
    """Those that fire, and those that fired in the window."""
    dropped: int
    """Rows that monitoring could not take."""
    may_change: bool
    """Whether the caller may silence alerts and change rules."""

    @property
    def requests(self) -> int:
        """All that came in the window."""
        return sum(one.seen.performance.requests for one in self.versions)

    @property
    def performance(self) -> tuple[Chart, ...]:
        """The charts that every deployment has."""
        return tuple(one for one in self.charts if one.name not in ("accuracy", "drift"))

    @property
    def measures(self) -> tuple[Quality, ...]:
        """Of all classes together, and those that only one class has."""
        several = {one.label for one in self.qualities if one.label is not None}
        names = [one.name for one in self.qualities if one.label is not None]
        return tuple(
            one for one in self.qualities
            if one.label is None or len(several) < 2 or names.count(one.name) < 2
        )  # fmt: skip

    @property
    def by_class(self) -> tuple[Quality, ...]:
        """The others, if there are several classes."""
        shown = self.measures
        return tuple(one for one in self.qualities if one not in shown)

    @property
    def steps(self) -> tuple[Step, ...]:
        """What those charts show, for a table."""
        return steps_of(self.performance)

    def chart(self, name: str) -> Chart | None:
        """One of the others, if something is known."""
        return next((one for one in self.charts if one.name == name), None)


@pages.page("/deployments/{name}/monitoring", "monitoring.html", needs=on_yard("none"))
def show_monitoring(
    ask: Ask,
    name: str,
    *,
    window: str = "1h",
    since: Time = None,
    until: Time = None,
    version: str = "",
    by: str = "",
    after: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> MonitoringPage:
    """A deployment in a window."""
    deployment = ask.yard.deployments.get(name)
    span = window_of(window, since, until)
    monitoring = monitoring_of(ask)
    monitor = monitoring.look(name, since=span.since, until=span.until)
    versions = versions_of(monitor, deployment.spec)
    shown = chosen(versions, version)
    by_version = by == "version" and len(versions) > 1
    wanted = [each for names in SERIES.values() for each in names]
    series = monitoring.series(name, wanted, since=span.since, until=span.until, steps=_STEPS)
    in_turn = sorted(versions, key=lambda one: one is not shown)
    every = features_of(shown.seen) if shown else ()
    changes = islice(ask.yard.deployments.changes(name), 200)
    return MonitoringPage(
        deployment=name, spec=deployment.spec, verdict=monitor.verdict, window=span,
        by_version=by_version, versions=versions, shown=shown,
        charts=charts_of(series, in_turn, by_version=by_version),
        moments=happened(changes, span),
        qualities=qualities_of(shown.seen) if shown else (),
        features=every[after : after + _FEATURES], after=after, all_features=len(every),
        drifted=sum(one.drift.drifted for one in every),
        reference=shown.seen.reference if shown else None,
        anomalies=monitor.anomalies[:_ANOMALIES],
        alerts=alert_lines(_worst(monitor.alerts)[:_ALERTS]),
        dropped=monitor.dropped, may_change=may_change(ask.caller, deployment.spec),
    )  # fmt: skip


def _worst(alerts: tuple[Alert, ...]) -> tuple[Alert, ...]:
    """What fires first, the worse before the less bad, then the newest."""
    order = {"critical": 0, "warning": 1, "info": 2}
    return tuple(
        sorted(
            alerts,
            key=lambda a: (
                a.state != "firing",
                a.silenced,
                order[a.severity],
                -a.since.timestamp(),
            ),
        )
    )
