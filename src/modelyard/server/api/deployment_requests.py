"""The log of a deployment's requests, as far as this process answered them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query

from modelyard.server.api.deployments import Deployed
from modelyard.server.request_log import seen_by
from modelyard.server.routing import Routes, on_yard
from modelyard.server.serving import serving_of
from modelyard.server.state import Ask

__all__ = ["RequestsPage", "routes"]

routes = Routes("deployments")


@dataclass(frozen=True, slots=True)
class RequestsPage:
    """The last requests."""

    server: str
    """The process that answered them; others have their own."""
    requests: list[dict[str, Any]]
    """Newest first. Inputs and outputs only of those that are sampled, for who may change the
    deployment and the model that answered; nothing of models that the caller may not read."""


@routes.get("/deployments/{deployment}/requests", needs=on_yard("none"), answers=RequestsPage)
def last_requests(
    ask: Ask, deployment: Deployed, *, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> RequestsPage:
    """The last requests of a deployment, with what went wrong, from this process's memory."""
    spec = ask.yard.deployments.get(deployment).spec  # only who may see it
    serving = serving_of(ask.server)
    found = seen_by(ask.caller, spec, serving.plane.recorder.tail(deployment, limit))
    return RequestsPage(serving.name, found)
