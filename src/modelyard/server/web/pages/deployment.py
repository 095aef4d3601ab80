"""One deployment: its traffic, its versions, how they do, and every change of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from modelyard.core.deployment import Deployment, DeploymentChange, ServedState
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
from modelyard.server.web.snippets import Uses, uses
from modelyard.server.web.twins import Pages

__all__ = ["ChangeLine", "DeploymentPage", "page_of", "pages"]

pages = Pages("deployment")

_CHANGES = 15
_REQUESTS = 10


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
    may_change: bool
    """Whether the caller may change it."""


@pages.page("/deployments/{name}", "deployment.html", needs=on_yard("none"))
def show_deployment(ask: Ask, name: str, *, before: int | None = None) -> DeploymentPage:
    """One deployment."""
    return page_of(ask, name, before=before)


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
    changes, more = _changes(ask, deployment, before)
    example = example_of(ask, deployment)
    inputs = protocol_example(ask, deployment)
    return DeploymentPage(
        deployment=deployment, state=deployment.state, parts=parts, totals=totals_of(parts),
        seconds_left=seconds_left(deployment.spec), changes=changes, next=more,
        use=uses(ask.base, name, example, inputs), example=example,
        requests=last_requests(ask, deployment, _REQUESTS), reply=reply,
        may_change=may_change(ask.caller, deployment.spec),
    )  # fmt: skip


def _changes(
    ask: Ask, deployment: Deployment, before: int | None
) -> tuple[tuple[ChangeLine, ...], int | None]:
    every = ask.yard.deployments.changes(deployment.name, before=before)
    found = list(islice(every, _CHANGES + 1))
    lines = tuple(
        ChangeLine(one, differences(one, was), one.generation == deployment.generation)
        for one, was in zip(found, [*found[1:], None], strict=True)
    )[:_CHANGES]
    return lines, lines[-1].change.generation if len(found) > _CHANGES else None
