"""Large bodies, both ways, without copies on the way and without work in the event loop."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

from anyio import from_thread, to_thread
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.requests import Request

__all__ = ["Pieces", "body_of"]

_OWN = 1 << 20


def body_of(request: Request, limit: int) -> memoryview:
    """The whole body of a request, for a handler in its thread. InvalidInput: `too-large`."""
    return from_thread.run(_read, request, limit)


async def _read(request: Request, limit: int) -> memoryview:
    told = request.headers.get("content-length", "")
    expected = int(told) if told.isdigit() and len(told) < 12 else 0
    if expected > limit:
        raise _too_large(limit)
    # memory of its own goes back to the system afterwards, and is not touched before bytes come
    body: mmap.mmap | bytearray = (
        mmap.mmap(-1, expected) if expected > _OWN else bytearray(expected)
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
            return memoryview(body)[:at]


def _too_large(limit: int) -> InvalidInput:
    return InvalidInput("too-large", f"a body here has at most {limit} bytes")


class Pieces(Response):
    """A body out of pieces that are made in a thread, each while the one before is sent."""

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
        while True:
            piece = await to_thread.run_sync(next, self._pieces, None)
            if piece is None:
                break
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
