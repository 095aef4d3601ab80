"""A profile: what a version's traffic is compared with. Only the value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.monitoring.calibration import IDENTITY, Calibration

if TYPE_CHECKING:
    from modelyard.core.monitoring import Schema
    from modelyard.monitoring.outputs import Scoring
    from modelyard.monitoring.rows import Array
    from modelyard.monitoring.tiles import Tile

__all__ = ["HASHES", "SAMPLE", "Profile"]

SAMPLE: Final = 2_000
"""Rows that are kept as they are, at most."""
HASHES: Final = 20_000


@dataclass(slots=True, eq=False)
class Profile:
    """A version's reference: its distribution, and a few of its rows."""

    schema: Schema
    tile: Tile
    """Of all rows, with their truth if it was there."""
    calibration: Calibration = IDENTITY
    mean: Array = field(default_factory=lambda: np.zeros(0))
    """float64 [numbers]: of the columns of numbers, in the schema's order."""
    covariance: Array = field(default_factory=lambda: np.zeros((0, 0)))
    """float64 [numbers, numbers]; a missing value counts as the mean. Of more than 128 columns only
    the diagonal is known."""
    spreads: tuple[Array, ...] = ()
    """Of each vector, float64 [width]: the variance of its elements (after `vectors.shrunk`). Its
    centroid is `tile.vectors[i].total / rows`."""
    numbers: Array = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """float32 [sample, numbers]: a random sample of at most 2,000 rows; NaN: no value."""
    categories: Array = field(default_factory=lambda: np.zeros((0, 0), np.int32))
    """int32 [sample, categories]: places of categories, as `categories.Places` gives them."""
    vectors: tuple[Array, ...] = ()
    """Of each vector, float32 [sample, width], after `vectors.shrunk`."""
    confidence: Array = field(default_factory=lambda: np.zeros(0, np.float32))
    """float32 [sample]: the highest score; NaN: none."""
    hashes: Array = field(default_factory=lambda: np.zeros(0, np.uint64))
    """uint64, ascending: the lowest 20,000 `row_hashes` of the rows; of fewer rows, all."""
    residuals: Array = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """float32 [targets, bins]: what calibrated scores get wrong in each bin of each column
    (`quality.residuals`); empty if the truth is not known."""
    scoring: Scoring | None = None
    """How the version's scores are read; None: nobody decided it, and every batch does."""

    @property
    def hash_limit(self) -> int:
        """Whether a row with a hash up to this was among the reference's is known."""
        return int(self.hashes[-1]) if len(self.hashes) >= HASHES else 2**64 - 1
