"""What single rows are held against: how far from a reference they are, how near to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.monitoring.categories import Places
from modelyard.monitoring.hashing import row_hashes
from modelyard.monitoring.vectors import shrunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.monitoring.profiles import Profile
    from modelyard.monitoring.rows import Array, Rows

__all__ = ["EVEN_BINS", "Looked", "Yardstick", "picked", "together"]

EVEN_BINS: Final = 16
"""Bins of the same width over a column's range."""
_COLUMNS: Final = 64
"""Columns of numbers that are looked at."""
_SPREAD_OVER: Final = 32
"""Of them, those whose range is looked at."""
_PROJECTED: Final = 16
"""Numbers that are made of each vector."""
_TABLE: Final = 8
"""Projections whose cells say which rows are near each other."""
_LEAST: Final = 100
"""Rows of the reference that it takes."""
_CUT: Final = 0.005
"""Share of the reference's own rows that lie outside."""
_NEAR: Final = 0.02
"""Share of the reference's own rows that may look near others."""
_WIDTHS: Final = (0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.004)
"""Of cells, in standard deviations."""
_FARTHEST: Final = 50.0
"""Standard deviations beyond which nothing is told apart."""
_EDGE: Final = 0.1
"""Between the two highest scores: nearer to the boundary of two classes than that is at it."""
_SEED: Final = 8


@dataclass(slots=True, eq=False)
class Looked:
    """Some rows, held against a reference."""

    hashes: list[int]
    """Of the whole row: who asks again and again asks nothing new."""
    outside: list[bool]
    cells: list[tuple[int, int]]
    """Rows with one in common are near each other; empty if that can't be told."""
    even: Array
    """int64 [rows, columns]: places in a histogram of all columns; -1: beyond the range."""
    edge: list[bool]
    """Of rows with scores; else empty."""
    points: Array
    """float64 [rows, dimensions], in standard deviations of the reference."""


