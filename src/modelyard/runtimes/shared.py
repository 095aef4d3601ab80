"""Memory that a server shares with the process of a version, for large arrays.

Through a socket 10 MB take some fifty turns of both processes, each of which waits for a processor;
through shared memory one. The server makes the memory and seals its size: a process that cuts it
could crash the server.
"""

from __future__ import annotations

import mmap
import os
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LEAST", "Room", "can_share", "room_for"]

LEAST: Final = 256 << 10
"""Bytes from which sharing pays."""
_SMALLEST: Final = 4 << 20
_LARGEST: Final = 64 << 20


def can_share() -> bool:
    """Whether this system has such memory."""
    return sys.platform == "linux" and hasattr(os, "memfd_create")


def room_for(length: int) -> int | None:
    """The size of a room that so many bytes go in; None if they are too few or too many."""
    if not LEAST <= length <= _LARGEST:
        return None
    return max(_SMALLEST, 1 << (length - 1).bit_length())


class Room:
    """A piece of shared memory, mapped here."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._map = mmap.mmap(descriptor, size)
        self.view = memoryview(self._map)
        self.size = size

    @classmethod
    def made(cls, size: int) -> tuple[Room, int]:
        """A new one, and its descriptor to be sent. OSError: there is no memory."""
        import fcntl

        descriptor = os.memfd_create("modelyard", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(descriptor, size)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
            return cls(descriptor, size), descriptor
        except BaseException:
            os.close(descriptor)
            raise

    @classmethod
    def lent(cls, descriptor: int) -> Room:
        """One that came from the other side; the descriptor is closed. OSError: it is none."""
        try:
            return cls(descriptor, os.fstat(descriptor).st_size)
        finally:
            os.close(descriptor)

    def put(self, pieces: Sequence[Any]) -> None:
        """Write these one after the other, from the start."""
        start = 0
        for piece in pieces:
            size = len(piece)
            self.view[start : start + size] = piece
            start += size

    def close(self) -> None:
        self.view.release()
        self._map.close()
