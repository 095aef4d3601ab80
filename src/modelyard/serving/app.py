"""The data plane over HTTP, as a raw ASGI callable: no framework between a request and its model.

Paths: `/v2/...` (Open Inference Protocol), `/predict/NAME...` (rows, records, CSV, Arrow) and
`/invocations` (as MLflow's servers take it).
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, cast
from urllib.parse import unquote

from modelyard.errors import InvalidInput, ModelyardError, NotFound, Unavailable
from modelyard.serving.bodies import read_body, wished, write_body
from modelyard.serving.failures import Overloaded, body_of, retry_after, status_of
from modelyard.serving.interface import Timing
from modelyard.serving.oip import service
from modelyard.serving.oip.decoding import Decoded, decode
from modelyard.serving.oip.encoding import encode
from modelyard.serving.plane import Call, Plane, Target
from modelyard.serving.reading import read, read_straight, squeezed
from modelyard.serving.routes import OVERRIDE
from modelyard.serving.tracing import Trace, traced

if TYPE_CHECKING:
    from modelyard.serving.bodies import Kind
    from modelyard.serving.interface import Client, Line, Slot

__all__ = ["PlaneApp", "Request"]

Headers = Mapping[bytes, bytes]
Reply = tuple[int, bytes, list[tuple[bytes, bytes]]]

_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_ASIDE: Final = frozenset({OVERRIDE, b"content-encoding", b"transfer-encoding"})
"""Headers of requests that are not answered at once."""
_JSON: Final = (b"content-type", b"application/json")
_NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
_BINARY: Final = (b"content-type", b"application/octet-stream")
_INFER: Final = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?/infer")
_PREDICT: Final = re.compile(r"/predict/([^/]+)(?:/versions/([^/]+))?(/invocations)?")
_LARGE: Final = 1 << 20
"""Bytes of a body from which it is read in a thread: nobody is to wait for it."""
_PATHS: Final = 4096


@dataclass(slots=True, eq=False)
class Request:
    """One request, on its way."""

    scope: Any
    receive: Callable[[], Awaitable[Any]]
    headers: Headers
    begun: int
    id: str
    trace: Trace | None

    @property
    def address(self) -> str | None:
        client = self.scope.get("client")
        return client[0] if client else None


@dataclass(slots=True, eq=False)
class _Way:
    """What a path means."""

    kind: Literal["infer", "predict", "invocations"]
    name: str | None
    version: str | None


class PlaneApp:
    """Answers requests for what `plane` serves."""

    def __init__(self, plane: Plane, *, patience: float = 15.0) -> None:
        """`patience`: seconds in which the next part of a body must arrive."""
        self.plane = plane
        self._patience = patience
        self._ways: dict[str, _Way | None] = {}

    @staticmethod
    def takes(path: str) -> bool:
        """Whether a path is one of the data plane's."""
        return path.startswith(("/v2/", "/predict/")) or path in ("/v2", "/invocations")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        status, body, headers = await self.reply(scope, receive)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if scope["method"] == "HEAD":
            body = b""
        await send({"type": "http.response.body", "body": body})

    async def reply(self, scope: Any, receive: Any) -> Reply:
        """A whole answer: status, body and headers."""
        begun = time.perf_counter_ns()
        headers: Headers = dict(scope["headers"])
        given = headers.get(b"x-request-id")
        number = (
            given.decode("latin-1")
            if given is not None and _ID.fullmatch(given)
            else self.plane.request_id()
        )
        trace = headers.get(b"traceparent")
        request = Request(scope, receive, headers, begun, number, traced(trace) if trace else None)
        plane = self.plane
        plane.active += 1
        try:
            status, body, more = await self._answer(request)
        except Exception as error:
            status, body, more = _refusal(error)
            if status == 500 and not isinstance(error, ModelyardError):
                _tell(error, number)
        finally:
            plane.active -= 1
        more.append((b"content-length", str(len(body)).encode()))
        more.append((b"x-request-id", number.encode("latin-1")))
        more.append(_NOSNIFF)
        if request.trace is not None:
            more.append((b"traceparent", request.trace.encode()))
        return status, body, more

    def at_once(
        self, url: bytes, headers: list[tuple[bytes, bytes]], body: bytes, client: Any
    ) -> Reply | None:
        """The same reply without a task, if it takes no waiting; else None, and nothing was done.

        It runs `reply` up to its end, or to where it would wait; then the longer way begins anew.
        """
        path = url.decode("latin-1")
        way = self._ways.get(path)
        if way is None or way.name is None or way.version is not None:
            return None
        line = self.plane.lines.get(way.name)
        if line is None or not all(map(_is_inline, line.slots)):
            return None
        if any(name in _ASIDE for name, _ in headers):
            return None
        message = {"type": "http.request", "body": body}

        async def receive() -> Any:
            return message

        scope = {"type": "http", "method": "POST", "path": path, "client": client,
                 "headers": headers}  # fmt: skip
        replying = self.reply(scope, receive)
        try:
            awaited: asyncio.Future[Any] | None = replying.send(None)
        except StopIteration as end:
            found: Reply = end.value
            return found
        replying.close()
        if awaited is not None:
            awaited.cancel()  # nobody would ask what came of it
        return None

    async def _answer(self, request: Request) -> Reply:
        path = request.scope["path"]
        way = self._ways[path] if path in self._ways else self._found(path)
        if way is None:
            return await service.answer(self.plane, request, self._body)
        if request.scope["method"] != "POST":
            raise InvalidInput("wrong-method", "this path takes POST")
        headers = request.headers
        gate = self.plane.gate
        if way.name is None:
            line = await self._only(request)
        else:
            found = self.plane.lines.get(way.name)
            if found is None:
                raise await service.nobody(self.plane, request, way.name)
            line = found
        client = target = None
        try:
            client = gate.known(headers, request.address, line) or await gate.look(
                headers, request.address, line
            )
            if not self.plane.ready:
                raise Unavailable("not-ready", "this server starts or stops", hint="try again")
            deadline = _deadline(request, line)
            held = self._room(headers)
            self.plane.held += held
            try:
                body = await self._body(
                    request, line.spec.limits.body, straight=way.kind == "infer"
                )
                if self.plane.lines.get(line.name) is not line:  # changed while the body came
                    line = self.plane.line(line.name)
                    if not gate.reads(headers, request.address, line):
                        raise self.plane.unknown(line.name)
                goal = self.plane.target(line, way.version, headers, deadline)
                target = goal if isinstance(goal, Target) else await goal
                if way.kind == "infer":
                    return await self._infer(request, client, target, body, deadline)
                return await self._predict(request, client, target, body, deadline, way.kind)
            finally:
                self.plane.held -= held
        except ModelyardError as error:
            if target is None:  # else it was counted as one of the version's
                self._refused(request, line, client, error)
            raise

    def _refused(
        self, request: Request, line: Line, client: Client | None, error: ModelyardError
    ) -> None:
        told = request.headers.get(b"content-length", b"")
        self.plane.recorder.refuse(
            line.name, error.kind, client.name if client else request.address or "unknown",
            int(told) if told.isdigit() and len(told) < 15 else 0,
        )  # fmt: skip

    def _room(self, headers: Headers) -> int:
        """Bytes that a body will take; before it is read. Unavailable: `overloaded`."""
        told = headers.get(b"content-length", b"")
        size = int(told) if told.isdigit() and len(told) < 12 else 0
        if size and self.plane.held + size > self.plane.most_held:
            raise Overloaded(1.0)
        return size

    def _found(self, path: str) -> _Way | None:
        """What a path means; None: it is no prediction."""
        way = None
        if found := _INFER.fullmatch(path):
            way = _Way("infer", unquote(found[1]), found[2])
        elif found := _PREDICT.fullmatch(path):
            way = _Way("invocations" if found[3] else "predict", unquote(found[1]), found[2])
        elif path == "/invocations":
            return _Way("invocations", None, None)  # what it means changes with what is served
        if len(self._ways) >= _PATHS:
            self._ways.clear()
        if way is None or way.name in self.plane.lines:
            self._ways[path] = way
        return way

    async def _only(self, request: Request) -> Line:
        """The line that is meant where none is named: the only one that the caller may ask."""
        gate = self.plane.gate
        if gate.known(request.headers, request.address, None) is None:
            await gate.look(request.headers, request.address, None)
        lines = await service.readable(self.plane, request)
        if len(lines) != 1:
            raise NotFound(
                "no-deployment", "/invocations is for servers of one model",
                hint="POST /predict/NAME/invocations",
            )  # fmt: skip
        return lines[0]

    async def _infer(
        self, request: Request, client: Client, target: Target, body: bytes, deadline: float
    ) -> Reply:
        length = request.headers.get(b"inference-header-content-length")
        call = _call(request, client, target, deadline)
        try:
            if length is None and len(body) < _LARGE:
                asked = decode(body, None)
            else:
                asked = await self._decoded(target, body, length)
            outputs = None if asked.outputs is None else [one.name for one in asked.outputs] or None
            _bounded(call, asked)
        except ModelyardError as error:
            self.plane.failed(target, call, error)
            raise
        call.feeds, call.outputs = asked.feeds, outputs
        answered = await self.plane.ask(call)
        found = answered.outputs
        if outputs is not None and list(found) != outputs:
            found = {name: found[name] for name in outputs}
        parameters = asked.parameters
        binary = parameters is not None and parameters.get("binary_data_output") is True
        write = partial(encode, target.head, found, id=asked.id, asked=asked.outputs, binary=binary)
        large = sum([array.nbytes for array in found.values()]) > _LARGE
        content, json_length = await asyncio.to_thread(write) if large else write()
        self.plane.answered(call, found)
        return await _with_length(request, content, json_length)

    async def _decoded(self, target: Target, body: bytes, length: bytes | None) -> Decoded:
        """Of bodies that are large, or have tensors behind their JSON.

        What takes long goes to a thread: large JSON, and texts, which are read one by one.
        """
        json_length: int | None = None
        raw = False
        if length is None:
            pass
        else:
            if not length.isdigit() or len(length) > 12:
                raise InvalidInput(
                    "bad-request", "Inference-Header-Content-Length is no number of bytes"
                )
            json_length = int(length)
            raw = json_length == 0
        texts = any(spec.dtype in ("string", "bytes") for spec in target.served.inputs)
        head = len(body) if json_length is None else json_length
        if head < _LARGE and (len(body) < _LARGE or not (texts or b"BYTES" in bytes(body[:head]))):
            return service.raw_request(target, body) if raw else decode(body, json_length)
        target.served.under_way += 1
        try:
            if raw:
                return await asyncio.to_thread(service.raw_request, target, body)
            return await asyncio.to_thread(decode, body, json_length)
        finally:
            target.served.under_way -= 1

    async def _predict(
        self, request: Request, client: Client, target: Target, body: bytes, deadline: float,
        kind: Kind,
    ) -> Reply:  # fmt: skip
        headers = request.headers
        call = _call(request, client, target, deadline)
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        served = target.served
        served.under_way += 1
        try:
            try:
                if len(body) < _LARGE:
                    feeds, rows = read_body(kind, content_type, body, served)
                else:
                    feeds, rows = await asyncio.to_thread(
                        read_body, kind, content_type, body, served
                    )
            except ModelyardError as error:
                self.plane.failed(target, call, error)
                raise
            call.feeds = dict(feeds)
            answered = await self.plane.ask(call)
            accept = wished(headers.get(b"accept", b"").decode("latin-1"), content_type)
            content, kind_of_content = write_body(kind, accept, served, answered.outputs, rows)
        finally:
            served.under_way -= 1
        self.plane.answered(call, answered.outputs)
        more = [
            (b"content-type", kind_of_content.encode()),
            (b"x-modelyard-version", target.slot.version.encode()),
        ]
        return await _squeezed(request, 200, content, more)

    async def _body(self, request: Request, most: int, *, straight: bool = False) -> bytes:
        """All of it; `straight`: a view will do."""
        message = await request.receive()
        headers = request.headers
        if message["type"] == "http.request" and b"content-encoding" not in headers:
            if not message.get("more_body"):
                body: bytes = message["body"]
                if len(body) <= most:
                    return body
            elif straight and (wire := request.scope.get("wire")) is not None:
                length = headers.get(b"content-length", b"")
                if length.isdigit() and len(length) < 12 and _LARGE < int(length) <= most:
                    json = headers.get(b"inference-header-content-length", b"")
                    head = int(json) if json.isdigit() and len(json) < 12 else 0
                    view = await read_straight(message, wire, int(length), head, self._patience)
                    if view is not None:
                        return cast("bytes", view)
        return await read(message, request.receive, headers, most, self._patience)