class Yardstick:
    """Made of a reference, once. `of` gives None if it has too few rows."""

    def __init__(self, profile: Profile, points: Array) -> None:
        """
        Args:
            points: float64 [rows, dimensions] of the sample, not yet scaled.
        """
        random = np.random.default_rng(_SEED)
        self._places = [Places(c.categories) for c in profile.schema.of_kind("category")]
        self._mean = points.mean(axis=0)
        self._scale = points.std(axis=0)
        self._varies = self._scale > 1e-12 * (1 + np.abs(self._mean))
        self._scale[~self._varies] = 1.0
        self.dimensions = int(self._varies.sum())
        scaled = self._scaled(points)
        wide = scaled.shape[1]
        self.cut = _cross_cut(scaled)
        self._white = _whitening(scaled)
        turn = random.normal(size=(wide, _TABLE))
        turn /= np.maximum(np.sqrt((turn**2).sum(axis=0)), 1e-12)
        self._turn = turn * np.sqrt(max(wide, 1) / max(self.dimensions, 1))
        self._shift = random.random((2, _TABLE))
        self._odd = random.integers(1, 2**63, (2, _TABLE + 1), dtype=np.uint64) | np.uint64(1)
        self._width = 0.0
        self._width, self.near = self._fitted(scaled, profile.categories)
        self._low, self._span = points.min(axis=0), np.ptp(points, axis=0)
        self.even = self._informative(points)
        self.usual_evenness = self._reference_evenness(points)
        self.edge = _reference_edge(profile)

    @classmethod
    def of(cls, profile: Profile) -> Yardstick | None:
        points = _points(profile.numbers.astype(np.float64), profile.vectors, profile.mean)
        if len(points) < _LEAST or not points.shape[1]:
            return None
        return cls(profile, points)

    def look(self, rows: Rows) -> Looked:
        """Hold rows against the reference: some hundreds at a time."""
        short = tuple(shrunk(vectors) for vectors in rows.vectors)
        points = _points(rows.numbers, short, None, self._mean)
        scaled = self._scaled(points)
        codes = [p.codes(t) for p, t in zip(self._places, rows.categories, strict=False)]
        texts = np.column_stack(codes) if codes else np.zeros((rows.count, 0), np.int64)
        first, second = self._cells(scaled, texts) if self._width else (None, None)
        cells = (
            [] if first is None or second is None
            else list(zip(first.tolist(), second.tolist(), strict=True))
        )  # fmt: skip
        return Looked(
            row_hashes(rows).tolist(), (self.distances(scaled) > self.cut).tolist(), cells,
            self._even(points), _at_edge(rows), scaled,
        )  # fmt: skip

    def distances(self, scaled: Array) -> Array:
        """Squared Mahalanobis distances of scaled points."""
        white = scaled @ self._white
        found: Array = np.einsum("ij,ij->i", white, white)
        return found

    def evenness(self, counts: Array) -> float:
        """How evenly a client's rows cover the columns: 0 as the reference does, 1 perfectly.

        Args:
            counts: int64 [columns, EVEN_BINS].
        """
        entropy = _entropy(counts)
        usual = self.usual_evenness
        return float(((entropy - usual) / (1.0 - usual)).mean())

    # -- parts -----------------------------------------------------------------------------------

    def _scaled(self, points: Array) -> Array:
        scaled: Array = np.clip((points - self._mean) / self._scale, -_FARTHEST, _FARTHEST)
        return scaled

    def _cells(self, scaled: Array, texts: Array) -> tuple[Array, Array]:
        at = scaled @ self._turn / self._width
        found = []
        with np.errstate(over="ignore"):
            tail = np.zeros(len(scaled), np.uint64)
            for column in texts.T:
                tail = (tail + column.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B1)
            for shift, odd in zip(self._shift, self._odd, strict=True):
                cells = np.floor(at + shift).astype(np.int64).astype(np.uint64)
                found.append((cells * odd[:-1]).sum(axis=1, dtype=np.uint64) + tail * odd[-1])
        return found[0], found[1]

    def _fitted(self, scaled: Array, texts: Array) -> tuple[float, float]:
        """The widest cells in which few rows of the reference share one; 0: there are none."""
        if not self.dimensions:
            return 0.0, 1.0
        both = np.column_stack([scaled, texts]) if texts.size else scaled
        _, once = np.unique(both, axis=0, return_index=True)
        scaled, texts = scaled[once], texts[once] if texts.size else texts[: len(once)]
        for width in _WIDTHS:
            self._width = width
            first, second = self._cells(scaled, texts)
            alone = min(len(np.unique(first)), len(np.unique(second))) / len(scaled)
            if 1.0 - alone <= _NEAR:
                return width, 1.0 - alone
        return 0.0, 1.0

    def _even(self, points: Array) -> Array:
        if not len(self.even):
            return np.zeros((len(points), 0), np.int64)
        at = (points[:, self.even] - self._low[self.even]) / self._span[self.even]
        inside = (at >= 0) & (at <= 1)
        bins = np.minimum((np.where(inside, at, 0.0) * EVEN_BINS).astype(np.int64), EVEN_BINS - 1)
        bins += np.arange(len(self.even)) * EVEN_BINS
        return np.where(inside, bins, -1)

    def _informative(self, points: Array) -> Array:
        """Columns whose range tells something: many values, unevenly spread."""
        found = []
        for column in range(min(points.shape[1], _COLUMNS)):
            values = points[:, column]
            if self._span[column] <= 0 or len(np.unique(values)) < 2 * EVEN_BINS:
                continue
            counts, _ = np.histogram(values, EVEN_BINS)
            if _entropy(counts[None])[0] <= 0.92:
                found.append(column)
        return np.array(found[:_SPREAD_OVER], np.int64)

    def _reference_evenness(self, points: Array) -> Array:
        counts = [np.histogram(points[:, column], EVEN_BINS)[0] for column in self.even]
        return _entropy(np.array(counts)) if counts else np.zeros(0)


