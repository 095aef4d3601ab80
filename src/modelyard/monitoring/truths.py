"""What was true, folded: of a reference as a whole, of traffic when feedback comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.monitoring.predictions import MOST_GROUPS
from modelyard.monitoring.tiles import CALIBRATION_BINS, LAG_BOUNDS, SCORE_BINS, TruthTile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.monitoring import Schema
    from modelyard.monitoring.rows import Array

__all__ = ["UNKNOWN", "UNLISTED", "fold_truth", "group_count", "merge_truth", "new_truth"]

_MODEST: Final = 1e70
"""An error beyond this counts as this large: its fourth power is a number."""
UNKNOWN: Final = -1
UNLISTED: Final = -2
"""A truth that is none of the classes."""


def new_truth(schema: Schema) -> TruthTile:
    classes = len(schema.classes)
    return TruthTile(
        np.zeros((classes, classes), np.int64), np.zeros((CALIBRATION_BINS, 3)),
        np.zeros(len(LAG_BOUNDS) + 1, np.int64),
        errors=None if schema.values is None else np.zeros(7),
        ranks=np.zeros((2, SCORE_BINS), np.int64) if classes == 2 else None,
    )  # fmt: skip


def group_count(schema: Schema, name: str) -> int:
    """Groups of a column, with the one for all others."""
    column = schema.column(name)
    return 1 if column is None else min(len(column.categories), MOST_GROUPS) + 1


def fold_truth(
    tile: TruthTile,
    schema: Schema,
    truth: Array,
    *,
    labels: Array | None = None,
    confidence: Array | None = None,
    second: Array | None = None,
    values: Array | None = None,
    groups: Mapping[str, Array] | None = None,
    lags: Array | None = None,
) -> None:
    """Fold what was true of some rows.

    Args:
        truth: int [rows]: places of classes, UNKNOWN or UNLISTED; or float [rows], NaN: unknown.
        labels: int [rows]: predicted classes; -1: none of them.
        confidence: float [rows]: the predicted class's probability.
        second: float [rows], of two classes: the probability of the second.
        values: float [rows]: predicted numbers.
        groups: By column, int [rows]: the place of each row's group; beyond the last: other.
        lags: float [rows]: seconds from the answer to the truth.
    """
    groups = groups or {}
    if lags is not None:
        known = truth != UNKNOWN if truth.dtype.kind in "iu" else ~np.isnan(truth)
        bins = np.searchsorted(LAG_BOUNDS, lags[known])
        tile.lags += np.bincount(bins, minlength=len(tile.lags))
    if schema.classes and labels is not None:
        _fold_classes(tile, schema, truth, labels, confidence, second, groups)
    elif tile.errors is not None and values is not None:
        _fold_errors(tile, schema, truth, values, groups)


def _fold_classes(
    tile: TruthTile,
    schema: Schema,
    truth: Array,
    labels: Array,
    confidence: Array | None,
    second: Array | None,
    groups: Mapping[str, Array],
) -> None:
    classes = len(schema.classes)
    tile.rows += int(np.count_nonzero(truth != UNKNOWN))
    tile.unlisted += int(np.count_nonzero(truth == UNLISTED))
    both = (truth >= 0) & (labels >= 0)
    said, true = labels[both].astype(np.int64), truth[both].astype(np.int64)
    cells = said * classes + true
    tile.confusion += _counted(cells, tile.confusion)
    for name, codes in groups.items():
        count = group_count(schema, name)
        group = tile.groups.setdefault(name, np.zeros((count, classes, classes), np.int64))
        placed = np.minimum(codes[both], count - 1) * classes**2 + cells
        group += _counted(placed, group)
    if confidence is not None:
        sure = confidence[both]
        fine = np.isfinite(sure)
        sure, right = sure[fine], (said == true)[fine].astype(np.float64)
        bins = np.clip((sure * CALIBRATION_BINS).astype(np.int64), 0, CALIBRATION_BINS - 1)
        for column, weights in enumerate((None, sure, right)):
            tile.calibration[:, column] += np.bincount(bins, weights, CALIBRATION_BINS)
    if second is not None and tile.ranks is not None:
        known = (truth >= 0) & np.isfinite(second)
        bins = np.clip((second[known] * SCORE_BINS).astype(np.int64), 0, SCORE_BINS - 1)
        tile.ranks += _counted(truth[known] * SCORE_BINS + bins, tile.ranks)


def _counted(cells: Array, like: Array) -> Array:
    return np.bincount(cells, minlength=like.size).reshape(like.shape)


def _fold_errors(
    tile: TruthTile, schema: Schema, truth: Array, values: Array, groups: Mapping[str, Array]
) -> None:
    fine = np.isfinite(truth) & np.isfinite(values)
    true, error = (
        truth[fine].astype(np.float64).clip(-1e140, 1e140),
        (values - truth)[fine].astype(np.float64),
    )
    error = error.clip(-_MODEST, _MODEST)
    square = error * error
    parts = np.column_stack([
        np.ones(len(true)), error, np.abs(error), square, true, true * true, square * square,
    ])  # fmt: skip
    assert tile.errors is not None
    tile.rows += len(true)
    tile.errors += parts.sum(axis=0)
    for name, codes in groups.items():
        count = group_count(schema, name)
        group = tile.groups.setdefault(name, np.zeros((count, 7)))
        placed = np.minimum(codes[fine], count - 1)
        for column in range(7):
            group[:, column] += np.bincount(placed, parts[:, column], count)


def merge_truth(into: TruthTile, other: TruthTile) -> None:
    """Add what another tile saw."""
    into.confusion += other.confusion
    into.calibration += other.calibration
    into.lags += other.lags
    into.rows += other.rows
    into.unlisted += other.unlisted
    if into.errors is not None and other.errors is not None:
        into.errors += other.errors
    if into.ranks is not None and other.ranks is not None:
        into.ranks += other.ranks
    for name, group in other.groups.items():
        if name in into.groups:
            into.groups[name] += group
        else:
            into.groups[name] = group.copy()
