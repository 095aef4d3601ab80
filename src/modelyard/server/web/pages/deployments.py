"""What is deployed: each name under which models are asked, with its traffic and how it does."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice

from modelyard.core.deployment import Deployment, ServedState
from modelyard.server.routing import on_yard
from modelyard.server.state import Ask
from modelyard.server.web.deployed import (
    Part,
    Totals,
    may_change,
    parts_of,
    seconds_left,
    totals_of,
)
from modelyard.server.web.twins import Pages
from modelyard.server.web.watched import monitoring_of

__all__ = ["pages"]

pages = Pages("deployments")

_ROWS = 50
_ALERTS = 1000


@dataclass(frozen=True, slots=True)
class DeploymentLine:
    """One deployment at a glance."""

    deployment: Deployment
    state: ServedState
    parts: tuple[Part, ...]
    """Its versions: the stable one first."""
    totals: Totals
    seconds_left: float | None
    """Until its rollout's next step."""
    alerts: int
    """Those that fire now."""


@dataclass(frozen=True, slots=True)
class DeploymentsPage:
    """Deployments of models that the caller may read."""

    items: tuple[DeploymentLine, ...]
    """By name."""
    next: str | None
    """Where the next page goes on."""
    model: str
    """Only those that serve this model; empty: all."""
    may_deploy: bool
    """Whether there may be a model that the caller can deploy."""


@pages.page("/deployments", "deployments.html", needs=on_yard("none"))
def list_deployments(ask: Ask, *, model: str = "", after: str = "") -> DeploymentsPage:
    """All deployments, or those of one model."""
    found = [
        one
        for one in ask.yard.deployments.list()
        if one.name > after and (not model or any(s.model == model for s in one.spec.shares))
    ]
    every = monitoring_of(ask).alerts(firing=True)
    firing = Counter(one.deployment for one in islice(every, _ALERTS))
    items = tuple(_line(one, firing[one.name]) for one in found[:_ROWS])
    more = items[-1].deployment.name if len(found) > _ROWS else None
    return DeploymentsPage(items, more, model, _may_deploy(ask, found))


def _line(deployment: Deployment, alerts: int) -> DeploymentLine:
    parts = parts_of(deployment)
    shown = tuple(part for part in parts if part.kind != "former")
    return DeploymentLine(
        deployment,
        deployment.state,
        shown,
        totals_of(parts),
        seconds_left(deployment.spec),
        alerts,
    )


def _may_deploy(ask: Ask, found: list[Deployment]) -> bool:
    """Writers of one model alone see the button on its pages."""
    return ask.caller.may("*", "writer") or any(may_change(ask.caller, one.spec) for one in found)
