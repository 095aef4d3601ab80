"""A connection lent to a handler's thread: large bodies are moved without the event loop.

The loop takes a body in pieces of 64 KiB, each copied four times on its way. A thread that has the
socket reads straight to where the bytes are wanted, and writes from where they are. Either the loop
or one thread uses a socket, never both.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import weakref
from typing import TYPE_CHECKING, Any

import httptools

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Wire", "send_now", "wire_of"]

_STALL = 0.02
"""Seconds for which a thread waits for a reader; the loop waits for slower ones."""


class Wire:
    """The socket below one request."""

    __slots__ = ("_protocol", "_weak")

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        # a request knows its wire: were it known back, each request would be left to the collector
        self._weak = weakref.ref(protocol.cycle)

    @property
    def _cycle(self) -> Any:
        return self._weak()

    # -- in the loop -----------------------------------------------------------------------------

    def lend_reading(self) -> tuple[socket.socket, bytes] | None:
        """For the rest of a body: the socket, and what the loop had read already."""
        if self._is_gone() or self._protocol.pipeline:
            return None
        self._protocol.flow.pause_reading()
        early = bytes(self._cycle.body)
        self._cycle.body = bytearray()
        return self._socket(), early

    def body_read(self) -> None:
        """All of the body was read by a thread: what comes now is the head of another request."""
        if self._is_gone():
            return
        self._protocol.parser = httptools.HttpRequestParser(self._protocol)
        self._protocol.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._protocol.begin_head()
        self._cycle.more_body = False
        self._cycle.message_event.set()

    async def lend_writing(self) -> socket.socket | None:
        """For a body whose head was sent, and whose length it tells."""
        if self._is_gone() or self._cycle.chunked_encoding is not False:
            return None
        if self._cycle.scope["method"] == "HEAD":
            return None
        await self.written()
        return None if self._is_gone() else self._socket()

    async def written(self) -> None:
        """Wait until nothing that the loop sends lies here any more."""
        transport = self._cycle.transport
        transport.set_write_buffer_limits(0)
        try:
            await asyncio.sleep(0)  # what was written in this turn goes out at its end
            while transport.get_write_buffer_size() and not self._is_gone():
                await self._cycle.flow.drain()
                await asyncio.sleep(0)
        finally:
            if not transport.is_closing():
                transport.set_write_buffer_limits()

    def body_sent(self, count: int) -> None:
        """A thread sent so many bytes of the body; -1 if the other side is gone."""
        if count >= 0:
            self._cycle.expected_content_length -= count
        else:
            self._cycle.disconnected = True
            self._cycle.transport.abort()

    def _is_gone(self) -> bool:
        cycle = self._cycle
        return cycle is None or bool(cycle.disconnected or cycle.transport.is_closing())

    def _socket(self) -> socket.socket:
        """One of our own, of the same connection: closing it ends nothing."""
        number = self._cycle.transport.get_extra_info("socket").fileno()
        lent = socket.socket(fileno=os.dup(number))
        lent.settimeout(0)
        return lent


def send_now(lent: socket.socket, piece: memoryview) -> int:
    """In a thread: send what the other side takes without making us wait.

    How much that was; OSError if nobody is there any more.
    """
    sent = 0
    waiting = select.poll()
    waiting.register(lent, select.POLLOUT)
    while sent < len(piece):
        try:
            sent += lent.send(piece[sent:])
        except BlockingIOError:
            if not waiting.poll(_STALL * 1000):
                break
    return sent


def wire_of(scope: Mapping[str, Any]) -> Wire | None:
    """The wire of a request; None if it came by other ways than our own HTTP."""
    found: Wire | None = scope.get("wire")
    return found
