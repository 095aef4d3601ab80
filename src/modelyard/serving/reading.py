"""Bodies as they come: in parts, packed, too large, too slow."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from modelyard.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Mapping

__all__ = ["Lender", "read", "read_straight", "squeezed"]

_WORTH: Final = 4 << 10
"""Bytes from which an answer is packed."""
_LEVEL: Final = 1
_ALIGNED: Final = 16


class Lender(Protocol):
    """Lends the socket below a request: `server.wire.Wire`."""

    def lend_reading(self) -> tuple[socket.socket, bytes] | None: ...

    def body_read(self) -> None: ...


async def read_straight(
    message: Any, wire: Lender, length: int, head: int, patience: float
) -> memoryview | None:
    """The whole of a large body, from its socket to where it stays; None: it can't be had so.

    The loop takes a body in small pieces, each of which is copied several times on its way.

    Args:
        message: The first one that was received.
        length: Bytes of the body, as told.
        head: Bytes of it before the first tensor, which will lie where numbers may lie.

    Raises:
        Unavailable: `too-slow`, `gone`. What is left of the body is lost then.
    """
    first = message.get("body", b"")
    lent = wire.lend_reading()
    if lent is None:
        return None
    own, early = lent
    with own:
        # not zeroed: memory that was used before is used again, without touching it twice
        room = np.empty(length + _ALIGNED, np.uint8).data.cast("B")
        body = room[-head % _ALIGNED :][:length]
        done = len(first) + len(early)
        if done > length:
            raise InvalidInput("bad-request", "the body is longer than its head says")
        body[: len(first)] = first
        body[len(first) : done] = early
        loop = asyncio.get_running_loop()
        while done < length:
            try:
                async with asyncio.timeout(patience):
                    count = await loop.sock_recv_into(own, body[done:])
            except TimeoutError:
                raise Unavailable("too-slow", "the body did not arrive in time") from None
            except OSError:
                count = 0
            if not count:
                raise Unavailable("gone", "the client is gone")
            done += count
    wire.body_read()
    return body


async def read(
    message: Any,
    receive: Callable[[], Awaitable[Any]],
    headers: Mapping[bytes, bytes],
    most: int,
    patience: float,
) -> bytes:
    """The whole body.

    Args:
        message: The first one that was received.
        most: Bytes, packed and unpacked.
        patience: Seconds for each part.

    Raises:
        InvalidInput: `body-too-large`, `wrong-media-type`, `bad-request`.
        Unavailable: `too-slow`, `gone`.
    """
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length[:20]) > most:
        raise _too_large(most)
    parts: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise Unavailable("gone", "the client is gone")
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise _too_large(most)
        parts.append(part)
        if not message.get("more_body"):
            break
        try:
            async with asyncio.timeout(patience):
                message = await receive()
        except TimeoutError:
            raise Unavailable("too-slow", "the body did not arrive in time") from None
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    way = headers.get(b"content-encoding", b"identity").strip().lower()
    if way == b"identity":
        return body
    return await asyncio.to_thread(_unpacked, body, way, most)  # a small one may become large


def squeezed(body: bytes, accepted: bytes) -> tuple[bytes, bytes | None]:
    """The body packed as the client likes it, if that is worth it; and how."""
    if len(body) < _WORTH:
        return body, None
    wishes = {part.split(b";")[0].strip() for part in accepted.lower().split(b",")
              if b"q=0" not in part.replace(b"q=0.", b"")}  # fmt: skip
    for way, bits in ((b"gzip", 31), (b"deflate", 15)):
        if way in wishes:
            packer = zlib.compressobj(_LEVEL, wbits=bits)
            return packer.compress(body) + packer.flush(), way
    return body, None


def _unpacked(body: bytes, way: bytes, most: int) -> bytes:
    if way not in (b"gzip", b"deflate"):
        raise InvalidInput(
            "wrong-media-type", f"a body packed as {way.decode('latin-1')[:40]} is not taken",
            hint="gzip, deflate, or as it is",
        )  # fmt: skip
    ways = (31,) if way == b"gzip" else (15, -15)
    for bits in ways:
        packer = zlib.decompressobj(wbits=bits)
        try:
            found = packer.decompress(body, most + 1)
        except zlib.error:
            continue
        if len(found) > most:
            raise _too_large(most)
        if packer.eof and not packer.unused_data:
            return found
    raise InvalidInput("bad-request", f"the body is not packed as {way.decode()}")


def _too_large(most: int) -> InvalidInput:
    return InvalidInput(
        "body-too-large", f"a body may have {most} bytes here",
        hint="send fewer rows at once, or predict a file: yard predict NAME --in FILE",
    )  # fmt: skip
