"""Whether two versions differ: paired tests on the same rows, corrected for asking often."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.core.metrics.interface import Array, Facts, Resampler, Sample

__all__ = [
    "ALPHA",
    "Test",
    "holm",
    "mcnemar",
    "paired_bootstrap",
    "paired_mcnemar",
    "paired_samples",
    "student_quantile",
    "student_tail",
]

ALPHA = 0.05
_EXACT = 25
_MID = 1000
_FEW_BLOCKS = 100
_SMALLEST = 1e-16
"""No chance is told to be smaller: the series is not more exact."""
_NO_SPREAD = 1e-9
"""Of a difference, a spread that is only rounding."""


@dataclass(frozen=True, slots=True)
class Test:
    """A difference, its 95 % interval, and the chance of one as large between equals."""

    difference: float
    low: float
    high: float
    p: float
    name: str


def mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided p of rows that only one of two models got right.

    Exact binomial up to 25 such rows (McNemar, Note on the sampling error of the difference
    between correlated proportions, 1947), mid-p up to 1,000 (Fagerland, Lydersen and Laake, 2013),
    and chi-square with continuity correction (Edwards, 1948) beyond.
    """
    total = only_a + only_b
    if total == 0:
        return 1.0
    if total > _MID:
        return math.erfc(math.sqrt((max(abs(only_a - only_b) - 1, 0)) ** 2 / total / 2))
    fewer = min(only_a, only_b)
    terms = np.array([_log_binomial(total, k) for k in range(fewer + 1)])
    tail = float(np.exp(terms).sum())
    if total <= _EXACT:
        return min(2 * tail, 1.0)
    return min(2 * tail - float(np.exp(terms[-1])), 1.0)


def _log_binomial(total: int, k: int) -> float:
    chosen = math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1)
    return chosen - total * math.log(2)


def paired_mcnemar(right_a: Array, right_b: Array) -> Test:
    """Accuracy of b minus that of a on the same rows.

    The interval is that of Bonett and Price (Adjusted Wald confidence interval for a difference of
    binomial proportions based on paired data, 2012).
    """
    rows = len(right_a)
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    low_p, high_p = (only_a + 1) / (rows + 2), (only_b + 1) / (rows + 2)
    middle = high_p - low_p
    width = 1.959964 * math.sqrt(max(low_p + high_p - middle * middle, 0.0) / (rows + 2))
    difference = (only_b - only_a) / rows
    return Test(
        difference, min(middle - width, difference), max(middle + width, difference),
        mcnemar(only_a, only_b), "McNemar",
    )  # fmt: skip


def paired_bootstrap(a: Facts, b: Facts, metric: str, resampler: Resampler) -> Test | None:
    """The metric of b minus that of a, both resampled alike; None as `paired_samples`."""
    draws = resampler.of(a.rows)
    first, second = a.samples(draws, metric).get(metric), b.samples(draws, metric).get(metric)
    return None if first is None or second is None else paired_samples(first, second, draws.count)


def paired_samples(first: Sample, second: Sample, blocks: int) -> Test | None:
    """The second value minus the first, from resamples of the same blocks of rows.

    None if there are no resamples of one of them, or fewer than two blocks: then nothing is known
    of chance. The interval is that of the percentiles. p is that of a normal distribution with the
    spread of the resamples (Efron and Tibshirani 1993, chapter 12), so that it can be small enough
    for Holm's correction.

    Resamples of n blocks vary less than the blocks do, by n - 1 of n. So with fewer than 100 blocks
    that is put right, and Student's t with n - 1 degrees of freedom gives p and the interval. For a
    mean this is the paired t-test. Where all blocks differ alike there is no spread, and p is that
    of the sign test.
    """
    if first.resampled is None or second.resampled is None or blocks < 2:
        return None
    difference = second.value - first.value
    many = second.resampled - first.resampled
    many = many[np.isfinite(many)]
    if len(many) < 2 or not math.isfinite(difference):
        return None
    spread = float(many.std(ddof=1))
    if spread <= abs(difference) * _NO_SPREAD:
        p = min(2.0 ** (1 - blocks), 1.0) if difference else 1.0
        return Test(difference, difference, difference, p, "paired bootstrap")
    if blocks < _FEW_BLOCKS:
        spread *= math.sqrt(blocks / (blocks - 1))
        p = student_tail(difference / spread, blocks - 1)
        width = spread * student_quantile(blocks - 1)
        return Test(difference, difference - width, difference + width, p, "paired bootstrap")
    low, high = np.percentile(many, (2.5, 97.5))
    p = math.erfc(abs(difference) / spread / math.sqrt(2))
    return Test(
        difference, min(float(low), difference), max(float(high), difference), p,
        "paired bootstrap",
    )  # fmt: skip


def student_tail(t: float, freedom: int) -> float:
    """The chance of |T| >= |t| by Student's distribution with whole degrees of freedom.

    The finite series of Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.7.3
    and 26.7.4.
    """
    angle = math.atan(abs(t) / math.sqrt(freedom))
    cosine, odd = math.cos(angle), freedom % 2
    term = cosine if odd else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(2 + odd, freedom, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    inside = math.sin(angle) * total
    if odd:
        inside = (angle + inside) * 2 / math.pi
    return min(max(1 - inside, _SMALLEST), 1.0)


@cache
def student_quantile(freedom: int) -> float:
    """What |T| exceeds with a chance of `ALPHA`, by halving."""
    low, high = 0.0, 64.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if student_tail(middle, freedom) > ALPHA else (low, middle)
    return high


def holm(chances: Sequence[float]) -> list[float]:
    """p-values corrected for how many were asked for (Holm 1979), in the same order."""
    order = sorted(range(len(chances)), key=lambda i: chances[i])
    corrected, highest = [0.0] * len(chances), 0.0
    for place, i in enumerate(order):
        highest = max(highest, min(chances[i] * (len(chances) - place), 1.0))
        corrected[i] = highest
    return corrected
