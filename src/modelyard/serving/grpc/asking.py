"""One request for a prediction: from its message to the message that answers it."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import unquote

from modelyard.errors import InvalidInput, ModelyardError, Unavailable
from modelyard.serving.grpc.stubs import messages
from modelyard.serving.grpc.tensors import feeds_of, put_outputs
from modelyard.serving.interface import Timing
from modelyard.serving.oip.service import nobody
from modelyard.serving.plane import Call, Plane, Target
from modelyard.serving.tracing import Trace, traced

if TYPE_CHECKING:
    from modelyard.serving.interface import Client, Line

__all__ = ["Caller", "Context", "ask", "client_of", "line_of"]

Context = Any
"""`grpc.aio.ServicerContext`, which has no types of its own."""
_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_LARGE: Final = 1 << 20
"""Bytes of a request from which it is read in a thread: nobody is to wait for it."""


class Caller:
    """What the head of a call tells: the same for all requests of a stream."""

    __slots__ = ("address", "context", "headers", "number")

    def __init__(self, context: Context) -> None:
        self.context = context
        self.number = ""
        """Of the request, where there is only one."""
        self.headers = {
            key.encode("latin-1"): value if isinstance(value, bytes) else value.encode("latin-1")
            for key, value in context.invocation_metadata() or ()
        }
        self.address = _address(context.peer())

    def id(self, plane: Plane) -> str:
        """Of the next request: the client's, or a new one."""
        given = self.headers.get(b"x-request-id")
        if given is not None and _ID.fullmatch(given):
            return given.decode("latin-1")
        return plane.request_id()

    def trace(self) -> Trace | None:
        """The caller's trace with a span of our own; None if there is none."""
        return traced(self.headers.get(b"traceparent"))


async def client_of(plane: Plane, caller: Caller, line: Line | None) -> Client:
    """Who asks. Raises what the gate raises."""
    known = plane.gate.known(caller.headers, caller.address, line)
    return known if known is not None else await plane.gate.look(
        caller.headers, caller.address, line
    )  # fmt: skip


async def line_of(plane: Plane, caller: Caller, name: str) -> tuple[Line, Client]:
    """What is asked, and who asks: strangers are not told what is there and what isn't."""
    line = plane.lines.get(name)
    if line is None:
        raise await nobody(plane, cast("Any", caller), name)
    client = await client_of(plane, caller, line)
    if plane.lines.get(name) is not line:  # it was changed meanwhile
        line = plane.line(name)
        client = await client_of(plane, caller, line)
    return line, client


async def ask(
    plane: Plane, request: messages.ModelInferRequest, caller: Caller, number: str, begun: int
) -> messages.ModelInferResponse:
    """Predict.

    Args:
        number: The request's id in logs.

    Raises:
        NotFound: `no-deployment`, `no-version`.
        InvalidInput: `bad-inputs`, `no-output`, `bad-request`, `body-too-large`.
        Unavailable: As `Plane.ask`.
    """
    size = request.ByteSize()
    client: Client | None = None
    try:
        line, client = await line_of(plane, caller, request.model_name)
        if not plane.ready:
            raise Unavailable("not-ready", "this server starts or stops", hint="try again")
        limits = line.spec.limits
        if size > limits.body:
            raise InvalidInput("body-too-large", f"a request may have {limits.body} bytes here")
        deadline = _deadline(caller, request, limits.deadline)
        target = plane.target(line, request.model_version or None, caller.headers, deadline)
        if type(target) is not Target:
            target = await target  # type: ignore[misc]
    except ModelyardError as error:
        if request.model_name in plane.lines:
            who = client.name if client else caller.address or "unknown"
            plane.recorder.refuse(request.model_name, error.kind, who, size)
        raise
    call = Call(
        target, {}, None, deadline, client, number, Timing(begun=begun), begun, caller.trace(),
    )  # fmt: skip
    wanted = [output.name for output in request.outputs] or None
    try:
        if size < _LARGE:
            call.feeds = feeds_of(request)
        else:
            target.served.under_way += 1
            try:
                call.feeds = await asyncio.to_thread(feeds_of, request)
            finally:
                target.served.under_way -= 1
    except ModelyardError as error:
        plane.failed(target, call, error)
        raise
    call.outputs = wanted
    answered = await plane.ask(call)
    outputs = answered.outputs
    if wanted is not None:
        outputs = {name: outputs[name] for name in wanted}
    response = messages.ModelInferResponse(
        model_name=line.name, model_version=target.slot.version, id=request.id
    )
    put_outputs(outputs, response)
    plane.answered(call, outputs)
    return response


def _deadline(caller: Caller, request: messages.ModelInferRequest, most: float) -> float:
    """The nearest of all: ours, the call's own, a header, and the parameter in microseconds."""
    left = caller.context.time_remaining()
    if left is not None:
        most = min(most, left)
    wish = caller.headers.get(b"x-deadline-ms")
    if wish is not None:
        if not wish.isdigit() or len(wish) > 9:
            raise InvalidInput("bad-request", "x-deadline-ms is no number of milliseconds")
        most = min(most, int(wish) / 1000)
    if request.parameters and "timeout" in request.parameters:
        limit = request.parameters["timeout"].int64_param
        if limit > 0:
            most = min(most, limit / 1e6)
    return time.monotonic() + most


def _address(peer: str) -> str | None:
    """The host of `ipv4:127.0.0.1:5000` or `ipv6:%5B::1%5D:5000`."""
    kind, _, rest = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return None
    return unquote(rest).rpartition(":")[0].strip("[]")
