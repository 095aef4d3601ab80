"""All tests of all columns of a window at once, and what they have to reach."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from modelyard.core.monitoring import DriftScore
from modelyard.monitoring.drift.chances import (
    chi2_critical,
    chi2_tail,
    kolmogorov_tail,
    normal_tail,
)
from modelyard.monitoring.drift.distances import chi2, js, ks, psi, rank, wasserstein
from modelyard.monitoring.drift.pooling import FEWEST, pooled
from modelyard.monitoring.drift.thresholds import ks_threshold, psi_threshold, rank_threshold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelyard.monitoring.drift.columns import Pair
    from modelyard.monitoring.drift.thresholds import Limits

__all__ = ["Decided", "Tested", "tested"]

Array: TypeAlias = "np.ndarray[Any, Any]"

_NUMBERS: Final[tuple[str, ...]] = ("psi", "ks", "rank", "wasserstein", "js")
_TEXTS: Final[tuple[str, ...]] = ("psi", "chi2", "js")
_DECIDE: Final = 4, 2
"""Tests that decide, of numbers: PSI, KS, ranks, nulls; of texts: chi-square with PSI, nulls."""


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """What tests have to reach; arrays have one element a column."""

    limit: dict[str, Array]
    """By test."""
    ratio: Array
    """The greatest of value by threshold."""


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """Tests of some columns; arrays have one element a column."""

    pairs: Sequence[Pair]
    limits: Limits
    enough: Array
    """bool: rows with a value on both sides."""
    ordered: Array
    """bool: numbers."""
    scale: Array
    """1/n + 1/m."""
    tests: Array
    """How many p-values decide: each has to be this much smaller."""
    psi: Array
    chi2: Array
    freedom: Array
    chi2_p: Array
    """Of PSI too, in the same bins: PSI's own tail is too heavy where bins hold few rows (three
    times at p = 1e-5 with 30 rows a bin)."""
    ks: Array
    ks_p: Array
    rank: Array
    """Cliff's delta, without its sign."""
    z: Array
    rank_p: Array
    js: Array
    wasserstein: Array
    """In standard deviations of the reference; NaN where it has none."""
    nulls: Array
    """Difference of the shares of nulls, without its sign."""
    nulls_chi2: Array
    nulls_p: Array

    @property
    def able(self) -> Array:
        """bool: something can be said of the column."""
        found: Array = self.enough | (self.nulls_chi2 > 0)
        return found

    @property
    def chances(self) -> Array:
        """One p-value a column: its smallest, times the number of its tests."""
        smallest = np.minimum(self.chi2_p, self.nulls_p)
        smallest = np.where(
            self.ordered, np.minimum(smallest, np.minimum(self.ks_p, self.rank_p)), smallest
        )
        found: Array = np.minimum(smallest * self.tests, 1.0)
        return found

    def decided(self, highest: float) -> Decided:
        """What each test has to reach.

        Args:
            highest: The greatest p-value of a column that is significant.
        """
        limits, p = self.limits, highest / self.tests
        least = np.array([limits.answers if pair.answer else limits.psi for pair in self.pairs])
        critical = chi2_critical(p, self.freedom)
        limit = {
            "psi": psi_threshold(critical, least, self.freedom, self.scale),
            "ks": ks_threshold(p, limits.ks, self.scale),
            "rank": rank_threshold(p, limits.rank, self.rank, self.z),
            "chi2": critical,
            "nulls": np.full(len(p), limits.nulls),
        }
        nulls_critical = chi2_critical(p, np.ones(len(p)))
        numbers = self.enough & self.ordered
        with np.errstate(divide="ignore", invalid="ignore"):
            psi_part = np.minimum(self.psi / limit["psi"], self.chi2 / critical)
            parts = np.stack([
                np.where(self.enough, psi_part, 0),
                np.where(numbers, self.ks / limit["ks"], 0),
                np.where(numbers, self.rank / limit["rank"], 0),
                np.minimum(self.nulls / limits.nulls, self.nulls_chi2 / nulls_critical),
            ])  # fmt: skip
        return Decided(limit, np.where(np.isfinite(parts), parts, 0.0).max(axis=0))

    def scores(self, i: int, decided: Decided) -> tuple[DriftScore, ...]:
        """What the tests of a column say."""
        names = () if not self.enough[i] else _NUMBERS if self.ordered[i] else _TEXTS
        if self.pairs[i].window_nulls or self.pairs[i].reference_nulls:
            names = (*names, "nulls")
        found = (self._score(name, i, decided.limit.get(name)) for name in names)
        return tuple(score for score in found if score.value == score.value)

    def _score(self, name: str, i: int, limit: Array | None) -> DriftScore:
        value, p = {
            "psi": (self.psi, self.chi2_p), "ks": (self.ks, self.ks_p),
            "rank": (self.rank, self.rank_p), "chi2": (self.chi2, self.chi2_p),
            "nulls": (self.nulls, self.nulls_p), "js": (self.js, None),
            "wasserstein": (self.wasserstein, None),
        }[name]  # fmt: skip
        return DriftScore(
            test=name, value=float(value[i]),
            threshold=None if limit is None else float(limit[i]),
            p=None if p is None else float(p[i]),
        )  # fmt: skip


