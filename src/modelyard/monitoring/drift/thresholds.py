"""From p-values to decisions: what a test has to reach at these sizes of samples.

A change is told of if it is no accident (Benjamini and Hochberg, 1995, over all columns, each with
several tests) *and* large enough to matter. With many rows the second decides, with few the first.

The distribution of PSI when nothing changed is (1/n + 1/m) times chi-square with bins - 1 degrees
of freedom (Yurdakul and Naranjo, 2020), so that 0.1 and 0.25, which are often read, mean nothing
without the sizes: of 100 rows on either side in 32 bins PSI is 0.6 when nothing changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from modelyard.monitoring.drift.chances import kolmogorov_critical, normal_critical

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LIMITS", "Limits", "highest_p", "ks_threshold", "psi_threshold", "rank_threshold"]

Array: TypeAlias = "np.ndarray[Any, Any]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What counts as drift. The defaults find a shift by a quarter of a standard deviation within
    2,000 rows, and tell of a window in which nothing changed once in more than 10,000."""

    level: float = 5e-4
    """False discoveries among the columns told of; if nothing changed, windows told of."""
    rows: int = 100
    """Fewer rows, in the window or the reference, tell nothing."""
    psi: float = 0.02
    """PSI beyond what its sample sizes explain: as a shift by 0.14 standard deviations makes."""
    ks: float = 0.05
    """As a shift by 0.125 standard deviations makes."""
    rank: float = 0.07
    """Cliff's delta: the same."""
    answers: float = 0.005
    """PSI of predictions: what comes out matters sooner."""
    nulls: float = 0.01
    """Difference of the shares of rows without a value."""
    centroid: float = 0.1
    """Of vectors: distance of the means, in root mean square distances of a row from the mean."""
    mmd: float = 0.05
    """Of vectors: distance of the distributions, from 0 to 1.4."""
    correlation: float = 0.15
    """Root of the sum of squared differences of correlations: as one of them by 0.15."""
    auc: float = 0.55
    """How well window and reference can be told apart; 0.5: not at all."""


LIMITS = Limits()


def highest_p(chances: Sequence[float] | Array, level: float) -> float:
    """The greatest p-value that is still significant: Benjamini and Hochberg's step-up.

    If none is, what a single column would have to reach: `level` divided by the number of columns.
    """
    ordered = np.sort(np.asarray(chances, float))
    if not len(ordered):
        return level
    steps = level * np.arange(1, len(ordered) + 1) / len(ordered)
    passed = np.flatnonzero(ordered <= steps)
    return float(steps[passed[-1]] if len(passed) else steps[0])


def psi_threshold(critical: Array, least: Array, freedom: Array, scale: Array) -> Array:
    """What PSI has to reach: no accident, and `least` beyond its mean when nothing changed.

    Args:
        critical: Of chi-square with these degrees of freedom.
        freedom: Bins that are filled, less one.
        scale: 1/n + 1/m of the numbers of rows.
    """
    reached: Array = np.maximum(critical * scale, least + freedom * scale)
    return reached


def ks_threshold(p: Array, least: float, scale: Array) -> Array:
    """What the KS statistic has to reach."""
    reached: Array = np.maximum(kolmogorov_critical(p) * np.sqrt(scale), least)
    return reached


def rank_threshold(p: Array, least: float, delta: Array, z: Array) -> Array:
    """What Cliff's delta has to reach; its spread is told by how it was standardised."""
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.abs(delta / z)
    critical = np.array([normal_critical(float(each) / 2) for each in p])
    reached: Array = critical * np.where(np.isfinite(spread), spread, 0.0)
    return np.maximum(reached, least)
