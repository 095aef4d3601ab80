"""The ASGI application: routes, and around them what holds for every request."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from modelyard import __version__
from modelyard.errors import InvalidInput, NotFound
from modelyard.server.api import ROUTES
from modelyard.server.problems import answer_to
from modelyard.server.routing import RawPath, check
from modelyard.server.state import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from modelyard.registry.local import LocalYard
    from modelyard.server.settings import Settings

__all__ = ["make_app"]


def make_app(yard: LocalYard, settings: Settings) -> Any:
    """The application of one server process; it does not close the yard."""
    app = FastAPI(
        title="modelyard", version=__version__, openapi_url=None, docs_url=None, redoc_url=None,
        lifespan=_life,
    )  # fmt: skip
    app.state.server = Server(yard, settings)
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(HTTPException, _http_error)
    for routes in ROUTES:
        check(routes.router.routes)
        app.include_router(routes.router)
    return RawPath(app)


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    yield


async def _bad_request(request: Request, error: Exception) -> Response:
    return answer_to(InvalidInput("bad-request", str(error)), request.scope.get("request_id"))


async def _http_error(request: Request, error: Exception) -> Response:
    return answer_to(NotFound("no-route", str(error)), request.scope.get("request_id"))
