"""HTTP/1.1 as uvicorn speaks it, with bounds that it has not: of a head's size and its time."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from modelyard.server.wire import Wire

__all__ = ["bounded"]


class _Bounded(HttpToolsProtocol):
    """One timer a connection looks after its head and its idleness: setting and cancelling one for
    each request costs more than all the rest of a request's head."""

    largest_head = 64 << 10
    patience = 15.0

    _head = 0
    """Bytes since the head began; -1 while a body is on its way."""
    _waiting = True
    """A head is awaited that must come in time; else the connection is idle, or works."""
    _until = math.inf
    """When patience ends with what is awaited now."""
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._until = self.loop.time() + self.patience
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._head >= 0:
            if not self._head and not self._waiting:
                self._waiting = True
                self._until = self.loop.time() + self.patience
            self._head += len(data)
        super().data_received(data)
        if self._head > self.largest_head:
            self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = 0

    def on_headers_complete(self) -> None:
        if len(self.headers) > 200:
            self._head = self.largest_head + 1
        if self._head > self.largest_head:
            return  # the answer follows in data_received, and no route sees the request
        self._waiting = False
        self._until = math.inf
        self._head = -1
        super().on_headers_complete()
        if self.scheme == "http":
            self.scope["wire"] = Wire(self)  # type: ignore[typeddict-unknown-key]

    def on_message_complete(self) -> None:
        if self._head > self.largest_head:
            return
        super().on_message_complete()
        self._head = 0

    def on_response_complete(self) -> None:
        """As uvicorn has it, but for its timer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif not self._waiting:
            self._until = self.loop.time() + self.timeout_keep_alive

    def begin_head(self) -> None:
        """Somebody else read the body to its end."""
        self._head = 0

    def _look_later(self) -> None:
        most = min(self.patience, self.timeout_keep_alive)
        left = min(max(self._until - self.loop.time(), 0.001), most)
        self._timer = self.loop.call_later(left, self._look)

    def _look(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self.loop.time() < self._until:
            self._look_later()
        elif self._waiting:
            self._refuse(b"408 Request Timeout")
        else:
            self.transport.close()

    def _refuse(self, status: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )
            self.transport.close()


def bounded(largest_head: int, patience: float) -> type[HttpToolsProtocol]:
    """A protocol that closes connections with a longer or slower head than this."""
    limits = {"largest_head": largest_head, "patience": patience}
    return type("Bounded", (_Bounded,), limits)
