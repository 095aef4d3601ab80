"""What people are told of: alerts of all deployments, silences, and what was out of the way."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from modelyard.core.monitoring import Anomaly, Silence
from modelyard.errors import NotFound
from modelyard.server.routing import SIGNED_IN, on_yard
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.deployed import may_change
from modelyard.server.web.here import Undo, language_of
from modelyard.server.web.places import back_or
from modelyard.server.web.twins import Pages
from modelyard.server.web.watched import AlertLine, alert_lines, monitoring_of
from modelyard.server.web.wishes import seconds

__all__ = ["AlertsPage", "AnomaliesPage", "acts", "pages"]

pages = Pages("alerts")
acts = Acts("alerts")

_ROWS = 40
_FIRING = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsPage:
    """Alerts that the caller may see."""

    firing: tuple[AlertLine, ...]
    """Now; the newest first."""
    over: tuple[AlertLine, ...]
    """Those that fired before; the newest first."""
    silences: tuple[Silence, ...]
    """Those that hold now."""
    deployment: str
    """Only of this one; empty: of all."""
    before: int | None
    """Only those with an id below this one."""
    next: int | None
    """Where older ones go on."""
    changes: tuple[str, ...]
    """Deployments that the caller may change, among those that are named here."""


@dataclass(frozen=True, slots=True)
class AnomaliesPage:
    """What was out of the way at deployments that the caller may see."""

    items: tuple[Anomaly, ...]
    """Newest first."""
    deployment: str
    """Only of this one; empty: of all."""
    next: int | None
    """Where older ones go on."""


@pages.page("/alerts", "alerts.html", needs=on_yard("none"))
def list_alerts(ask: Ask, *, of: str = "", before: int | None = None) -> AlertsPage:
    """The inbox."""
    monitoring, name = monitoring_of(ask), of or None
    firing = () if before else tuple(islice(monitoring.alerts(name, firing=True), _FIRING))
    every = monitoring.alerts(name, before=before)
    found = list(islice((one for one in every if one.state != "firing"), _ROWS + 1))
    silences = tuple(
        one for one in monitoring.silences() if not of or one.deployment in ("", of)
    )  # fmt: skip
    named = {one.deployment for one in firing} | {one.deployment for one in silences} | {of}
    return AlertsPage(
        firing=alert_lines(firing), over=alert_lines(found[:_ROWS]),
        silences=() if before else silences,
        deployment=of, before=before, next=found[_ROWS - 1].id if len(found) > _ROWS else None,
        changes=tuple(sorted(name for name in named if name and _may_change(ask, name))),
    )  # fmt: skip


@pages.page("/anomalies", "anomalies.html", needs=on_yard("none"))
def list_anomalies(ask: Ask, *, of: str = "", before: int | None = None) -> AnomaliesPage:
    """What was out of the way."""
    every = monitoring_of(ask).anomalies(of or None, before=before)
    found = tuple(islice(every, _ROWS + 1))
    more = found[_ROWS - 1].id if len(found) > _ROWS else None
    return AnomaliesPage(found[:_ROWS], of, more)


@acts.act("/silence/{name}", needs=SIGNED_IN)
def silence(ask: Ask, form: Form, name: str) -> Done:
    """Tell nobody of a rule's alerts for a while."""
    span = seconds(form.one("span") or "1h")
    made = monitoring_of(ask).silence(
        name, form.one("rule"), seconds=span, reason=form.one("reason")[:500]
    )
    say = language_of(ask.request).say
    what = made.rule or say("all rules")
    text = say("Nobody is told of %(rule)s of %(name)s for a while.", rule=what, name=name)
    return Done(back_or(form, "/alerts"), text, Undo(f"/do/unsilence/{made.id}", {}))


@acts.act("/unsilence/{number}", needs=SIGNED_IN)
def unsilence(ask: Ask, form: Form, number: int) -> Done:
    """End a silence."""
    monitoring_of(ask).unsilence(number)
    text = language_of(ask.request).say("People are told again.")
    return Done(back_or(form, "/alerts"), text)


def _may_change(ask: Ask, name: str) -> bool:
    try:
        return may_change(ask.caller, ask.yard.deployments.get(name).spec)
    except NotFound:  # it is served no more
        return False
