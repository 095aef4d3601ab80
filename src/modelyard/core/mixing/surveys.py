"""What must be known of a whole tensor before its first element can be mixed.

A survey is shown the tensor block by block, in any order and by several threads, as often as it
asks. What it finds does not depend on blocks or order: counts are whole numbers, and sums are taken
over fixed grains and then added exactly.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from modelyard.core.mixing.numbers import GRAIN, Room, magnitudes, widen, working

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from modelyard.core.mixing.mix import Mix
    from modelyard.core.mixing.numbers import Bytes

__all__ = ["Arc", "Survey", "Trim", "survey_of"]

Facts = tuple[float | int, ...]

_DOT = 1 << 13
"""Below the size at which BLAS would use threads of its own."""
_COLINEAR = 0.9995
_BINS = 1 << 16
_WORD = np.dtype(np.intp)
_COUNTED = 1 << 19
"""Elements that are counted at once: each takes a word of 8 bytes."""


class Survey(Protocol):
    """One tensor's."""

    facts: Facts | None
    """What was found; None as long as the tensor must be shown once more."""

    def add(self, at: int, sides: Sequence[Bytes], base: Bytes | None, room: Room) -> None:
        """Look at raw bytes of all versions, from element `at` on: a multiple of `GRAIN`."""

    def finish(self) -> None:
        """The whole tensor was shown."""


def survey_of(mix: Mix, dtype: str, elements: int) -> Survey | None:
    """What this method wants to know of a tensor; None if nothing."""
    if mix.method == "slerp":
        return Arc(mix.weights[1], dtype)
    if mix.method == "ties" and mix.density < 1:
        return Trim(mix.density, len(mix.weights), dtype, elements)
    return None


class Arc:
    """The factors of slerp: where on the arc from one vector to the other the result lies.

    K. Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985: sin((1-t)w)/sin(w) and
    sin(tw)/sin(w), with w the angle between the tensors seen as flat vectors. Nearly colinear ones
    (|cos w| > 0.9995), where the quotient of small sines says nothing, are mixed in a straight
    line, and so is a tensor that is all 0.
    """

    def __init__(self, t: float, dtype: str) -> None:
        self.facts: Facts | None = None
        self._t = t
        self._dtype = dtype
        self._sums: dict[int, tuple[float, float, float]] = {}

    def add(self, at: int, sides: Sequence[Bytes], base: Bytes | None, room: Room) -> None:
        width = _itemsize(self._dtype)
        a, b = (room.take(f"dot{i}", _DOT, np.dtype("<f8")) for i in range(2))
        with np.errstate(all="ignore"):
            for start in range(0, len(sides[0]) // width, GRAIN):
                part = slice(start * width, (start + GRAIN) * width)
                x, y = (widen(s[part], self._dtype, f"side{i}", room) for i, s in enumerate(sides))
                for i in range(0, len(x), _DOT):
                    u, v = a[: len(x) - i], b[: len(x) - i]
                    np.copyto(u, x[i : i + _DOT])
                    np.copyto(v, y[i : i + _DOT])
                    self._sums[at + start + i] = float(u @ u), float(v @ v), float(u @ v)

    def finish(self) -> None:
        xx, yy, xy = (_sum(column) for column in zip(*self._sums.values(), strict=True))
        t = self._t
        cosine = xy / math.sqrt(xx) / math.sqrt(yy) if xx > 0 and yy > 0 else 1.0
        if not abs(cosine) <= _COLINEAR:
            self.facts = (1 - t, t)
            return
        angle = math.acos(cosine)
        self.facts = (math.sin((1 - t) * angle) / math.sin(angle),
                      math.sin(t * angle) / math.sin(angle))  # fmt: skip


def _sum(terms: Sequence[float]) -> float:
    return math.fsum(terms) if all(map(math.isfinite, terms)) else math.inf


class Trim:
    """The smallest change of each version that TIES keeps, exact, in fixed memory.

    The k-th largest of the absolute changes, as a bit pattern, is found digit by digit: a pass
    counts how many changes begin with each pattern of 16 bits, the next looks only at those that
    begin as the k-th does. A tensor that is shown in one piece is partitioned instead.
    """

    def __init__(self, density: float, count: int, dtype: str, elements: int) -> None:
        self.facts: Facts | None = None
        self._dtype = dtype
        self._elements = elements
        self._number = working(dtype)
        self._bits = np.dtype(f"<u{self._number.itemsize}")
        self._lock = threading.Lock()
        self._shift = 8 * self._number.itemsize - 1  # bits below those that are known
        self._known = [0] * count
        keep = min(max(1, round(density * elements)), elements)
        self._rank = [keep] * count  # the k-th largest among those that begin as known
        self._counts = [np.zeros(_BINS, np.int64) for _ in range(count)]

    def add(self, at: int, sides: Sequence[Bytes], base: Bytes | None, room: Room) -> None:
        assert base is not None
        width = _itemsize(self._dtype)
        if len(base) // width == self._elements:
            self.facts = tuple(
                self._kth(self._magnitudes(side, base, room), rank)
                for side, rank in zip(sides, self._rank, strict=True)
            )
            return
        for start in range(0, len(base), _COUNTED * width):
            part = slice(start, start + _COUNTED * width)
            for i, side in enumerate(sides):
                self._count(i, self._magnitudes(side[part], base[part], room), room)

    def finish(self) -> None:
        if self.facts is not None:
            return
        below = max(self._shift - 16, 0)
        for i, counts in enumerate(self._counts):
            larger = np.cumsum(counts[::-1])
            place = int(np.searchsorted(larger, self._rank[i]))
            if place:
                self._rank[i] -= int(larger[place - 1])
            digit = _BINS - 1 - place
            self._known[i] = (self._known[i] << (self._shift - below)) | digit
            counts[:] = 0
        self._shift = below
        if below == 0:
            self.facts = tuple(self._known)

    def _kth(self, sizes: NDArray[Any], rank: int) -> int:
        place = len(sizes) - rank
        sizes.partition(place)
        return int(sizes[place])

    def _magnitudes(self, side: Bytes, base: Bytes, room: Room) -> NDArray[Any]:
        width = _itemsize(self._dtype)
        sizes = room.take("sizes", len(base) // width, self._bits)
        with np.errstate(all="ignore"):
            for start in range(0, len(sizes), GRAIN):
                part = slice(start * width, min((start + GRAIN) * width, len(base)))
                change = room.take("change", (part.stop - part.start) // width, self._number)
                x = widen(side[part], self._dtype, "side", room)
                np.subtract(x, widen(base[part], self._dtype, "base", room), out=change)
                magnitudes(change, sizes[start : start + len(change)])
        return sizes

    def _count(self, i: int, sizes: NDArray[Any], room: Room) -> None:
        below = max(self._shift - 16, 0)
        first = self._shift == 8 * self._number.itemsize - 1
        if not first:
            begins = np.right_shift(sizes, self._bits.type(self._shift)) == self._known[i]
            sizes = sizes[begins]
        digits = room.take("digits", len(sizes), _WORD)
        np.right_shift(sizes, self._bits.type(below), out=digits, casting="unsafe")
        np.bitwise_and(digits, (1 << (self._shift - below)) - 1, out=digits)
        counts = np.bincount(digits, minlength=_BINS)
        with self._lock:
            self._counts[i] += counts


def _itemsize(dtype: str) -> int:
    return {"float64": 8, "float32": 4}.get(dtype, 2)