def picked(rows: Rows, at: Sequence[int] | Array) -> Rows:
    """Some rows, by their places: copied."""
    from modelyard.monitoring.rows import Rows

    places = list(map(int, at))

    def some(array: Array | None) -> Array | None:
        return None if array is None else array[places]

    return Rows(
        rows.schema, len(places), rows.numbers[places],
        tuple([texts[i] for i in places] for texts in rows.categories),
        tuple(array[places] for array in rows.vectors),
        some(rows.labels), some(rows.scores), some(rows.values), some(rows.truth),
        [rows.requests[i] for i in places] if rows.requests else (), some(rows.places),
        [rows.clients[i] for i in places] if rows.clients else (),
    )  # fmt: skip


def together(parts: Sequence[Rows]) -> Rows:
    """Rows of one schema, one after the other: what is needed to look at them."""
    from modelyard.monitoring.rows import Rows

    first = parts[0]

    def all_of(name: str) -> Array | None:
        arrays = [getattr(part, name) for part in parts]
        return None if any(a is None for a in arrays) else np.concatenate(arrays)

    return Rows(
        first.schema, sum(part.count for part in parts),
        np.concatenate([part.numbers for part in parts]),
        tuple([t for part in parts for t in part.categories[i]]
              for i in range(len(first.categories))),
        tuple(np.concatenate([part.vectors[i] for part in parts])
              for i in range(len(first.vectors))),
        all_of("labels"), all_of("scores"), all_of("values"), None,
        [r for part in parts for r in part.requests], None,
        [c for part in parts for c in part.clients],
    )  # fmt: skip


def _points(
    numbers: Array, short: Sequence[Array], mean: Array | None, usual: Array | None = None
) -> Array:
    """Numbers and projections of vectors, as points; what is missing is as the mean."""
    wide = min(numbers.shape[1], _COLUMNS)
    parts = [numbers[:, :wide]]
    for place, array in enumerate(short):
        turn = np.random.default_rng([_SEED, place]).normal(size=(array.shape[1], _PROJECTED))
        with np.errstate(invalid="ignore", over="ignore"):
            parts.append(array.astype(np.float64) @ turn / np.sqrt(array.shape[1]))
    points = np.concatenate(parts, axis=1)
    fine = np.isfinite(points)
    if not fine.all():
        if usual is None:
            usual = np.zeros(points.shape[1])
            if mean is not None:
                usual[:wide] = mean[:wide]
        points = np.where(fine, points, usual)
    return points


def _whitening(scaled: Array) -> Array:
    """[dimensions, dimensions]: makes what is correlated independent; shrunk towards that."""
    count, wide = scaled.shape
    share = max(0.02, min(0.5, wide / count))
    covariance = scaled.T @ scaled / count * (1 - share) + np.eye(wide) * share
    lower = np.linalg.cholesky(covariance)
    white: Array = np.linalg.inv(lower).T
    return white


def _cross_cut(scaled: Array) -> float:
    """The distance that few rows of the reference have, by the other half's measure."""
    found = []
    for ours, theirs in ((scaled[::2], scaled[1::2]), (scaled[1::2], scaled[::2])):
        white = ours @ _whitening(theirs)
        found.append(np.einsum("ij,ij->i", white, white))
    return float(np.quantile(np.concatenate(found), 1 - _CUT))


def _entropy(counts: Array) -> Array:
    """Of each row, 0 to 1."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    logs = np.log(share, where=share > 0, out=np.zeros(share.shape))
    found: Array = -(share * logs).sum(axis=1) / np.log(counts.shape[1])
    return found


def _at_edge(rows: Rows) -> list[bool]:
    scores = rows.scores
    if scores is None or scores.shape[1] < 2:
        return []
    highest = np.partition(scores, -2, axis=1)[:, -2:]
    with np.errstate(invalid="ignore"):  # infinities are told by `outputs`
        near: list[bool] = (np.abs(highest[:, 1] - highest[:, 0]) < _EDGE).tolist()
    return near


def _reference_edge(profile: Profile) -> float:
    """Share of the reference's rows at the boundary of two classes, as far as it is known."""
    histogram = profile.tile.predicted.scores
    if len(histogram) != 2 or not histogram.sum():
        return 0.1
    middle = histogram.shape[1] // 2
    wide = max(1, round(_EDGE / 2 * histogram.shape[1]))
    return float(histogram[1, middle - wide : middle + wide].sum() / histogram[1].sum())
