"""Anomalies, alerts, the rules behind them, and silences."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from fastapi import Path, Query
from pydantic import Field

from modelyard.core.monitoring import Alert, Anomaly, RuleSet, Silence
from modelyard.server.api.deployments import Deployed
from modelyard.server.api.inputs import Body
from modelyard.server.api.monitoring import monitoring_of
from modelyard.server.routing import SIGNED_IN, Routes, on_yard
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("monitoring")

_LARGEST_ID = (1 << 62) - 1
Of = Annotated[
    str | None,
    Query(
        min_length=1, max_length=63, description="Only of this deployment.", examples=["fraud"]
    ),
]  # fmt: skip
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
Before = Annotated[
    int | None, Query(ge=0, le=_LARGEST_ID, description="Only with ids below this one.")
]


class RulesBody(Body):
    """Rules of a deployment."""

    text: Annotated[str, Field(min_length=1, max_length=200_000)] = Field(
        description="YAML; see the guide of alerts.",
        examples=["rules:\n  errors: {when: error_rate > 5%}\n"],
    )  # fmt: skip


class SilenceBody(Body):
    """Which alerts nobody is to be told of, and how long."""

    deployment: Annotated[str, Field(max_length=63)] = Field("", description="Empty: of all.")
    rule: Annotated[str, Field(max_length=200)] = Field("", description="Empty: all.")
    seconds: Annotated[float, Field(gt=0, le=366 * 86_400)] = 3600.0
    reason: Annotated[str, Field(max_length=1000)] = ""


@routes.get("/anomalies", needs=on_yard("none"), answers=list[Anomaly])
def list_anomalies(
    ask: Ask, *, deployment: Of = None, limit: Limit = 100, before: Before = None
) -> list[Anomaly]:
    """What was out of the way, newest first."""
    return list(islice(monitoring_of(ask).anomalies(deployment, before=before), limit))


@routes.get("/alerts", needs=on_yard("none"), answers=list[Alert])
def list_alerts(
    ask: Ask,
    *,
    deployment: Of = None,
    firing: Annotated[bool, Query(description="Only those that are not over.")] = False,
    limit: Limit = 100,
    before: Before = None,
) -> list[Alert]:
    """Alerts, newest first."""
    found = monitoring_of(ask).alerts(deployment, firing=firing, before=before)
    return list(islice(found, limit))


@routes.get("/deployments/{deployment}/rules", needs=on_yard("none"), answers=RuleSet)
def show_rules(ask: Ask, deployment: Deployed) -> RuleSet:
    """The rules that hold for a deployment, and where they come from."""
    return monitoring_of(ask).rules(deployment)


@routes.put("/deployments/{deployment}/rules", needs=SIGNED_IN, answers=RuleSet)
def set_rules(ask: Ask, deployment: Deployed, *, body: RulesBody) -> RuleSet:
    """Give a deployment rules of its own, in place of those of its version or of the yard."""
    return monitoring_of(ask).set_rules(deployment, body.text)


@routes.delete("/deployments/{deployment}/rules", needs=SIGNED_IN, answers=RuleSet)
def drop_rules(ask: Ask, deployment: Deployed) -> RuleSet:
    """What the version or else the yard says holds again."""
    return monitoring_of(ask).set_rules(deployment, None)


@routes.get("/silences", needs=on_yard("none"), answers=list[Silence])
def list_silences(ask: Ask) -> list[Silence]:
    """Silences that hold now."""
    return list(monitoring_of(ask).silences())


@routes.post("/silences", needs=SIGNED_IN, answers=Silence, status=201)
def add_silence(ask: Ask, *, body: SilenceBody) -> Silence:
    """Tell nobody of some alerts for a while; they are still seen here."""
    return monitoring_of(ask).silence(
        body.deployment, body.rule, seconds=body.seconds, reason=body.reason
    )


@routes.delete("/silences/{number}", needs=SIGNED_IN, status=204)
def end_silence(ask: Ask, number: Annotated[int, Path(ge=1, le=_LARGEST_ID)]) -> None:
    """End a silence before its time."""
    monitoring_of(ask).unsilence(number)
