"""Large bodies, both ways, without copies on the way and without work in the event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anyio import from_thread, to_thread
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from modelyard.errors import InvalidInput
from modelyard.server.wire import send_now, wire_of
from modelyard.store.rooms import Rooms

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping

    from starlette.requests import Request

__all__ = ["Pieces", "body_of"]

_OWN = 1 << 20
_ROOMS = Rooms(4)


def body_of(request: Request, limit: int) -> memoryview:
    """The whole body of a request, for a handler in its thread. InvalidInput: `too-large`."""
    small: bytes | None = getattr(request, "_body", None)
    if small is not None:
        if len(small) > limit:
            raise _too_large(limit)
        return memoryview(small)
    body, size, lent = from_thread.run(_read, request, limit)
    if lent is not None:
        with lent:
            if not request.scope["intake"].read_rest(lent, memoryview(body)[size:]):
                raise ClientDisconnect
        from_thread.run_sync(_ended, request)
        size = len(body)
    return memoryview(body)[:size]


async def _read(
    request: Request, limit: int
) -> tuple[memoryview | bytearray, int, socket.socket | None]:
    """A body, or its beginning and the socket that the rest comes from."""
    told = request.headers.get("content-length", "")
    expected = int(told) if told.isdigit() and len(told) < 12 else 0
    if expected > limit:
        raise _too_large(limit)
    # large memory is not touched before bytes come
    body: memoryview | bytearray = (
        _ROOMS.take(expected).data if expected > _OWN else bytearray(expected)
    )
    at = 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        end = at + len(piece)
        if end > limit or (expected and end > expected):
            raise _too_large(limit)
        body[at:end] = piece  # grows if no length was told
        at = end
        if not message.get("more_body", False):
            return body, at, None
        wire = wire_of(request.scope)
        if wire is not None and expected - at > _OWN and (lent := wire.lend_reading()):
            own, early = lent
            body[at : at + len(early)] = early
            return body, at + len(early), own


def _ended(request: Request) -> None:
    request.scope["intake"].ended()
    wire = wire_of(request.scope)
    if wire is not None:
        wire.body_read()


def _too_large(limit: int) -> InvalidInput:
    return InvalidInput("too-large", f"a body here has at most {limit} bytes")


class Pieces(Response):
    """A body out of pieces that are made and sent in a thread; the loop waits for slow readers."""

    def __init__(
        self,
        pieces: Iterator[memoryview],
        status: int,
        headers: Mapping[str, str],
        media_type: str,
    ) -> None:
        super().__init__(None, status, headers, media_type)
        self._pieces = pieces

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        wire = wire_of(scope)
        lent = None if wire is None else await wire.lend_writing()
        try:
            while True:
                sent, rest = await to_thread.run_sync(self._send, lent)
                if wire is not None:
                    wire.body_sent(sent)
                if rest is None:
                    break
                await send({"type": "http.response.body", "body": rest, "more_body": True})
                if wire is not None:
                    await wire.written()
        finally:
            if lent is not None:
                lent.close()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _send(self, lent: socket.socket | None) -> tuple[int, memoryview | None]:
        """Send pieces until the reader is too slow; how much, and what it did not take.

        -1 if it is gone.
        """
        total = 0
        for piece in self._pieces:
            try:
                sent = 0 if lent is None else send_now(lent, piece)
            except OSError:
                return -1, None
            total += sent
            if sent < len(piece):
                return total, piece[sent:]
        return total, None
