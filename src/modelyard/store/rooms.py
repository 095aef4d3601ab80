"""Large memory that is used again: the first touch of a page costs more than copying to it."""

from __future__ import annotations

import weakref
from collections import defaultdict, deque
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from modelyard.store.codecs.workspace import Bytes

__all__ = ["Rooms"]

_SMALLEST = 1 << 20


class Rooms:
    """Arrays of bytes that come back by themselves. Safe for many threads.

    An array is given to the next caller when nothing refers to it any more: no view of it, no
    `memoryview`, nothing that was made of these.

    Args:
        kept: How many that nobody uses are kept of about one size.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._free: defaultdict[int, deque[Bytes]] = defaultdict(deque)

    def take(self, size: int) -> Bytes:
        """Room for so many bytes, with anything in it."""
        if size < _SMALLEST:
            return np.empty(size, np.uint8)
        whole_size = 1 << (size - 1).bit_length()
        free = self._free[whole_size]
        try:
            whole = free.pop()
        except IndexError:
            whole = np.empty(whole_size, np.uint8)
        # of an object of its own: numpy's views of views refer to what is below all of them
        lent = np.frombuffer(whole.data, np.uint8, size)
        weakref.finalize(lent, self._back, free, whole).atexit = False
        return lent

    def _back(self, free: deque[Bytes], whole: Bytes) -> None:
        if len(free) < self._kept:
            free.append(whole)
