"""The ASGI application: routes, and around them what holds for every request."""

from __future__ import annotations

import functools
import gc
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.routing import Match

from modelyard.errors import InvalidInput, NotFound
from modelyard.server import login, status
from modelyard.server.api import ROUTES, transfer
from modelyard.server.document import document
from modelyard.server.door import Door
from modelyard.server.hooks import Deliverer
from modelyard.server.middleware import Front
from modelyard.server.monitoring import watch
from modelyard.server.optimizing import Optimizing
from modelyard.server.problems import answer_to
from modelyard.server.routing import RawPath, check
from modelyard.server.seals import Sealer
from modelyard.server.serving import Serving, serving_of
from modelyard.server.state import Server
from modelyard.server.telling import tell
from modelyard.server.web import pages, static_files
from modelyard.server.web.twins import Twins, problem_page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from modelyard.registry.local import LocalYard
    from modelyard.server.settings import Settings

__all__ = ["make_app"]


def make_app(yard: LocalYard, settings: Settings) -> Front:
    """The application of one server process; it does not close the yard."""
    app = FastAPI(
        title="modelyard", version=status.VERSION, openapi_url=None, docs_url=None, redoc_url=None,
        lifespan=_life, redirect_slashes=False,
    )  # fmt: skip
    app.state.server = Server(yard, settings)
    app.state.server.parts["seals"] = Sealer(app.state.server)
    app.state.server.parts["hooks"] = Deliverer(app.state.server)
    app.state.server.parts["serving"] = Serving(app.state.server)
    app.state.server.parts["optimizing"] = Optimizing(app.state.server)
    if settings.monitoring:
        watch(app.state.server)
        tell(app.state.server)
    if settings.otlp is not None:
        from modelyard.server.otlp import Tracing

        app.state.server.parts["otlp"] = Tracing(app.state.server, settings.otlp)
    app.state.document = functools.cache(lambda: document(app, endpoints))
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(HTTPException, _http_error)
    endpoints: list[Any] = []
    more: list[Any] = []
    if settings.oidc is not None:
        from modelyard.server import oidc

        app.state.server.parts["oidc"] = oidc.OidcPart(settings.oidc)
        more = [oidc.routes]
    served = (
        status.routes, status.version_routes, login.routes, *more, *ROUTES,
        static_files.routes, *pages.ROUTES,
    )  # fmt: skip
    for routes in served:
        check(routes.router.routes)
        endpoints += routes.router.routes
    # they are looked through in order: first what is asked the most
    for routes in sorted(served, key=lambda routes: routes is not transfer.routes):
        app.include_router(routes.router)
    app.state.endpoints = endpoints
    front = Front(RawPath(Twins(app, pages.ROUTES)), app.state.server)
    door = Door(app.state.server.parts["serving"].app, front.answer, settings)
    front.door, front.at_once = door, door.at_once
    return front


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    """Start the parts, and stop them in the reverse order once no request is left."""
    server: Server = app.state.server
    server.parts["jobs"] = server.jobs
    server.parts["answers"] = server.answers
    for part in list(server.parts.values()):
        part.start()
    await serving_of(server).listen()
    gc.freeze()  # what is loaded now stays: looking at all of it takes a request 40 ms now and then
    gc.enable()
    server.ready = True
    try:
        yield
    finally:
        server.ready = False
        server.stopping.set()
        for part in reversed(list(server.parts.values())):
            await run_in_threadpool(part.stop)


async def _bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    told = []
    for one in error.errors()[:3]:
        where = ".".join(str(part) for part in one["loc"] if part != "body")[:100]
        told.append(f"{where}: {one['msg']}" if where else str(one["msg"]))
    words = "; ".join(told)[:500] or "the request can't be used"
    if any(one["type"] == "json_invalid" for one in error.errors()[:3]):
        problem = InvalidInput("unreadable-body", words)
    else:
        problem = InvalidInput("invalid-request", words)
    if _wants_page(request):
        return await run_in_threadpool(problem_page, request, problem)
    return answer_to(problem, request.scope.get("request_id"))


def _wants_page(request: Request) -> bool:
    """Whether somebody sits in front of a browser."""
    return "text/html" in request.headers.get("accept", "")


def _methods(request: Request) -> str:
    """What a path takes: Starlette names the methods of the first route that it finds alone."""
    found = {
        method
        for route in request.app.state.endpoints
        if route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
    return ", ".join(sorted(found))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    number = request.scope.get("request_id")
    if error.status_code == 404:
        unknown = NotFound(
            "no-route", "there is no such path here",
            hint="a yard's URL ends where its paths begin: without /login, /api or a model",
        )  # fmt: skip
        if _wants_page(request):
            return await run_in_threadpool(problem_page, request, unknown)
        return answer_to(unknown, number)
    if error.status_code == 405:
        allowed = _methods(request)
        refused = InvalidInput("wrong-method", f"this path takes {allowed}")
        if _wants_page(request):
            answer = await run_in_threadpool(problem_page, request, refused)
        else:
            answer = answer_to(refused, number)
        answer.headers["allow"] = allowed
        return answer
    refused = InvalidInput("bad-request", str(error.detail)[:200])
    return answer_to(refused, number, error.status_code)
