"""Folding what was true into a truth tile: of a reference, or of feedback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.monitoring.tiles import CALIBRATION_BINS, LAG_BOUNDS, SCORE_BINS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.monitoring import Schema
    from modelyard.monitoring.rows import Array
    from modelyard.monitoring.tiles import TruthTile

__all__ = ["fold_truth", "group_codes", "group_values", "new_truth"]

MOST_GROUPS: Final = 32


def group_values(schema: Schema, name: str) -> list[str]:
    """Groups of a column that are counted apart; all others are one more."""
    column = schema.column(name)
    return list(column.categories[:MOST_GROUPS]) if column is not None else []


def group_codes(schema: Schema, name: str, texts: list[str | None]) -> Array:
    """int16 [rows]: the place of each row's group; that of others is the number of groups."""
    places: dict[str | None, int] = {
        text: place for place, text in enumerate(group_values(schema, name))
    }
    other = len(places)
    return np.fromiter((places.get(text, other) for text in texts), np.int16, len(texts))


def new_truth(schema: Schema) -> TruthTile:
    """An empty one."""
    from modelyard.monitoring.tiles import TruthTile

    count = len(schema.classes)
    is_number = schema.task != "classification"
    return TruthTile(
        confusion=np.zeros((count, count), np.int64),
        calibration=np.zeros((CALIBRATION_BINS, 3)),
        lags=np.zeros(len(LAG_BOUNDS) + 1, np.int64),
        errors=np.zeros(7) if is_number else None,
        groups={
            name: np.zeros((len(group_values(schema, name)) + 1, 7))
            if is_number
            else np.zeros((len(group_values(schema, name)) + 1, count, count), np.int64)
            for name in schema.groups
        },
        ranks=np.zeros((2, SCORE_BINS), np.int64) if count == 2 else None,
    )


def fold_truth(
    tile: TruthTile,
    truth: Array,
    *,
    labels: Array | None = None,
    scores: Array | None = None,
    second: Array | None = None,
    values: Array | None = None,
    groups: Mapping[str, Array] | None = None,
    lags: Array | None = None,
) -> None:
    """Add rows whose truth is known.

    Args:
        truth: Of classes int [rows], -1 for one that is not listed; of numbers float64 [rows].
        labels: int [rows]: predicted classes, -1 for none of them.
        scores: float64 [rows]: probability of the predicted class; NaN: unknown.
        second: float64 [rows]: probability of the second of two classes; NaN: unknown.
        values: float64 [rows]: predicted numbers.
        groups: By column int [rows]: places of groups.
        lags: float64 [rows]: seconds from the answer to its truth.
    """
    tile.rows += len(truth)
    if lags is not None:
        bins = np.searchsorted(LAG_BOUNDS, lags, side="left")
        tile.lags += np.bincount(bins, minlength=len(tile.lags))
    if values is not None:
        _fold_numbers(tile, truth, values, groups or {})
    elif labels is not None:
        _fold_classes(tile, truth, labels, scores, second, groups or {})


def _fold_classes(
    tile: TruthTile, truth: Array, labels: Array, scores: Array | None, second: Array | None,
    groups: Mapping[str, Array],
) -> None:  # fmt: skip
    count = len(tile.confusion)
    tile.unlisted += int((truth < 0).sum())
    listed = (truth >= 0) & (labels >= 0)
    cells = labels[listed].astype(np.int64) * count + truth[listed]
    tile.confusion += np.bincount(cells, minlength=count * count).reshape(count, count)
    for name, codes in groups.items():
        there = tile.groups[name]
        places = codes[listed].astype(np.int64) * count * count + cells
        there += np.bincount(places, minlength=there.size).reshape(there.shape)
    if scores is not None:
        known = np.isfinite(scores)
        bins = _bins(scores[known], CALIBRATION_BINS)
        right = (labels == truth)[known] & (truth[known] >= 0)
        for place, weights in enumerate((None, scores[known], right)):
            tile.calibration[:, place] += np.bincount(bins, weights, CALIBRATION_BINS)
    if second is not None and tile.ranks is not None:
        known = np.isfinite(second) & (truth >= 0)
        bins = _bins(second[known], SCORE_BINS)
        for place in (0, 1):
            tile.ranks[place] += np.bincount(bins[truth[known] == place], minlength=SCORE_BINS)


def _bins(scores: Array, count: int) -> Array:
    bins: Array = np.clip((scores * count).astype(np.int64), 0, count - 1)
    return bins


def _fold_numbers(
    tile: TruthTile, truth: Array, values: Array, groups: Mapping[str, Array]
) -> None:
    error = values - truth
    known = np.isfinite(error)
    error, true = error[known], truth[known]
    square = error * error
    sums = np.stack(
        [np.ones_like(error), error, np.abs(error), square, true, true * true, square * square]
    )
    if tile.errors is None:
        tile.errors = np.zeros(7)
    tile.errors += sums.sum(axis=1)
    for name, codes in groups.items():
        there = tile.groups[name]
        for place, column in enumerate(sums):
            there[:, place] += np.bincount(codes[known], column, len(there))