def tested(pairs: Sequence[Pair], limits: Limits) -> Tested:
    """Every test of every column."""
    window = _stacked(pair.window for pair in pairs)
    reference = _stacked(pair.reference for pair in pairs)
    bins = max(window.shape[1], reference.shape[1])
    window, reference = _widened(window, bins), _widened(reference, bins)
    ordered = np.array([pair.column.kind == "number" for pair in pairs], bool)
    n, m = window.sum(axis=1), reference.sum(axis=1)
    enough = (n >= limits.rows) & (m >= limits.rows)
    scale = 1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)
    full, then = pooled(window, reference, ordered)
    statistic, freedom = chi2(full, then)
    delta, z = rank(window, reference)
    gaps = ks(window, reference)
    nulls, nulls_chi2 = _nulls(pairs, limits)

    def chance(p: Array) -> Array:
        found: Array = np.where(enough, p, 1.0)
        return found

    ks_p = kolmogorov_tail(gaps / np.sqrt(scale))
    return Tested(
        pairs=pairs, limits=limits, enough=enough, ordered=ordered, scale=scale,
        tests=np.where(ordered, *_DECIDE) * np.array([float(pair.candidates) for pair in pairs]),
        psi=psi(full, then), chi2=statistic, freedom=freedom,
        chi2_p=chance(chi2_tail(statistic, freedom)), ks=gaps, ks_p=chance(ks_p),
        rank=np.abs(delta), z=z, rank_p=chance(normal_tail(z)), js=js(window, reference),
        wasserstein=_wasserstein(pairs, window, reference), nulls=nulls, nulls_chi2=nulls_chi2,
        nulls_p=chi2_tail(nulls_chi2, 1.0),
    )  # fmt: skip


def _nulls(pairs: Sequence[Pair], limits: Limits) -> tuple[Array, Array]:
    """Difference of shares, and Pearson's statistic of it (0 where there are too few)."""
    now = np.array([[pair.window_nulls, pair.window.sum()] for pair in pairs], float)
    then = np.array([[pair.reference_nulls, pair.reference.sum()] for pair in pairs], float)
    now, then = now.reshape(-1, 2), then.reshape(-1, 2)
    n, m = now.sum(axis=1), then.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.abs(now[:, 0] / n - then[:, 0] / m)
        expected = ((now + then) * (np.minimum(n, m) / (n + m))[:, None]).min(axis=1)
    fine = (np.minimum(n, m) >= limits.rows) & (expected >= FEWEST)
    statistic, _ = chi2(now, then)
    return np.where(np.isfinite(apart), apart, 0.0), np.where(fine, statistic, 0.0)


def _wasserstein(pairs: Sequence[Pair], window: Array, reference: Array) -> Array:
    """By edges; never less than the distance of the means, which it can't be, and which is known
    exactly."""
    found = np.full(len(pairs), np.nan)
    real = [
        (i, pair, (*pair.window_moments, *pair.reference_moments)) for i, pair in enumerate(pairs)
        if pair.window_moments and pair.reference_moments and np.isfinite(pair.high - pair.low)
    ]  # fmt: skip
    if not real:
        return found
    edges = np.full((len(real), window.shape[1] - 1), np.nan)
    for place, (_, pair, _) in enumerate(real):
        edges[place, : len(pair.column.edges)] = pair.column.edges
    ends = np.array([_ends(pair) for _, pair, _ in real])
    own = [i for i, _, _ in real]
    moved = wasserstein(window[own], reference[own], edges, ends[:, 0], ends[:, 1])
    mean, _, reference_mean, reference_std = np.array([moments for *_, moments in real]).T
    moved = np.maximum(moved, np.abs(mean - reference_mean))
    found[own] = np.divide(
        moved, reference_std, out=np.full(len(real), np.nan), where=reference_std > 0
    )
    return found


def _ends(pair: Pair) -> tuple[float, float]:
    """Where the outer bins end, if the reference's tails fall off as between its last two edges
    (exponentially) and not with its extreme values."""
    edges, counts = pair.column.edges, pair.reference
    if len(edges) < 2:
        return pair.low, pair.high
    below, above = _tail(counts[0], counts[1]), _tail(counts[-1], counts[-2])
    low = edges[0] - 2 * below * (edges[1] - edges[0])
    high = edges[-1] + 2 * above * (edges[-1] - edges[-2])
    return max(pair.low, low), min(pair.high, high)


def _tail(outer: float, inner: float) -> float:
    """Mean distance of values beyond an edge from it, in widths of the bin before it."""
    return 1 / math.log1p(inner / outer) if outer > 0 and inner > 0 else math.inf


def _stacked(rows: Iterable[Array]) -> Array:
    """One array [columns, most bins], filled up with zeros."""
    kept = list(rows)
    whole = np.zeros((len(kept), max((len(row) for row in kept), default=1)))
    for i, row in enumerate(kept):
        whole[i, : len(row)] = row
    return whole


def _widened(counts: Array, bins: int) -> Array:
    return np.pad(counts, ((0, 0), (0, bins - counts.shape[1])))
