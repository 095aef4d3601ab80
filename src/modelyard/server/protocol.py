"""HTTP/1.1 as uvicorn speaks it, with bounds that it has not: of a head's size and its time."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from modelyard.server.wire import Wire

__all__ = ["bounded"]


class _Bounded(HttpToolsProtocol):
    largest_head = 64 << 10
    patience = 15.0

    _head = 0
    """Bytes since the head began; -1 while a body is on its way."""
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._head >= 0:
            if not self._head and self._deadline is None:
                self._wait()
            self._head += len(data)
        super().data_received(data)
        if self._head > self.largest_head:
            self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        if len(self.headers) > 200:
            self._head = self.largest_head + 1

    def on_headers_complete(self) -> None:
        if self._head > self.largest_head:
            return  # the answer follows in data_received, and no route sees the request
        self._in_time()
        self._head = -1
        super().on_headers_complete()
        if self.scheme == "http":
            self.scope["wire"] = Wire(self)  # type: ignore[typeddict-unknown-key]

    def on_message_complete(self) -> None:
        if self._head > self.largest_head:
            return
        super().on_message_complete()
        self._head = 0

    def begin_head(self) -> None:
        """Somebody else read the body to its end."""
        self._head = 0

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(self.patience, self._too_slow)

    def _in_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        self._refuse(b"408 Request Timeout")

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
