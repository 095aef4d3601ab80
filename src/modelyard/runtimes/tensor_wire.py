"""What a served version's process and the server say to each other: named arrays, quickly.

    kind: u8 | 3 zeros | length of head: u32 | length of body: u64 | head | body

The head is MessagePack: what is asked for, and name, dtype, shape and length of each array. The
body holds the arrays, each at a multiple of 64 bytes. Nothing is pickled in either direction, and
every length is checked before it is believed: the process may have run foreign code.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from modelyard.core.decoding import packed_decoder
from modelyard.errors import Corrupt

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

    from modelyard.runtimes.tensors import Array

__all__ = ["ANSWER", "ASK", "ERROR", "TensorWire"]

ASK, ANSWER, ERROR = 1, 2, 3
_PREFIX: Final = struct.Struct("<B3xIQ")
_ALIGNED: Final = 64
_ONCE: Final = 1 << 16
"""Bytes of a frame that is usually read at once."""
_HEAD: Final = 1 << 20
_TEXT, _BYTES = "O", "B"
_PLAIN: Final = frozenset({
    "|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8",
})  # fmt: skip
_PADDING: Final = tuple(bytes(count) for count in range(_ALIGNED))


class _Array(msgspec.Struct, array_like=True):
    name: str
    form: str
    shape: tuple[int, ...]
    size: int


class _Head(msgspec.Struct, array_like=True):
    content: Any
    arrays: list[_Array]


_heads: Final = packed_decoder(_Head)
_texts: Final[dict[str, msgspec.msgpack.Decoder[Any]]] = {
    "O": packed_decoder(list[str | None]), "B": packed_decoder(list[bytes]),
}  # fmt: skip
_encode: Final = msgspec.msgpack.encode


class TensorWire:
    """Frames over a stream socket that does not block."""

    def __init__(
        self, connection: socket.socket, wait: Callable[[bool], None], *, limit: int = 1 << 40
    ) -> None:
        """
        Args:
            wait: Called when nothing can be written (True) or read (False): returns when it can,
                raises to give up.
            limit: Bytes of arrays in one frame that are taken.
        """
        connection.setblocking(False)
        self._socket = connection
        self._wait = wait
        self._limit = limit
        self._buffer = bytearray(_ONCE)
        self._view = memoryview(self._buffer)

    def send(self, kind: int, content: Any, arrays: Mapping[str, Array]) -> None:
        """EOFError: nobody reads any more."""
        told: list[_Array] = []
        body: list[Any] = []
        length = 0
        for name, array in arrays.items():
            form, data, size = _packed(array)
            told.append(_Array(name, form, array.shape, size))
            body.append(data)
            length += size
            if gap := -size % _ALIGNED:
                body.append(_PADDING[gap])
                length += gap
        head = _encode(_Head(content, told))
        self._write([_PREFIX.pack(kind, len(head), length) + head, *body])

    def receive(self) -> tuple[int, Any, dict[str, Array]]:
        """EOFError: the other end is gone. Corrupt: `bad-frame`."""
        view = self._view
        have = self._some(view, _PREFIX.size)
        kind, size, length = _PREFIX.unpack_from(view)
        if size > _HEAD or length > self._limit:
            raise bad_frame()
        start = _PREFIX.size + size
        if start > _ONCE:
            head = memoryview(bytearray(size))
            head[: have - _PREFIX.size] = view[_PREFIX.size : have]
            self._fill(head[have - _PREFIX.size :])
            start = have = 0
        else:
            if have < start:
                have += self._some(view[have:], start - have)
            head = view[_PREFIX.size : start]
        try:
            body = np.empty(length, np.uint8)
        except MemoryError:
            raise bad_frame() from None
        early = min(have - start, length)
        if have - start > length:
            raise bad_frame()
        whole = memoryview(body.data)
        whole[:early] = view[start : start + early]
        if early < length:
            self._fill(whole[early:])
        return kind, *_unpacked(head, whole, length)

    def _some(self, view: memoryview, least: int) -> int:
        """Read what is there, and at least so many bytes."""
        have = 0
        while have < least:
            try:
                count = self._socket.recv_into(view[have:])
            except BlockingIOError:
                self._wait(False)
                continue
            except OSError:
                raise EOFError from None
            if count == 0:
                raise EOFError
            have += count
        return have

    def _fill(self, view: memoryview) -> None:
        while view:
            try:
                count = self._socket.recv_into(view)
            except BlockingIOError:
                self._wait(False)
                continue
            except OSError:
                raise EOFError from None
            if count == 0:
                raise EOFError
            view = view[count:]

    def _write(self, pieces: list[Any]) -> None:
        rest: Sequence[Any] = pieces
        while rest:
            try:
                sent = self._socket.sendmsg(rest[:512])
            except BlockingIOError:
                self._wait(True)
                continue
            except OSError:
                raise EOFError from None
            rest = _after(rest, sent)


def bad_frame() -> Corrupt:
    return Corrupt(
        "bad-frame", "the model's process sent something that is no answer",
        hint="don't use this version: what it runs is not what a model runs",
    )  # fmt: skip


def _after(pieces: Sequence[Any], sent: int) -> Sequence[Any]:
    """What is left when so many bytes went."""
    for at, piece in enumerate(pieces):
        size = piece.nbytes if isinstance(piece, memoryview) else len(piece)
        if sent < size:
            return [memoryview(piece)[sent:], *pieces[at + 1 :]]
        sent -= size
    return ()


def _packed(array: Array) -> tuple[str, Any, int]:
    form = array.dtype.str
    if form in _PLAIN:
        if not array.flags.c_contiguous:
            array = np.ascontiguousarray(array)
        size = array.nbytes
        return form, memoryview(array.reshape(-1).view(np.uint8).data) if size else b"", size
    if array.dtype.kind in "OU":
        items = array.ravel().tolist()
        data = _encode(items)
        return _BYTES if items and isinstance(items[0], bytes) else _TEXT, data, len(data)
    raise TypeError(f"arrays of {array.dtype} can't be sent")


def _unpacked(
    head: memoryview, body: memoryview, length: int
) -> tuple[Any, dict[str, Array]]:  # fmt: skip
    try:
        found = _heads.decode(head)
        arrays: dict[str, Array] = {}
        start = 0
        for told in found.arrays:
            if told.size < 0 or told.size > length - start:
                raise ValueError("length")
            arrays[told.name] = _array(told, body[start : start + told.size])
            start += told.size + -told.size % _ALIGNED
        if start != length:
            raise ValueError("length")
    except (msgspec.MsgspecError, MemoryError, OverflowError, TypeError, ValueError):
        raise bad_frame() from None
    return found.content, arrays


def _array(told: _Array, data: memoryview) -> Array:
    if told.form in _texts:
        texts: list[Any] = _texts[told.form].decode(data)
        if math.prod(told.shape) != len(texts):
            raise ValueError("shape")
        array = np.empty(len(texts), object)
        array[:] = texts
        return array.reshape(told.shape)
    if told.form not in _PLAIN or any(side < 0 for side in told.shape):
        raise ValueError("dtype")
    if not told.size:
        return np.empty(told.shape, told.form)
    return np.frombuffer(data, told.form).reshape(told.shape)
