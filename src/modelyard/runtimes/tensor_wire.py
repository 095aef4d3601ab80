"""What a served version's process and the server say to each other: named arrays, quickly.

    kind: u8 | 3 zeros | length of head: u32 | length of body: u64 | head | body

The head is MessagePack: what is asked for, and name, dtype, shape and length of each array. The
body holds the arrays, each at a multiple of 64 bytes. Nothing is pickled in either direction, and
every length is checked before it is believed: the process may have run foreign code.

A kind with the bit 128 has its body in memory that both share (see `shared`): the server lends two
pieces, one for requests and one for answers, as soon as a request is large.
"""

from __future__ import annotations

import math
import os
import socket
import struct
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from modelyard.core.decoding import packed_decoder
from modelyard.errors import Corrupt
from modelyard.runtimes.shared import LEAST, Room, can_share, room_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelyard.runtimes.tensors import Array

__all__ = ["ANSWER", "ASK", "ERROR", "TensorWire"]

ASK, ANSWER, ERROR = 1, 2, 3
_SHARED: Final = 128
_TWO: Final = socket.CMSG_SPACE(8)
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
        self,
        connection: socket.socket,
        wait: Callable[[bool], None],
        *,
        limit: int = 1 << 40,
        lends: bool = False,
        borrows: bool = False,
    ) -> None:
        """
        Args:
            wait: Called when nothing can be written (True) or read (False): returns when it can,
                raises to give up.
            limit: Bytes of arrays in one frame that are taken.
            lends: Whether memory is shared with the other side for what is large.
            borrows: Whether memory is taken that the other side lends.
        """
        connection.setblocking(False)
        self._socket = connection
        self._wait = wait
        self._limit = limit
        self._buffer = bytearray(_ONCE)
        self._view = memoryview(self._buffer)
        self._lends = lends and can_share()
        self._borrows = borrows
        self._given: Room | None = None
        self._taken: Room | None = None

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
        descriptors = self._lend(length) if self._lends else []
        room = self._given
        if room is None or not LEAST <= length <= room.size:
            self._write([_PREFIX.pack(kind, len(head), length) + head, *body])
            return
        room.put(body)
        prefix = _PREFIX.pack(kind | _SHARED, len(head), length)
        try:
            self._write([prefix + head], descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _lend(self, length: int) -> list[int]:
        """Make two larger rooms if they are needed; what the other side must get."""
        size = room_for(length)
        if size is None or (self._given is not None and self._given.size >= size):
            return []
        try:
            given, first = Room.made(size)
        except OSError:  # then it goes through the socket
            return []
        try:
            taken, second = Room.made(size)
        except OSError:
            given.close()
            os.close(first)
            return []
        self.close()
        self._given, self._taken = given, taken
        return [first, second]

    def close(self) -> None:
        """Give shared memory back."""
        for room in (self._given, self._taken):
            if room is not None:
                room.close()
        self._given = self._taken = None

    def receive(self) -> tuple[int, Any, dict[str, Array]]:
        """EOFError: the other end is gone. Corrupt: `bad-frame`."""
        view = self._view
        have = self._some(view, _PREFIX.size, lent=self._borrows)
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
        if kind & _SHARED:
            room = self._taken
            if room is None or length > room.size or have != start:
                raise bad_frame()
            body.data[:] = room.view[:length]  # it is written anew before others have read it
            return kind & ~_SHARED, *_unpacked(head, memoryview(body.data), length)
        early = min(have - start, length)
        if have - start > length:
            raise bad_frame()
        whole = memoryview(body.data)
        whole[:early] = view[start : start + early]
        if early < length:
            self._fill(whole[early:])
        return kind, *_unpacked(head, whole, length)

    def _some(self, view: memoryview, least: int, *, lent: bool = False) -> int:
        """Read what is there, and at least so many bytes."""
        have = 0
        while have < least:
            try:
                count = (self._with_rooms if lent else self._socket.recv_into)(view[have:])
            except BlockingIOError:
                self._wait(False)
                continue
            except OSError:
                raise EOFError from None
            if count == 0:
                raise EOFError
            have += count
        return have

    def _with_rooms(self, view: memoryview) -> int:
        """Read, and take the memory that was sent with it."""
        count, told, *_ = self._socket.recvmsg_into([view], _TWO)
        for level, kind, data in told:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS) and len(data) >= 8:
                taken, given = struct.unpack("ii", data[:8])
                self.close()
                self._taken, self._given = Room.lent(taken), Room.lent(given)
        return count

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

    def _write(self, pieces: list[Any], descriptors: Sequence[int] = ()) -> None:
        rest: Sequence[Any] = pieces
        rights = struct.pack(f"{len(descriptors)}i", *descriptors)
        beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if rights else []
        while rest:
            try:
                sent = self._socket.sendmsg(rest[:512], beside)
                beside = []
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
