"""Which elements DARE drops: random numbers that belong to places, not to an order of work."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Drops"]

_A_COUNT = 8
"""Elements that one step of Philox's counter decides: four words of 64 bits, 32 an element."""


class Drops:
    """For one tensor of one version: whether each element is kept.

    Philox is counter-based (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): its
    key comes from the seed, the version's place and the tensor's name, its counter from the
    element's index. So blocks may come in any size and order.
    """

    def __init__(self, seed: int, side: int, name: str, density: float) -> None:
        said = f"{seed}\0{side}\0{name}".encode("utf-8", "surrogatepass")
        self._key = int.from_bytes(hashlib.blake2b(said, digest_size=16).digest(), "little")
        self._limit = round(density * (1 << 32))
        self._bits: np.random.Philox | None = None
        self._next = 0

    def kept(self, at: int, count: int) -> NDArray[np.bool_]:
        """Of the elements from `at` on."""
        if self._limit >= 1 << 32:
            return np.ones(count, np.bool_)
        first = at // _A_COUNT * _A_COUNT
        if self._bits is None or first != self._next:
            self._bits = np.random.Philox(key=self._key, counter=first // _A_COUNT)
        words = (at + count - first + _A_COUNT - 1) // _A_COUNT * (_A_COUNT // 2)
        drawn = self._bits.random_raw(words).astype("<u8", copy=False).view("<u4")
        self._next = first + 2 * words
        return drawn[at - first : at - first + count] < np.uint32(self._limit)
