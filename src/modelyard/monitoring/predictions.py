"""What came out, folded: classes, their scores, numbers; for all and by group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.monitoring.calibration import IDENTITY
from modelyard.monitoring.numbers import fold_numbers, merge_number, new_number
from modelyard.monitoring.tiles import SCORE_BINS, GroupTile, PredictedTile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.monitoring import Column, Schema
    from modelyard.monitoring.calibration import Calibration
    from modelyard.monitoring.rows import Array, Rows

__all__ = [
    "MOST_GROUPS",
    "fold_groups",
    "fold_predicted",
    "group_columns",
    "merge_group",
    "merge_predicted",
    "new_group",
    "new_predicted",
]

MOST_GROUPS: Final = 32
_MODEST: Final = 1e140
_FEW_CLASSES: Final = 8
"""With more classes, no confusion is expected for each group: it would be mostly zeros."""


def new_predicted(schema: Schema) -> PredictedTile:
    classes = len(schema.classes)
    return PredictedTile(
        0, np.zeros(classes + 1, np.int64), np.zeros((classes, SCORE_BINS), np.int64),
        np.zeros((classes, classes)), np.zeros((classes, classes)),
        values=None if schema.values is None else new_number(schema.values),
    )  # fmt: skip


def new_group(column: Column, schema: Schema) -> GroupTile:
    values, classes = list(column.categories[:MOST_GROUPS]), len(schema.classes)
    groups, few = len(values) + 1, classes if classes <= _FEW_CLASSES else 0
    return GroupTile(
        values, np.zeros((groups, classes + 1), np.int64), np.zeros(groups, np.int64),
        np.zeros(groups), np.zeros(groups), np.zeros((groups, few, few)),
    )  # fmt: skip


def fold_predicted(
    tile: PredictedTile, rows: Rows, queries: Array | None, calibration: Calibration | None
) -> Array | None:
    """Fold what came out; gives calibrated scores, for the groups: NaN where there are none."""
    tile.rows += rows.count
    odd = np.zeros(rows.count, bool)
    if rows.labels is not None:
        tile.labels += _labels(rows.labels, len(tile.labels))
    if rows.values is not None and tile.values is not None and queries is not None:
        odd |= ~np.isfinite(rows.values)
        fold_numbers([tile.values], [queries], rows.values[:, None])
    calibrated = None
    if rows.scores is not None and len(tile.scores):
        calibrated = _fold_scores(tile, rows, odd, calibration or IDENTITY)
    tile.not_finite += int(np.count_nonzero(odd))
    return calibrated


def _fold_scores(
    tile: PredictedTile, rows: Rows, odd: Array, calibration: Calibration
) -> Array | None:
    scores, labels = rows.scores, rows.labels
    assert scores is not None
    fine = np.isfinite(scores).all(axis=1)
    whole = bool(fine.all())
    odd |= ~fine
    known = scores if whole else scores[fine]
    tile.scored += len(known)
    classes = len(tile.scores)
    places = np.clip((known * SCORE_BINS).astype(np.int64), 0, SCORE_BINS - 1)
    places += np.arange(classes) * SCORE_BINS
    tile.scores += np.bincount(places.ravel(), minlength=classes * SCORE_BINS).reshape(
        tile.scores.shape
    )
    if labels is None:
        return None
    likely = calibration.apply(known)
    chosen = labels if whole else labels[fine]
    _expect(tile.expected, chosen, likely)
    _expect(tile.expected_square, chosen, likely * (1.0 - likely))
    if whole:
        return likely
    wide = np.full(scores.shape, np.nan)
    wide[fine] = likely
    return wide


def _labels(labels: Array, bins: int) -> Array:
    return np.bincount(np.where(labels < 0, bins - 1, labels), minlength=bins)


def _expect(into: Array, rows: Array, likely: Array) -> None:
    """Add each row of `likely` to the row of `into` that `rows` names; -1: none."""
    if len(rows) and rows.min() < 0:
        rows, likely = rows[rows >= 0], likely[rows >= 0]
    for k in range(likely.shape[1]):
        into[:, k] += np.bincount(rows, likely[:, k], minlength=len(into))


def fold_groups(
    tiles: Mapping[str, GroupTile], codes: Mapping[str, Array], rows: Rows, likely: Array | None
) -> None:
    """Fold what came out for each group.

    Args:
        codes: By column, the place of each row's category; whatever is beyond the groups is other.
        likely: Calibrated scores.
    """
    for name, tile in tiles.items():
        groups = len(tile.rows)
        group = np.minimum(codes[name], groups - 1)
        tile.rows += np.bincount(group, minlength=groups)
        if rows.values is not None:
            fine = np.isfinite(rows.values)
            said = rows.values[fine].clip(-_MODEST, _MODEST)
            tile.sums += np.bincount(group[fine], said, groups)
            tile.squares += np.bincount(group[fine], said * said, groups)
        if rows.labels is None:
            continue
        wide = tile.labels.shape[1]
        cells = group * wide + np.where(rows.labels < 0, wide - 1, rows.labels)
        tile.labels += np.bincount(cells, minlength=tile.labels.size).reshape(tile.labels.shape)
        if likely is None or not tile.expected.size:
            continue
        known = (rows.labels >= 0) & ~np.isnan(likely[:, 0])
        cells = group[known] * (wide - 1) + rows.labels[known]
        flat = tile.expected.reshape(-1, wide - 1)
        _expect(flat, cells, likely[known])


def merge_predicted(into: PredictedTile, other: PredictedTile) -> None:
    """Add what another tile saw."""
    into.rows += other.rows
    into.labels += other.labels
    into.scores += other.scores
    into.expected += other.expected
    into.expected_square += other.expected_square
    into.scored += other.scored
    into.not_finite += other.not_finite
    if into.values is not None and other.values is not None:
        merge_number(into.values, other.values)


def merge_group(into: GroupTile, other: GroupTile) -> None:
    """Add what another tile saw."""
    into.labels += other.labels
    into.rows += other.rows
    into.sums += other.sums
    into.squares += other.squares
    into.expected += other.expected


def group_columns(schema: Schema) -> Sequence[Column]:
    """Columns by whose values the version is to be fair: those that are categories."""
    return [c for c in schema.of_kind("category") if c.name in schema.groups]
