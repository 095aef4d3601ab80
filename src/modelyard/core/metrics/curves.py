"""The area under the ROC curve: exact by sorting, resampled by histograms of ranks.

Hanley and McNeil, The meaning and use of the area under a ROC curve, 1982: the area is the chance
that a row of the class scores higher than one that is not, where equal scores count half.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from modelyard.core.metrics.interface import Array, Draws

__all__ = ["area", "auc_samples"]


def auc_samples(
    scores: Array, positive: Array, draws: Draws | None, *, bins: int
) -> tuple[float, Array | None]:
    """The area, and the area in each resample.

    The value is exact. Resamples are exact up to 1,000 rows; beyond, scores go into bins of equal
    numbers of rows, within which order is lost: each area is off by less than 1 / (2 x bins), and
    what that does to the value itself is taken off again.

    Args:
        scores: Shape (rows,).
        positive: Shape (rows,): whether the row is of the class.
    """
    order = np.argsort(scores, kind="stable")
    ordered, is_one = scores[order], positive[order].astype(np.float64)
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    ones = np.add.reduceat(is_one, starts)
    sizes = np.diff(np.append(starts, len(ordered)))
    value = float(area(ones[None], (sizes - ones)[None])[0])
    if draws is None:
        return value, None
    if draws.exact:
        weights = draws.weights.astype(np.float64)[:, order]
        many_ones = np.add.reduceat(weights * is_one, starts, axis=1)
        many = np.add.reduceat(weights, starts, axis=1) - many_ones
        return value, area(many_ones, many)
    bin_of_group = starts * bins // len(ordered)
    row_bins = np.empty(len(ordered), np.int64)
    row_bins[order] = np.repeat(bin_of_group, sizes)
    joint = (draws.blocks * 2 + positive) * bins + row_bins
    sums = np.bincount(joint, minlength=draws.count * 2 * bins).reshape(draws.count, 2 * bins)
    used = np.flatnonzero(np.bincount(bin_of_group, minlength=bins))
    sums = sums[:, np.concatenate([used, used + bins])]
    total, spread = sums.sum(axis=0)[None].astype(np.float64), draws.spread(sums)
    coarse = float(area(total[:, len(used) :], total[:, : len(used)])[0])
    return value, area(spread[:, len(used) :], spread[:, : len(used)]) + (value - coarse)


def area(ones: Array, others: Array) -> Array:
    """From numbers of rows in bins of rising score, shape (..., bins); NaN without both kinds."""
    before = np.cumsum(others, axis=-1) - others / 2
    pairs = ones.sum(axis=-1) * others.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = (ones * before).sum(axis=-1) / pairs
    return found
