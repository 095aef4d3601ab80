"""Numbers together: how columns go with one another, which no column shows by itself.

Sums of products of every two columns, of which the correlations come. Values are first brought to
a common scale by the schema's edges (quantiles of the reference) and cut at four deviations, so
that sums are exact enough and a single row can't decide. They add up, and tell nothing of a row.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from modelyard.monitoring.tiles import TogetherTile

if TYPE_CHECKING:
    from modelyard.core.monitoring import Column
    from modelyard.monitoring.rows import Array

__all__ = [
    "MOST", "Frame", "correlations", "fold_together", "frame_of", "merge_together", "new_together",
    "scaled",
]  # fmt: skip

Frame: TypeAlias = "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]"
"""The middle of each column, and one by its width."""


MOST: Final = 32
"""Columns of numbers that are looked at: the first ones."""
_FAR: Final = 4.0
_QUARTILES: Final = 1.349
"""Distance of the quartiles of a normal distribution, in standard deviations."""
_ALONE: Final = 250_000
"""Products of a chunk: with more of them OpenBLAS wakes other threads, which cost a hundred times
as much as they help."""


def new_together(columns: tuple[Column, ...]) -> TogetherTile | None:
    """Of columns of kind `number`; None of fewer than two."""
    count = min(len(columns), MOST)
    if count < 2:
        return None
    return TogetherTile(np.zeros(count), np.zeros(count * (count + 1) // 2))


def frame_of(columns: tuple[Column, ...]) -> Frame:
    """What brings each of the first 32 columns of numbers to a common scale."""
    columns = columns[:MOST]
    middle, width = np.zeros(len(columns)), np.ones(len(columns))
    for i, column in enumerate(columns):
        edges = column.edges
        if edges:
            middle[i] = edges[len(edges) // 2]
        if len(edges) >= 4:
            width[i] = (edges[len(edges) * 3 // 4] - edges[len(edges) // 4]) / _QUARTILES
        elif column.low is not None and column.high is not None:
            width[i] = (column.high - column.low) / 2
    fine = np.isfinite(width) & (width > 0) & np.isfinite(middle)
    return np.where(fine, middle, 0.0), 1 / np.where(fine, width, 1.0)


def scaled(frame: Frame, numbers: Array) -> Array:
    """float64 [rows, at most 32]: about 0 and about as wide as 1; what has no value is 0."""
    middle, narrower = frame
    found = np.subtract(numbers[:, : len(middle)], middle, dtype=np.float64)
    found *= narrower
    np.clip(found, -_FAR, _FAR, out=found)
    if np.isnan(found.sum()):
        found[np.isnan(found)] = 0.0
    return found


def fold_together(tile: TogetherTile | None, frame: Frame, numbers: Array) -> None:
    """Fold float64 [rows, columns of numbers]."""
    if tile is None:
        return
    count = len(tile.total)
    upper = _upper(count)
    chunk = max(_ALONE // count**2, 64)
    for start in range(0, len(numbers), chunk):
        rows = scaled(frame, numbers[start : start + chunk])
        tile.rows += len(rows)
        tile.total += rows.sum(axis=0)
        tile.products += (rows.T @ rows)[upper]


def merge_together(into: TogetherTile | None, other: TogetherTile | None) -> None:
    """Add what another tile of the same columns saw."""
    if into is not None and other is not None:
        into.rows += other.rows
        into.total += other.total
        into.products += other.products


def correlations(tile: TogetherTile) -> Array:
    """float64 [columns, columns]; 0 with a column that is always the same, 1 with itself."""
    count = len(tile.total)
    whole = np.zeros((count, count))
    whole[_upper(count)] = tile.products
    whole = np.triu(whole) + np.triu(whole, 1).T
    mean = tile.total / max(tile.rows, 1)
    apart = whole / max(tile.rows, 1) - np.outer(mean, mean)
    width = np.sqrt(np.maximum(np.diag(apart), 0.0))
    width[width < 1e-6] = np.inf
    found: Array = np.clip(apart / np.outer(width, width), -1.0, 1.0)
    np.fill_diagonal(found, 1.0)
    return found


@lru_cache(64)
def _upper(count: int) -> tuple[Array, Array]:
    return np.triu_indices(count)
