"""One deployment: its traffic, its versions, how they do, and every change of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from modelyard.core.deployment import Deployment, DeploymentChange, ServedState
from modelyard.core.monitoring import Alert
from modelyard.errors import NotFound
from modelyard.server.routing import on_yard
from modelyard.server.state import Ask
from modelyard.server.web.asked import (
    Asked,
    Reply,
    example_of,
    last_requests,
    protocol_example,
)
from modelyard.server.web.deployed import (
    Difference,
    Part,
    Totals,
    differences,
    may_change,
    parts_of,
    seconds_left,
    totals_of,
)
from modelyard.server.web.places import page_at
from modelyard.server.web.snippets import Uses, uses
from modelyard.server.web.twins import Pages
from modelyard.server.web.watched import monitoring_of

__all__ = ["ChangeLine", "DeploymentPage", "page_of", "pages"]

pages = Pages("deployment")

_CHANGES = 15
_REQUESTS = 10
_ALERTS = 10


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One change, and what it changed."""

    change: DeploymentChange
    differences: tuple[Difference, ...]
    is_now: bool
    """Whether it is what is wished now."""


@dataclass(frozen=True, slots=True)
class DeploymentPage:
    """What the page of a deployment shows."""

    deployment: Deployment
    state: ServedState
    parts: tuple[Part, ...]
    """The stable version, canaries, shadows, and what is kept for going back."""
    totals: Totals
    seconds_left: float | None
    """Until the rollout's next step."""
    changes: tuple[ChangeLine, ...]
    """Newest first."""
    next: int | None
    """Where older changes go on."""
    use: Uses
    example: str
    """Body of a request with what the version was tried with; empty if nothing is known."""
    requests: tuple[Asked, ...]
    """The last ones that this server answered."""
    reply: Reply | None
    """What it answered to who tried it on this page."""
    alerts: tuple[Alert, ...]
    """Those that fire now."""
    may_change: bool
    """Whether the caller may change it."""


@dataclass(frozen=True, slots=True)
class UndeployedPage:
    """What is left of a deployment that is served no more: its history."""

    name: str
    changes: tuple[ChangeLine, ...]
    """Newest first."""
    next: int | None
    """Where older changes go on."""
    may_change: bool
    """Whether the caller may deploy it again."""


@pages.page("/deployments/{name}", "deployment.html", needs=on_yard("none"))
def show_deployment(
    ask: Ask, name: str, *, before: int | None = None
) -> DeploymentPage | Response:  # fmt: skip
    """One deployment; of one that was undeployed, the way to its history."""
    try:
        return page_of(ask, name, before=before)
    except NotFound:
        if next(iter(ask.yard.deployments.changes(name)), None) is None:
            raise
        return _sent_on(ask, f"/undeployed/{quote(name)}")


@pages.page("/undeployed/{name}", "undeployed.html", needs=on_yard("none"))
def show_undeployed(
    ask: Ask, name: str, *, before: int | None = None
) -> UndeployedPage | Response:  # fmt: skip
    """What is left of a deployment; of one that is served, the way to its page."""
    newest = next(iter(ask.yard.deployments.changes(name)), None)
    if newest is not None and newest.action != "undeploy":
        return _sent_on(ask, f"/deployments/{quote(name)}")
    changes, more = _changes(ask, name, 0, before)
    if not changes:
        raise NotFound("no-deployment", f"no deployment is named {name[:80]}")
    allowed = may_change(ask.caller, changes[0].change.spec)
    return UndeployedPage(name, changes, more, allowed)


def _sent_on(ask: Ask, path: str) -> Response:
    is_twin = ask.request.scope.get("twin")
    there = f"{path}.json" if is_twin else page_at(path)
    return RedirectResponse(f"{ask.server.settings.prefix}{there}", 303)


def page_of(
    ask: Ask, name: str, *, before: int | None = None, reply: Reply | None = None
) -> DeploymentPage:
    """All of it.

    Args:
        before: Only changes older than this generation.
        reply: What it answered just now to who tried it.
    """
    deployment = ask.yard.deployments.get(name)
    parts = parts_of(deployment)
    changes, more = _changes(ask, name, deployment.generation, before)
    example = example_of(ask, deployment)
    inputs = protocol_example(ask, deployment)
    return DeploymentPage(
        deployment=deployment, state=deployment.state, parts=parts, totals=totals_of(parts),
        seconds_left=seconds_left(deployment.spec), changes=changes, next=more,
        use=uses(ask.base, name, example, inputs), example=example,
        requests=last_requests(ask, deployment, _REQUESTS), reply=reply,
        alerts=tuple(islice(monitoring_of(ask).alerts(name, firing=True), _ALERTS)),
        may_change=may_change(ask.caller, deployment.spec),
    )  # fmt: skip


def _changes(
    ask: Ask, name: str, now: int, before: int | None
) -> tuple[tuple[ChangeLine, ...], int | None]:
    every = ask.yard.deployments.changes(name, before=before)
    found = list(islice(every, _CHANGES + 1))
    lines = tuple(
        ChangeLine(one, differences(one, was), one.generation == now)
        for one, was in zip(found, [*found[1:], None], strict=True)
    )[:_CHANGES]
    return lines, lines[-1].change.generation if len(found) > _CHANGES else None