def _call(request: Request, client: Client, target: Target, deadline: float) -> Call:
    """A call whose body is still to be read."""
    return Call(
        target, {}, None, deadline, client, request.id, Timing(begun=request.begun),
        request.begun, request.trace,
    )  # fmt: skip


def _is_inline(slot: Slot) -> bool:
    served = slot.served
    return served is not None and not slot.unloaded and served.executor.mode == "inline"


def _bounded(call: Call, asked: Decoded) -> None:
    """Triton's parameter `timeout`, in microseconds, makes a deadline nearer."""
    if asked.parameters and type(limit := asked.parameters.get("timeout")) is int and limit > 0:
        call.deadline = min(call.deadline, time.monotonic() + min(limit, 10**12) / 1e6)


def _deadline(request: Request, line: Line) -> float:
    most = line.spec.limits.deadline
    wish = request.headers.get(b"x-deadline-ms")
    if wish is not None:
        if not wish.isdigit() or len(wish) > 9:
            raise InvalidInput("bad-request", "x-deadline-ms is no number of milliseconds")
        most = min(most, int(wish) / 1000)
    return time.monotonic() + most


async def _with_length(request: Request, content: bytes, json_length: int | None) -> Reply:
    if json_length is None:
        more = [_JSON]
    else:
        more = [_BINARY, (b"inference-header-content-length", str(json_length).encode())]
    return await _squeezed(request, 200, content, more)


async def _squeezed(
    request: Request, status: int, content: bytes, more: list[tuple[bytes, bytes]]
) -> Reply:
    accepted = request.headers.get(b"accept-encoding")
    if accepted is not None:
        if len(content) > _LARGE:
            content, way = await asyncio.to_thread(squeezed, content, accepted)
        else:
            content, way = squeezed(content, accepted)
        if way is not None:
            more.append((b"content-encoding", way))
    return status, content, more


def _refusal(error: Exception) -> Reply:
    more = [_JSON]
    seconds = retry_after(error)
    if seconds is not None:
        more.append((b"retry-after", str(seconds).encode()))
    status = status_of(error)
    if isinstance(error, ModelyardError) and error.kind in ("too-slow", "gone"):
        more.append((b"connection", b"close"))  # nobody knows where the next request begins
    if status == 401:
        more.append((b"www-authenticate", b'Bearer realm="modelyard"'))
    return status, body_of(error), more


def _tell(error: Exception, number: str) -> None:
    import logging

    logging.getLogger("modelyard.serving").error("request %s", number, exc_info=error)
