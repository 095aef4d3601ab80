"""How the server is: health, readiness, version, metrics, and the document of the API."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from starlette.responses import Response

from modelyard.core.exposition import OPENMETRICS, TEXT, as_openmetrics, wants_open
from modelyard.errors import Unavailable
from modelyard.server.routing import PUBLIC, Routes, on_yard
from modelyard.server.served_metrics import all_metrics
from modelyard.server.serving import serving_of
from modelyard.server.state import Ask

__all__ = ["API", "VERSION", "Health", "Version", "routes", "version_routes"]

VERSION = version("modelyard")
API = 1
"""Number of the API; it changes only when old clients can't go on."""

routes = Routes("status", prefix="")
version_routes = Routes("status")


@dataclass(frozen=True, slots=True)
class Health:
    """Whether this process takes requests."""

    status: str


@dataclass(frozen=True, slots=True)
class Version:
    """What a client must know before it signs in."""

    name: str
    version: str
    api: int
    accounts: bool
    """Whether callers must say who they are."""


@routes.get("/health", needs=PUBLIC, answers=Health)
def health(ask: Ask) -> Health:
    """Whether this process takes requests: 503 before it has started and while it stops."""
    return _health(ask)


def _health(ask: Ask) -> Health:
    server = ask.server
    if not server.ready or server.stopping.is_set():
        raise Unavailable("not-ready", "the server starts or stops", hint="ask another one")
    return Health("ok")


@routes.get("/ready", needs=on_yard("reader"), answers=Health)
def ready(ask: Ask) -> Health:
    """Whether catalog and store answer too."""
    with ask.server.house.catalog.fresh() as connection:
        ask.server.house.catalog.now(connection)
    ask.server.house.backend.stat("yard")
    return _health(ask)


@routes.get("/metrics", needs=on_yard("reader"), hidden=True)
def metrics(ask: Ask) -> Response:
    """Metrics for Prometheus: of the control plane, of what is served, of what monitoring says.

    OpenMetrics, with traces as exemplars, if the request accepts it; else text.
    """
    server, serving = ask.server, serving_of(ask.server)
    server.metrics.jobs.set(server.jobs.active)
    text = server.metrics.text().decode() + all_metrics(serving.metrics())
    if server.settings.monitoring:
        text += server.watched_metrics.text()
    if wants_open(ask.request.headers.get("accept", "")):
        exemplars = serving.plane.exemplars()
        return Response(as_openmetrics(text, exemplars), media_type=OPENMETRICS)
    return Response(text, media_type=TEXT)


@routes.get("/openapi.json", needs=PUBLIC, hidden=True)
def openapi_document(ask: Ask) -> Response:
    """The API as an OpenAPI 3.1 document."""
    app: Any = ask.request.app
    return Response(app.state.document(), media_type="application/json")


@version_routes.get("/version", needs=PUBLIC, answers=Version)
def show_version(ask: Ask) -> Version:
    """What the server is, and whether it wants to know who asks."""
    return Version("modelyard", VERSION, API, ask.server.settings.accounts)
