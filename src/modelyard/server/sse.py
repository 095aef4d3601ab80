"""Server-sent events: a stream of named JSON values that ends when the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from modelyard.core.wire import encode
from modelyard.server.state import Server

__all__ = ["MEDIA_TYPE", "Event", "event_stream"]

MEDIA_TYPE = "text/event-stream"
_SILENCE = 15.0
"""Seconds without an event after which a comment is sent, so that no proxy hangs up."""


class Event(NamedTuple):
    """One event; with an id, a client that comes back says which was its last."""

    name: str
    value: object
    id: str | None = None

    def encoded(self) -> bytes:
        """As it goes over the wire; JSON has no line ends outside of its strings."""
        lines = [b"event: " + self.name.encode(), b"data: " + encode(self.value)]
        if self.id is not None:
            lines.insert(0, b"id: " + self.id.encode())
        return b"\n".join(lines) + b"\n\n"


def event_stream(
    server: Server, source: Iterator[list[Event] | None], *, every: float = 0.25
) -> StreamingResponse:
    """Stream what a source gives when it is asked, in a thread, every so many seconds.

    It gives a list (often empty) each time, and ends, or gives None, when there is nothing more.
    """
    return StreamingResponse(
        _pieces(server, source, every), media_type=MEDIA_TYPE,
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )  # fmt: skip


async def _pieces(server: Server, source: Iterator[Any], every: float) -> AsyncIterator[bytes]:
    yield b": hello\n\n"
    silent = 0.0
    while not server.stopping.is_set():
        events = await run_in_threadpool(next, source, None)
        if events is None:
            return
        if events:
            silent = 0.0
            yield b"".join(event.encoded() for event in events)
            continue
        await asyncio.sleep(every)
        silent += every
        if silent >= _SILENCE:
            silent = 0.0
            yield b": still here\n\n"
