"""Distances between two distributions: of counts in the same bins, or of the values themselves.

Counts are arrays [..., bins]: all columns of a window are compared at once, and results have the
shape [...]. Columns with fewer bins are filled up with zeros, which change nothing.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np

__all__ = [
    "chi2", "js", "js_of_values", "ks", "ks_of_values", "psi", "psi_of_values", "rank", "shares",
    "total_variation", "wasserstein", "wasserstein_of_values",
]  # fmt: skip

Array: TypeAlias = "np.ndarray[Any, Any]"

HALF: Final = 0.5
"""What an empty bin is taken for where only the other side has rows: half a row."""


def shares(counts: Array) -> Array:
    """Float64 of the same shape: of each row of counts, parts of 1 (zeros if it is empty)."""
    total = counts.sum(axis=-1, keepdims=True)
    found: Array = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    return found


def psi(window: Array, reference: Array) -> Array:
    """Population stability index: sum of (w - r) ln(w / r) over bins, w and r shares.

    It is the symmetric Kullback-Leibler divergence. A bin that is empty on one side counts there as
    half a row; one that is empty on both counts nothing.
    """
    w, r = _not_empty(window, reference), _not_empty(reference, window)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = (w - r) * np.log(w / r)
    found: Array = np.where(np.isfinite(parts), parts, 0.0).sum(axis=-1)
    return found


def js(window: Array, reference: Array) -> Array:
    """Jensen-Shannon distance: the root of the divergence in nats, from 0 to sqrt(ln 2) = 0.833.

    As `scipy.spatial.distance.jensenshannon` (base e), which Evidently uses too.
    """
    w, r = shares(window), shares(reference)
    middle = (w + r) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(w > 0, w * np.log(w / middle), 0) + np.where(
            r > 0, r * np.log(r / middle), 0
        )
    root: Array = np.sqrt(np.maximum(parts.sum(axis=-1) / 2, 0.0))
    return root


def ks(window: Array, reference: Array) -> Array:
    """Largest distance of the two cumulative distributions at the ends of bins.

    Between ends it may be larger, so this is a lower bound of the Kolmogorov-Smirnov statistic, and
    a p-value made from it is never too small.
    """
    gaps: Array = np.abs(np.cumsum(shares(window) - shares(reference), axis=-1)).max(axis=-1)
    return gaps


def rank(window: Array, reference: Array) -> tuple[Array, Array]:
    """Mann-Whitney from counts in ordered bins: (Cliff's delta, z), each [...].

    Delta is P(window > reference) - P(window < reference), from -1 to 1; z its standard score if
    nothing changed, corrected for ties (all values of one bin are tied).
    """
    n, m = window.sum(axis=-1), reference.sum(axis=-1)
    w, r = shares(window), shares(reference)
    below = np.cumsum(r, axis=-1) - r
    delta = (w * (2 * below + r - 1)).sum(axis=-1)
    both = (window + reference).astype(float)
    total = both.sum(axis=-1)
    ties = (both**3 - both).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (total + 1 - ties / (total * (total - 1))) / (3.0 * n * m)
        z = delta / np.sqrt(spread)
    return delta, np.where(np.isfinite(z), z, 0.0)


def total_variation(window: Array, reference: Array) -> Array:
    """Half the sum of differences of shares: the part of rows that lies elsewhere."""
    half: Array = np.abs(shares(window) - shares(reference)).sum(axis=-1) / 2
    return half


def chi2(window: Array, reference: Array) -> tuple[Array, Array]:
    """Pearson's statistic of homogeneity of two samples, and its degrees of freedom, each [...].

    `chances.chi2_tail` makes the p-value of them, if no bin is expected to have very few rows:
    `pooling.pooled` sees to that.
    """
    n = window.sum(axis=-1, keepdims=True).astype(float)
    m = reference.sum(axis=-1, keepdims=True).astype(float)
    both = window + reference
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = (window * np.sqrt(m / n) - reference * np.sqrt(n / m)) ** 2 / both
    value = np.where(np.isfinite(parts), parts, 0.0).sum(axis=-1)
    return value, np.maximum((both > 0).sum(axis=-1) - 1, 0)


def wasserstein(
    window: Array, reference: Array, edges: Array, low: Array | float, high: Array | float
) -> Array:
    """Earth mover's distance, in units of the column: values are spread evenly within each bin.

    Args:
        window, reference: [..., bins].
        edges: [..., bins - 1], ascending; NaN where a column has fewer.
        low, high: [...]: where the outer bins end: the least and the greatest value, or, where
            tails are long, twice as far from the edge as values of the bin are in the mean.
    """
    low, high = np.asarray(low, float)[..., None], np.asarray(high, float)[..., None]
    ends = np.clip(np.where(np.isnan(edges), high, edges), low, high)
    shape = np.broadcast_shapes(ends.shape[:-1], low.shape[:-1])
    ends = np.concatenate(
        [np.broadcast_to(part, (*shape, part.shape[-1])) for part in (low, ends, high)], axis=-1
    )
    gaps = np.cumsum(shares(window) - shares(reference), axis=-1)
    before = np.concatenate([np.zeros((*gaps.shape[:-1], 1)), gaps[..., :-1]], axis=-1)
    one, two = np.abs(before), np.abs(gaps)
    crosses = before * gaps < 0
    with np.errstate(divide="ignore", invalid="ignore"):
        area = np.where(crosses, (one**2 + two**2) / (2 * (one + two)), (one + two) / 2)
    moved: Array = (area * np.diff(ends, axis=-1)).sum(axis=-1)
    return moved


def ks_of_values(window: Array, reference: Array) -> float:
    """The Kolmogorov-Smirnov statistic of two samples of finite numbers, exactly."""
    one, two = np.sort(window), np.sort(reference)
    both = np.concatenate([one, two])
    gaps = np.searchsorted(one, both, "right") / len(one) - np.searchsorted(
        two, both, "right"
    ) / len(two)
    return float(np.abs(gaps).max())


def wasserstein_of_values(window: Array, reference: Array) -> float:
    """Earth mover's distance of two samples of finite numbers, exactly, in their units.

    Divided by the standard deviation of the reference it is Evidently's and ours.
    """
    one, two = np.sort(window), np.sort(reference)
    if len(one) == len(two):
        return float(np.abs(one - two).mean())
    both = np.sort(np.concatenate([one, two]), kind="stable")
    gaps = np.searchsorted(one, both[:-1], "right") / len(one) - np.searchsorted(
        two, both[:-1], "right"
    ) / len(two)
    return float((np.abs(gaps) * np.diff(both)).sum())


def psi_of_values(window: Array, reference: Array, edges: Array) -> float:
    """`psi` of two samples of finite numbers, in the bins between `edges` (inner ends)."""
    return float(psi(_binned(window, edges), _binned(reference, edges)))


def js_of_values(window: Array, reference: Array, edges: Array) -> float:
    """`js` of two samples of finite numbers, in the bins between `edges` (inner ends)."""
    return float(js(_binned(window, edges), _binned(reference, edges)))


def _binned(values: Array, edges: Array) -> Array:
    """Bin i is (edges[i - 1], edges[i]], as in tiles."""
    return np.bincount(np.searchsorted(edges, values, "left"), minlength=len(edges) + 1)


def _not_empty(counts: Array, other: Array) -> Array:
    total = counts.sum(axis=-1, keepdims=True)
    kept = np.where((counts == 0) & (other > 0), HALF, counts)
    found: Array = np.divide(kept, total, out=np.zeros(kept.shape), where=total > 0)
    return found
