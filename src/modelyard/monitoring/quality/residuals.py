"""What calibrated scores still get wrong, by where inputs lie: so that moved inputs are followed.

A calibrated score is right in the mean of the reference, but may be too sure of the old and not
sure enough of the young. When traffic gets older its estimate is off, though no score is. So what
was wrong in the reference is spread over bins of columns: a sum of one effect for each column's
bin, each shrunk as far as chance could have made it (DerSimonian and Laird, Meta-analysis in
clinical trials, 1986), fitted by turns (backfitting: Breiman and Friedman, 1985). Since effects
add up, a window's mean is found from its histograms alone: nothing more is kept of its rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.monitoring.categories import Places
from modelyard.monitoring.tiles import SCORE_BINS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.core.monitoring import Schema
    from modelyard.monitoring.calibration import Calibration
    from modelyard.monitoring.reference import Profile
    from modelyard.monitoring.rows import Array, Rows
    from modelyard.monitoring.tiles import Tile

__all__ = ["Blocks", "Residuals", "cells", "corrected", "fit_residuals", "shares_of", "targets"]

_TURNS: Final = 12
_COLUMNS: Final = 48
"""Columns that may have an effect: those with the largest."""
_LEAST: Final = 500
"""Rows with truth below which nothing is fitted."""
_MOST: Final = 100_000
"""Rows of a reference that it is fitted on."""


class Blocks:
    """Where each column's bins stand among all of them; the last bin of a column is its nulls."""

    def __init__(self, schema: Schema) -> None:
        self.edges = [np.array(column.edges) for column in schema.of_kind("number")]
        sizes = [len(edges) + 2 for edges in self.edges]
        sizes += [len(column.categories) + 2 for column in schema.of_kind("category")]
        self.scored = len(schema.classes) == 2
        if self.scored:
            sizes.append(SCORE_BINS)
        self.starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        """int64 [blocks + 1]."""

    @property
    def size(self) -> int:
        return int(self.starts[-1])


def cells(blocks: Blocks, numbers: Array, codes: Sequence[Array], second: Array | None) -> Array:
    """int16 [blocks, rows]: the bin of each row in each column.

    Args:
        numbers: float64 [rows, columns of numbers].
        codes: Of each column of texts, as `categories.Places` gives them.
        second: Of two classes: the second one's probability.
    """
    found = []
    for column, edges in enumerate(blocks.edges):
        values = numbers[:, column]
        placed = np.searchsorted(edges, values, side="left")
        found.append(np.where(np.isfinite(values), placed, len(edges) + 1))
    found += list(codes)
    if blocks.scored:
        scores = np.zeros(len(numbers)) if second is None else second
        found.append(np.clip((scores * SCORE_BINS).astype(np.int64), 0, SCORE_BINS - 1))
    if not found:
        return np.zeros((0, len(numbers)), np.int16)
    return np.stack(found).astype(np.int16)


def shares_of(blocks: Blocks, tile: Tile) -> Array:
    """float64 [bins]: the share of a tile's rows in each bin of each column."""
    parts: list[Array] = []
    for number in tile.numbers:
        missing = max(number.rows - int(number.counts.sum()), 0)
        parts.append(np.append(number.counts, missing) / max(number.rows, 1))
    parts += [np.append(each.counts, each.nulls) / max(each.rows, 1) for each in tile.categories]
    if blocks.scored:
        counts = tile.predicted.scores[1]
        parts.append(counts / max(int(counts.sum()), 1))
    return np.concatenate(parts) if parts else np.zeros(0)


def targets(classes: int, labels: Array, likely: Array, truth: Array) -> Array:
    """float64 [targets, rows]: what was wrong. Of two classes, of the second, for rows that were
    told to be of the first, and of the second; of more, of the predicted one.

    Args:
        likely: float64 [rows, classes]: calibrated probabilities.
        truth: int [rows]: places of classes.
    """
    wrong: Array
    if classes == 2:
        wrong = (truth == 1) - likely[:, 1]
        return np.stack([np.where(labels == 0, wrong, 0.0), np.where(labels == 1, wrong, 0.0)])
    wrong = (truth == labels) - likely[np.arange(len(labels)), labels]
    return wrong[None]


def fit_residuals(blocks: Blocks, placed: Array, wrong: Array) -> Array:
    """float64 [targets, bins]: the effect of each bin; zero where chance may have made it.

    Args:
        placed: As `cells` gives them.
        wrong: As `targets` gives it.
    """
    effects = np.zeros((len(wrong), blocks.size))
    if placed.shape[1] < _LEAST:
        return effects
    for target, own in enumerate(wrong):
        effects[target] = _fit(blocks, placed, own - own.mean())
    return effects


