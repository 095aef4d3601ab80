"""What a served version's process and the server say to each other: named arrays, quickly.

    kind: u8 | 3 zeros | length of head: u32 | length of body: u64 | head | body

The head is MessagePack: what is asked for, and name, dtype, shape and length of each array. The
body holds the arrays, each at a multiple of 64 bytes. Nothing is pickled in either direction, and
every length is checked before it is believed: the process may have run foreign code.

A kind with the bit 128 has its body in memory that both share (see `shared`): the server lends two
pieces, one for requests and one for answers, as soon as a request is large.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.runtimes.shared import LEAST, Room, can_share, room_for
from modelyard.runtimes.tensor_packing import bad_frame, packed_arrays, unpacked_arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelyard.runtimes.tensors import Array

__all__ = ["ANSWER", "ASK", "ERROR", "TensorWire"]

ASK, ANSWER, ERROR = 1, 2, 3
_SHARED: Final = 128
_TWO: Final = socket.CMSG_SPACE(8)
_PREFIX: Final = struct.Struct("<B3xIQ")
_ONCE: Final = 1 << 16
"""Bytes of a frame that is usually read at once."""
_HEAD: Final = 1 << 20


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
        head, body, length = packed_arrays(content, arrays)
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
            return kind & ~_SHARED, *unpacked_arrays(head, memoryview(body.data), length)
        early = min(have - start, length)
        if have - start > length:
            raise bad_frame()
        whole = memoryview(body.data)
        whole[:early] = view[start : start + early]
        if early < length:
            self._fill(whole[early:])
        return kind, *unpacked_arrays(head, whole, length)

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


def _after(pieces: Sequence[Any], sent: int) -> Sequence[Any]:
    """What is left when so many bytes went."""
    for at, piece in enumerate(pieces):
        size = piece.nbytes if isinstance(piece, memoryview) else len(piece)
        if sent < size:
            return [memoryview(piece)[sent:], *pieces[at + 1 :]]
        sent -= size
    return ()
