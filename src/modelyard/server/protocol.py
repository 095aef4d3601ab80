"""HTTP/1.1 as uvicorn speaks it, with bounds that it has not: of a head's size and its time.

And with a shorter way for small predictions that take no waiting: they are answered where they are
read, without a task, and with one write.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from modelyard.server.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    AtOnce = Callable[[bytes, list[tuple[bytes, bytes]], bytes, Any], Any]

__all__ = ["bounded"]

_SMALL = 64 << 10
"""Bytes of a body that is held until it is all there."""


class _Bounded(HttpToolsProtocol):
    """One timer a connection looks after its head and its idleness: setting and cancelling one for
    each request costs more than all the rest of a request's head."""

    largest_head = 64 << 10
    patience = 15.0
    at_once: AtOnce | None = None
    """Answers a request now, with its status, body and headers; None if it takes waiting."""

    _held: list[bytes] | None = None
    """Parts of the body of a request that may be answered at once."""
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
        if self.at_once is not None and self._is_small():
            self._head = -1  # and its body has the rest of the time that its head had
            self._held = []
            return
        self._begin()

    def _begin(self) -> None:
        """Hand the request over, as uvicorn does it."""
        self._waiting = False
        self._until = math.inf
        self._head = -1
        super().on_headers_complete()
        if self.scheme == "http":
            self.scope["wire"] = Wire(self)  # type: ignore[typeddict-unknown-key]

    def on_body(self, body: bytes) -> None:
        if self._held is None:
            super().on_body(body)
        else:
            self._held.append(body)

    def on_message_complete(self) -> None:
        if self._head > self.largest_head:
            return
        if self._held is not None:
            held, self._held = self._held, None
            self._answer(held[0] if len(held) == 1 else b"".join(held))
        else:
            super().on_message_complete()
        self._head = 0

    def _is_small(self) -> bool:
        """Whether it looks like a small prediction, and nothing before it is under way."""
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        parser = self.parser
        if (
            not self.url.startswith(b"/v2/models/")
            or parser.get_method() != b"POST"
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or parser.should_upgrade()
            or self.expect_100_continue
            or self.pipeline
            or self.flow.write_paused
        ):
            return False
        for name, value in self.headers:
            if name == b"content-length":
                return len(value) < 6 and value.isdigit() and int(value) <= _SMALL
        return False

    def _answer(self, body: bytes) -> None:
        assert self.at_once is not None
        found = self.at_once(self.url, self.headers, body, self.client)
        if found is None:  # it takes waiting
            self._begin()
            self.cycle.body += body
            super().on_message_complete()
            return
        status, content, headers = found
        parts = [STATUS_LINE[status]]
        for name, value in self.server_state.default_headers:
            parts += (name, b": ", value, b"\r\n")
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
        parts += (b"\r\n", content)
        self.transport.write(b"".join(parts))
        self.server_state.total_requests += 1
        self._waiting = False
        self._until = self.loop.time() + self.timeout_keep_alive

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


def bounded(
    largest_head: int, patience: float, at_once: AtOnce | None = None
) -> type[HttpToolsProtocol]:
    """A protocol that closes connections with a longer or slower head than this.

    Args:
        at_once: Gets path, headers, body and client's address of a small request for a prediction;
            gives status, body and headers, or None if the application is to answer it.
    """
    limits: dict[str, Any] = {"largest_head": largest_head, "patience": patience}
    if at_once is not None:
        limits["at_once"] = staticmethod(at_once)
    return type("Bounded", (_Bounded,), limits)
