"""What is taken of one request: so many bytes, so slowly, so long."""

from __future__ import annotations

import asyncio
import select
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from modelyard.errors import InvalidInput, ModelyardError, Unavailable

__all__ = ["Bounds", "Intake"]

Receive = Callable[[], Awaitable[Any]]

_SMALL = 1 << 16
_SLOWEST = 1024.0
"""Bytes in a second; slower bodies only hold a place."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a route says differently from the settings; None: as they say."""

    body: int | None = None
    """Bytes."""
    seconds: float | None = None
    """To answer in, once the body is read; infinity for streams."""


class Intake:
    """The body of one request on its way in. Refuses by ending it, and tells why."""

    def __init__(
        self, receive: Receive, headers: list[tuple[bytes, bytes]], bounds: Bounds, patience: float
    ) -> None:
        self.route = ""
        """The pattern of the route that takes it, for the log."""
        self.largest = bounds.body or 0
        self.seconds = bounds.seconds or 60.0
        self.refused: ModelyardError | None = None
        self.status: int | None = None
        """With which it is refused, if the kind does not say so."""
        self.done_at: float | None = None
        """When it was complete, by the loop's clock."""
        self.size = 0
        self._receive = receive
        self._patience = patience
        self._claimed = _claimed(headers)
        self.complete = self._claimed == 0
        self._began = 0.0

    @property
    def is_large(self) -> bool:
        """Whether it may be worth to look who sends it before it is read."""
        return self._claimed is None or self._claimed > 1 << 20

    @property
    def is_small(self) -> bool:
        """Whether it is read in one go: no thread has to wait for it."""
        return 0 < (self._claimed or 0) <= _SMALL

    def take(self, route: str, bounds: Bounds) -> None:
        """What the route says that was found."""
        self.route = route
        self.largest = self.largest if bounds.body is None else bounds.body
        self.seconds = self.seconds if bounds.seconds is None else bounds.seconds

    async def __call__(self) -> Any:
        """The next message, as ASGI's `receive`."""
        if self.refused is not None:
            return {"type": "http.disconnect"}
        if self.complete:
            return await self._receive()
        if (self._claimed or 0) > self.largest:
            return self._too_large()
        now = asyncio.get_running_loop().time()
        self._began = self._began or now
        try:
            async with asyncio.timeout(self._patience):
                message = await self._receive()
        except TimeoutError:
            return self._too_slow()
        if message["type"] != "http.request":
            return message
        self.size += len(message.get("body", b""))
        if self.size > self.largest:
            return self._too_large()
        self.complete = not message.get("more_body", False)
        self.done_at = asyncio.get_running_loop().time() if self.complete else None
        spent = asyncio.get_running_loop().time() - self._began
        if not self.complete and spent > self._patience + self.size / _SLOWEST:
            return self._too_slow()
        return message

    def read_rest(self, lent: socket.socket, room: memoryview) -> bool:
        """In a thread: the rest of the body, straight from its socket. False if it did not come."""
        waiting = select.poll()
        waiting.register(lent, select.POLLIN)
        began, done = time.monotonic(), 0
        while done < len(room):
            try:
                count = lent.recv_into(room[done:])
            except BlockingIOError:
                spent = time.monotonic() - began
                if spent > self._patience + done / _SLOWEST or not waiting.poll(
                    self._patience * 1000
                ):
                    self._too_slow()
                    return False
                continue
            except OSError:
                return False
            if not count:
                return False
            done += count
            self.size += count
        return True

    def ended(self) -> None:
        """All of the body is there, by `read_rest`."""
        self.complete = True
        self.done_at = asyncio.get_running_loop().time()

    def _too_large(self) -> Any:
        self.refused = InvalidInput(
            "too-large", f"the body has more than {self.largest:,} bytes",
            hint="large models go in parts: yard commit does that by itself",
        )  # fmt: skip
        return {"type": "http.disconnect"}

    def _too_slow(self) -> Any:
        self.refused = Unavailable("slow-body", "the body did not arrive in time")
        self.status = 408
        return {"type": "http.disconnect"}


def _claimed(headers: list[tuple[bytes, bytes]]) -> int | None:
    """How long the body is said to be; None if it comes in chunks, 0 if there is none."""
    for name, value in headers:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else 1 << 62
        if name == b"transfer-encoding":
            return None
    return 0
