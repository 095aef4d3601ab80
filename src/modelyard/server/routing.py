"""Routes that say what they need. One that does not can't be written, and is not served.

A path holds models, revisions and files as one segment each, in which `/` is `%2F`; `RawPath`
keeps it so while the route is looked for.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from modelyard.core.access import Role
from modelyard.core.wire import encode
from modelyard.errors import InvalidInput, ModelyardError
from modelyard.server.auth import let_in
from modelyard.server.intake import Bounds
from modelyard.server.problems import PROBLEMS, answer_to
from modelyard.server.repeats import repeated

__all__ = [
    "PUBLIC", "SIGNED_IN", "STRUCTS", "Answer", "Needs", "RawPath", "Routes", "check", "on_model",
    "on_yard", "plain",
]  # fmt: skip

Handler = Callable[..., Any]
Refusal = Callable[[Request, Exception], Response]

STRUCTS: dict[str, Any] = {}
"""Schemas of our structs, for the OpenAPI document."""
_REFERENCE = "#/components/schemas/{name}"
_OF_WRITES = (409, 415)
"""Problems that no look at something has."""
_LARGEST_JSON = 8 << 20


@dataclass(frozen=True, slots=True)
class Needs:
    """What a caller must have to be let in."""

    what: str
    """`public`, `signed-in`, `yard`, or `model`: the role for the model in the path."""
    role: Role = "none"


PUBLIC = Needs("public")
"""Anybody, without a look at who it is."""
SIGNED_IN = Needs("signed-in")


def on_model(role: Role) -> Needs:
    """This role for the model that the path names as `{model}`. Who may not read gets a 404."""
    return Needs("model", role)


def on_yard(role: Role) -> Needs:
    """This role for `*`. With `none` the handler itself must look at every model that it shows."""
    return Needs("yard", role)


@dataclass(frozen=True, slots=True)
class Answer:
    """A value with what HTTP says beside it."""

    value: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Routes:
    """Routes of one resource."""

    def __init__(self, tag: str, prefix: str = "/api/v1") -> None:
        self.router = APIRouter(prefix=prefix, tags=[tag], route_class=_Route)

    def get(self, path: str, **said: Any) -> Callable[[Handler], Handler]:
        return self.route("GET", path, **said)

    def post(self, path: str, **said: Any) -> Callable[[Handler], Handler]:
        return self.route("POST", path, **said)

    def put(self, path: str, **said: Any) -> Callable[[Handler], Handler]:
        return self.route("PUT", path, **said)

    def patch(self, path: str, **said: Any) -> Callable[[Handler], Handler]:
        return self.route("PATCH", path, **said)

    def delete(self, path: str, **said: Any) -> Callable[[Handler], Handler]:
        return self.route("DELETE", path, **said)

    def route(
        self,
        method: str,
        path: str,
        *,
        needs: Needs,
        answers: object = None,
        status: int = 200,
        hidden: bool = False,
        refuse: Refusal | None = None,
        secret: bool = False,
        rides: bool = False,
        largest_body: int | None = None,
        seconds: float | None = None,
        responses: Mapping[int | str, dict[str, Any]] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Callable[[Handler], Handler]:
        """Serve a function, whose first parameter is the `Ask`, and whose docstring documents it.

        Args:
            answers: The type of what it gives: a value, an `Answer` or a ready `Response`.
            largest_body: Bytes; the settings' 64 MiB else, and 8 MiB of JSON.
            refuse: How an error becomes an answer; a problem as JSON if None.
            secret: The answer has something that is shown once, and kept nowhere.
            rides: The first that the handler writes is all that has an effect (`server.repeats`).
            seconds: In which the answer must begin, once the body is read; `math.inf` for streams.
            extra: Parts of the operation in the OpenAPI document, such as examples.
        """

        def decorate(handler: Handler) -> Handler:
            told = {
                code: words
                for code, words in PROBLEMS.items()
                if method != "GET" or code not in _OF_WRITES
            }
            told.update(responses or {})
            if answers is not None:
                told[status] = {**_model(answers), **told.get(status, {})}
            endpoint = _endpoint(handler, needs, status, refuse, secret=secret, rides=rides)
            endpoint.bounds = Bounds(largest_body, seconds)  # type: ignore[attr-defined]
            self.router.add_api_route(
                path, endpoint, methods=[method],
                status_code=status, responses=told, response_model=None,
                operation_id=handler.__name__, summary=_summary(handler),
                description=inspect.getdoc(handler), include_in_schema=not hidden,
                openapi_extra=dict(extra or {}),
                response_class=Response if answers is None else JSONResponse,
            )  # fmt: skip
            return handler

        return decorate


class _Route(APIRoute):
    """Says what is taken of a body before it is read, and looks first who sends a large one."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        answer = super().get_route_handler()
        endpoint: Any = self.endpoint
        bounds: Bounds = endpoint.bounds
        parsed = self.body_field is not None
        if parsed and bounds.body is None:
            bounds = Bounds(_LARGEST_JSON, bounds.seconds)

        async def take(request: Request) -> Response:
            intake = request.scope.get("intake")
            if intake is None:  # a test without the front
                return await answer(request)
            intake.take(self.path_format, bounds)
            try:
                if parsed and request.headers.get("content-encoding", "identity") != "identity":
                    raise InvalidInput("wrong-media-type", "a compressed body is not taken here")
                if intake.is_large and endpoint.needs.what != "public":
                    model = request.path_params.get("model")
                    request.scope["let_in"] = await run_in_threadpool(
                        let_in, request, endpoint.needs, plain(model) if model else None
                    )
                if intake.is_small and not parsed:
                    await request.body()
            except (ModelyardError, ClientDisconnect) as error:
                return answer_to(error, request.scope.get("request_id"))
            return await answer(request)

        return take


