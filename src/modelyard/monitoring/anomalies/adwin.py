"""ADWIN: a window of the newest values that shrinks when their mean changed.

Bifet and Gavalda, "Learning from Time-Changing Data with Adaptive Windowing" (2007): version 2,
with the bound for values of small variance. Values come one by one or, which is far cheaper, in
blocks; then a change is found at the edge of a block.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["Adwin"]

_LEAST: Final = 5
"""Values on each side of a cut, at least."""
_Part = tuple[float, float, float]
"""Values, their sum, their squared distances from their mean."""


class Adwin:
    """The mean of the newest values, and whether it changed.

    Args:
        delta: Chance that a change is seen where none is, at each look.
        clock: It looks once in so many calls of `add` and `add_block`.
        most: Parts of like size that are kept before two become one: memory grows with the
            logarithm of what was added.
    """

    def __init__(self, delta: float = 0.002, *, clock: int = 32, most: int = 5) -> None:
        self.count = 0.0
        """Values in the window."""
        self.total = 0.0
        self.before = 0.0
        """Mean of what was dropped at the last change."""
        self._m2 = 0.0
        self._delta, self._clock, self._most = delta, clock, most
        self._ticks = 0
        self._rows: list[list[_Part]] = [[]]
        """Parts, the newest in the first row; in each row the oldest first."""

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0

    @property
    def variance(self) -> float:
        return self._m2 / self.count if self.count else 0.0

    @property
    def parts(self) -> int:
        return sum(map(len, self._rows))

    def add(self, value: float) -> bool:
        """Add a value of about 0 to 1. Whether the mean changed."""
        return self.add_block(1.0, value)

    def add_block(self, count: float, mean: float, m2: float = 0.0) -> bool:
        """Add `count` values of this mean whose squared distances from it have the sum `m2`."""
        if count <= 0:
            return False
        apart = mean - self.mean
        self._m2 += m2 + apart * apart * self.count * count / (self.count + count)
        self.count += count
        self.total += mean * count
        self._rows[0].append((count, mean * count, m2))
        self._pack()
        self._ticks += 1
        return self._ticks % self._clock == 0 and self.count > 2 * _LEAST and self._shrink()

    def _pack(self) -> None:
        """Join the two oldest parts of a row that grew too long, into the next row."""
        place = 0
        while len(self._rows[place]) > self._most:
            row = self._rows[place]
            (n, a, v), (m, b, w) = row[0], row[1]
            del row[:2]
            apart = a / n - b / m
            place += 1
            if place == len(self._rows):
                self._rows.append([])
            self._rows[place].append((n + m, a + b, v + w + apart * apart * n * m / (n + m)))

    def _shrink(self) -> bool:
        """Drop the oldest parts as long as some cut has two sides that differ."""
        changed = False
        while (old := self._cut()) is not None:
            self.before = old
            changed = True
            self._drop()
        return changed

    def _cut(self) -> float | None:
        """The mean of the older side, where two sides differ by more than chance."""
        if self.count <= 2 * _LEAST:
            return None
        wide = math.log(2.0 * math.log(self.count) / self._delta)
        variance = max(0.0, self.variance)
        n = total = 0.0
        for row in reversed(self._rows):
            for count, part, _ in row:
                n += count
                total += part
                rest = self.count - n
                if n < _LEAST:
                    continue
                if rest < _LEAST:
                    return None
                inverse = 1.0 / (n - _LEAST + 1) + 1.0 / (rest - _LEAST + 1)
                apart = abs(total / n - (self.total - total) / rest)
                if apart > math.sqrt(2 * inverse * variance * wide) + 2 / 3 * wide * inverse:
                    return total / n
        return None

    def _drop(self) -> None:
        row = self._rows[-1]
        count, total, m2 = row.pop(0)
        while len(self._rows) > 1 and not self._rows[-1]:
            self._rows.pop()
        self.count -= count
        self.total -= total
        if self.count <= 0:
            self.count = self.total = self._m2 = 0.0
            return
        apart = total / count - self.mean
        self._m2 -= m2 + apart * apart * count * self.count / (count + self.count)
        self._m2 = max(0.0, self._m2)
