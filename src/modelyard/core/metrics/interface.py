"""What the suites share: sums over blocks of rows, resampled.

Rows are put at random into at most 1,000 blocks of equal size. Every metric is a function of sums
over rows, so that a resample needs only the sums of its blocks: O(rows) once, then O(resamples x
blocks x sums). With no more rows than blocks each row is its own block, and this is the bootstrap
of Efron and Tibshirani (An Introduction to the Bootstrap, 1993); with more it is the same for
blocks, whose sums vary just as those of their rows do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.evaluation import Measure

__all__ = [
    "BLOCKS",
    "RESAMPLES",
    "Array",
    "Draws",
    "Facts",
    "Resampler",
    "Sample",
    "block_counts",
    "block_sums",
    "measures_of",
]

Array = np.ndarray[Any, Any]

BLOCKS = 1000
RESAMPLES = 1000
_PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Draws:
    """Resamples of some rows: the block of each row, and how often each resample took a block."""

    blocks: Array
    """Shape (rows,): the block of each row."""
    count: int
    """How many blocks there are."""
    weights: Array
    """Shape (resamples, blocks), whole numbers as float32; each row sums to `count`."""

    @property
    def exact(self) -> bool:
        """Each row is its own block."""
        return self.count == len(self.blocks)

    def spread(self, sums: Array) -> Array:
        """Sums of each resample, shape (resamples, sums), from sums of blocks."""
        if np.issubdtype(sums.dtype, np.floating) and sums.dtype.itemsize > 4:
            spread: Array = self.weights.astype(np.float64) @ sums
            return spread
        # counts stay below 2^24, where float32 is exact
        return (self.weights @ sums.astype(np.float32)).astype(np.float64)


class Resampler:
    """Makes resamples, the same for the same seed and number of rows."""

    def __init__(self, seed: int = 0, resamples: int = RESAMPLES) -> None:
        self.seed = seed
        self.resamples = resamples
        self._weights: dict[int, Array] = {}

    def of(self, rows: int) -> Draws:
        """Resamples of so many rows."""
        count = min(rows, BLOCKS)
        blocks = np.arange(rows)
        if count < rows:
            blocks = np.random.default_rng([self.seed, rows]).permutation(rows) % count
        if count not in self._weights:
            self._weights[count] = self._draw(count)
        return Draws(blocks, count, self._weights[count])

    def _draw(self, count: int) -> Array:
        rng = np.random.default_rng([self.seed, count, self.resamples])
        drawn = rng.integers(0, count, (self.resamples, count))
        drawn += np.arange(self.resamples)[:, None] * count
        found = np.bincount(drawn.ravel(), minlength=self.resamples * count)
        return found.reshape(self.resamples, count).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Sample:
    """A metric: its value on the rows as they are, and its value in each resample."""

    value: float
    resampled: Array | None = None
    """Shape (resamples,); NaN where a resample has no value; None where none were made."""


class Facts(Protocol):
    """What is known of rows that a model was asked about."""

    @property
    def rows(self) -> int:
        """How many."""

    def take(self, rows: Array) -> Self:
        """Facts about some of the rows: indices or a mask."""

    def samples(self, draws: Draws, only: str | None = None) -> Mapping[str, Sample]:
        """Every metric with its resamples, or one of them; those without a value are left out."""

    def outcomes(self) -> Mapping[str, Array]:
        """Columns by row from which `from_outcomes` makes facts that two versions share."""


def measures_of(facts: Facts, resampler: Resampler) -> tuple[Measure, ...]:
    """Every metric with its 95 % percentile interval."""
    from modelyard.core.evaluation import Measure

    found = facts.samples(resampler.of(facts.rows))
    made = []
    for name, sample in found.items():
        if np.isfinite(sample.value):
            made.append(Measure(name, float(sample.value), *_interval(sample)))
    return tuple(made)


def _interval(sample: Sample) -> tuple[float | None, float | None]:
    if sample.resampled is None:
        return None, None
    known = sample.resampled[np.isfinite(sample.resampled)]
    if len(known) < len(sample.resampled) / 2:
        return None, None
    low, high = np.percentile(known, _PERCENTILES)
    return min(float(low), sample.value), max(float(high), sample.value)


def block_sums(columns: Array, draws: Draws) -> Array:
    """Sums of columns by block: shape (rows, columns) becomes (blocks, columns), float64."""
    return np.column_stack([np.bincount(draws.blocks, column, draws.count) for column in columns.T])


def block_counts(codes: Array, kinds: int, draws: Draws) -> Array:
    """How often each code stands in each block, shape (blocks, kinds)."""
    joint = np.bincount(draws.blocks * kinds + codes, minlength=draws.count * kinds)
    return joint.reshape(draws.count, kinds)