def plain(segment: str) -> str:
    """A model, revision or file as it was meant: `%2F` in a segment of a path is a `/`."""
    return segment.replace("%2F", "/").replace("%25", "%")


class RawPath:
    """Middleware: each segment is decoded by itself, so that `%2F` is no border between two."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            raw = scope.get("raw_path", b"").partition(b"?")[0].decode("latin-1")
            if "%" in raw:
                scope = {**scope, "path": "/".join(map(_kept, raw.split("/")))}
        await self._app(scope, receive, send)


def _kept(segment: str) -> str:
    return unquote(segment, errors="replace").replace("%", "%25").replace("/", "%2F")


def _endpoint(
    handler: Handler, needs: Needs, status: int, refuse: Refusal | None, **repeats: bool
) -> Handler:
    """What FastAPI calls in a thread: look who asks, then answer."""
    parameters = list(inspect.signature(handler).parameters.values())
    names = [p.name for p in parameters[1:]]

    @functools.wraps(handler)
    def endpoint(request: Request, **given: Any) -> Response:
        try:
            given = {k: plain(v) if k in request.path_params and isinstance(v, str) else v
                     for k, v in given.items()}  # fmt: skip
            ask, model = request.scope.pop("let_in", None) or let_in(
                request, needs, given.get("model")
            )
            if model is not None and "model" in given:
                given["model"] = model
            return repeated(ask, lambda: _response(handler(ask, **given), status), **repeats)
        except Exception as error:  # the door: every error becomes an answer here
            if refuse is not None:
                return refuse(request, error)
            return answer_to(error, request.scope.get("request_id"))

    hints = {k: v for k, v in inspect.get_annotations(handler, eval_str=True).items() if k in names}
    first = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)
    rest = [
        p.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints.get(p.name, p.annotation))
        for p in parameters[1:]
    ]
    endpoint.__annotations__ = {"request": Request, **hints}
    endpoint.__signature__ = inspect.Signature([first, *rest])  # type: ignore[attr-defined]
    endpoint.needs = needs  # type: ignore[attr-defined]
    return endpoint


def _response(given: Any, status: int) -> Response:
    if isinstance(given, Response):
        return given
    answer = given if isinstance(given, Answer) else Answer(given, status)
    body = b"" if answer.value is None else encode(answer.value)
    return Response(body, answer.status, dict(answer.headers), "application/json" if body else None)


def _model(answers: object) -> dict[str, Any]:
    """How FastAPI is told of a type; our structs it does not know."""
    if not (isinstance(answers, type) and issubclass(answers, msgspec.Struct)):
        return {"model": answers}
    (schema,), more = msgspec.json.schema_components([answers], ref_template=_REFERENCE)
    STRUCTS.update(more)
    return {"content": {"application/json": {"schema": schema}}}


def _summary(handler: Handler) -> str:
    return (inspect.getdoc(handler) or handler.__name__).splitlines()[0].rstrip(".")


def check(routes: Sequence[Any]) -> None:
    """Every route says what it needs, or the server does not start."""
    for route in routes:
        endpoint = getattr(route, "endpoint", None)
        if endpoint is None or not hasattr(endpoint, "needs"):
            raise AssertionError(f"{getattr(route, 'path', route)} does not say what it needs")