def _fit(blocks: Blocks, placed: Array, wrong: Array) -> Array:
    noise = float(wrong.var()) or 1.0
    sizes = np.diff(blocks.starts).tolist()
    counts = [np.bincount(cell, minlength=size) for cell, size in zip(placed, sizes, strict=True)]
    spreads = [
        _spread(np.bincount(cell, wrong, size), count, noise)
        for cell, size, count in zip(placed, sizes, counts, strict=True)
    ]
    strongest = sorted(range(len(sizes)), key=lambda block: -spreads[block])[:_COLUMNS]
    chosen = [block for block in strongest if spreads[block] > 0]
    own = {block: np.zeros(sizes[block]) for block in chosen}
    left = wrong.copy()
    for _ in range(_TURNS):
        for block in chosen:
            left += own[block][placed[block]]
            sums = np.bincount(placed[block], left, sizes[block])
            # as much is new in this column as the others leave
            spread = _spread(sums, counts[block], noise)
            own[block] = sums / (counts[block] + noise / spread) if spread > 0 else sums * 0
            left -= own[block][placed[block]]
    effects = np.zeros(blocks.size)
    for block, found in own.items():
        effects[blocks.starts[block] : blocks.starts[block + 1]] = found
    return effects


def _spread(sums: Array, counts: Array, noise: float) -> float:
    """Variance between bins beyond that of chance."""
    there = counts > 0
    rows, total = counts[there].astype(np.float64), float(counts.sum())
    means = sums[there] / rows
    grand = float(sums.sum()) / total
    between = float(rows @ (means - grand) ** 2) / noise - (int(there.sum()) - 1)
    scale = (total - float(rows @ rows) / total) / noise
    return max(between / scale, 0.0) if scale > 0 else 0.0


# -- of a reference, and for a window ----------------------------------------------------------


class Residuals:
    """Gathers rows of a reference, batch by batch; gives the effects in the end."""

    def __init__(self, schema: Schema, calibration: Calibration, rows: int) -> None:
        """
        Args:
            rows: That will come.
        """
        self._blocks = Blocks(schema)
        self._places = [Places(column.categories) for column in schema.of_kind("category")]
        self._classes = len(schema.classes)
        self._calibration = calibration
        self._step = max(-(-rows // _MOST), 1)
        self._cells: list[Array] = []
        self._wrong: list[Array] = []

    def add(self, rows: Rows) -> None:
        """Rows whose truth is known, if they have one and probabilities."""
        if rows.truth is None or rows.scores is None or rows.labels is None:
            return
        if not self._calibration.maps or rows.truth.dtype.kind != "i":
            return
        known = (rows.truth >= 0) & (rows.labels >= 0) & np.isfinite(rows.scores).all(axis=1)
        some = np.flatnonzero(known)[:: self._step]
        likely = self._calibration.apply(rows.scores[some])
        codes = [
            places.codes(texts)[some]
            for places, texts in zip(self._places, rows.categories, strict=True)
        ]
        second = rows.scores[some, 1] if self._classes == 2 else None
        self._cells.append(cells(self._blocks, rows.numbers[some], codes, second))
        self._wrong.append(targets(self._classes, rows.labels[some], likely, rows.truth[some]))

    def made(self) -> Array:
        """float64 [targets, bins]; empty if nothing is known."""
        if not self._cells:
            return np.zeros((0, 0))
        return fit_residuals(
            self._blocks, np.concatenate(self._cells, axis=1),
            np.concatenate(self._wrong, axis=1),
        )  # fmt: skip


def corrected(profile: Profile, window: Tile) -> Array:
    """float64 [classes, classes]: the expected confusion matrix of a window, [predicted, true].

    Less what calibrated scores got wrong in the reference: as a whole, and where inputs moved.
    """
    expected: Array = window.predicted.expected.astype(np.float64)
    known, seen = profile.tile.truth.confusion, profile.tile.predicted.expected
    if known.sum() < 0.99 * seen.sum() or not seen.sum():
        return expected  # of many rows the truth is not known: the rest may be others
    rows = expected.sum(axis=1)
    blocks = Blocks(profile.schema)
    moved = np.zeros(len(profile.residuals))
    if profile.residuals.shape[1:] == (blocks.size,):
        moved = profile.residuals @ (shares_of(blocks, window) - shares_of(blocks, profile.tile))
    if len(expected) == 2:
        more = (known - seen)[:, 1] / seen.sum()
        second = expected[:, 1] + (more + (moved if len(moved) == 2 else 0.0)) * rows.sum()
        second = np.clip(second, 0.0, rows)
        return np.column_stack([rows - second, second])
    before = np.diag(expected)
    hits = np.minimum(before * (np.diag(known) + 1.0) / (np.diag(seen) + 1.0), rows)
    if len(moved):
        share = hits / max(float(hits.sum()), 1e-300)
        hits = np.clip(hits + moved[0] * rows.sum() * share, 0.0, rows)
    others = (rows - hits) / np.maximum(rows - before, 1e-300)
    scaled: Array = expected * others[:, None]
    np.fill_diagonal(scaled, hits)
    return scaled
