"""Columns of numbers, folded: one sort of each column answers every question about its bins.

Sorting a few thousand floats is vectorised in numpy (AVX), and asking a sorted column where its 32
edges lie takes microseconds, ten times less than looking for the bin of every value. The quantile
sketch is three times as fast with sorted values, too; its guarantees do not depend on their order.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.monitoring.sketching import new_quantiles
from modelyard.monitoring.tiles import NumberTile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.core.monitoring import Column
    from modelyard.monitoring.rows import Array

__all__ = ["fold_numbers", "merge_number", "new_number", "queries_of"]

_MOST: Final = float(np.finfo(np.float64).max)
_ROUNDED: Final = 1e-6
"""How much further a value may lie, of itself: what float32 takes from it."""
_MODEST: Final = 1e140
"""Beyond this a square overflows: such values count in moments as if they were this large."""


def new_number(column: Column) -> NumberTile:
    return NumberTile(np.zeros(len(column.edges) + 1, np.int64), kll=new_quantiles())


def queries_of(column: Column) -> Array:
    """What is asked of a sorted column: -inf, the edges, the largest float, and its range."""
    low, high = -math.inf, _MOST
    if column.low is not None and column.high is not None:
        low = math.nextafter(column.low - abs(column.low) * _ROUNDED, -math.inf)
        high = min(column.high + abs(column.high) * _ROUNDED, _MOST)
    return np.array([-math.inf, *column.edges, _MOST, low, high])


def fold_numbers(tiles: Sequence[NumberTile], queries: Sequence[Array], values: Array) -> None:
    """Fold float64 [rows, columns] into the tiles of the columns."""
    count = len(values)
    if not count or not tiles:
        return
    ordered = np.sort(np.ascontiguousarray(values.T, dtype=np.float64), axis=1)
    lowest, highest = ordered[:, 0], ordered[:, -1]
    modest = bool((lowest >= -_MODEST).all() and (highest <= _MODEST).all())  # NaN: False
    if modest:
        means = ordered.mean(axis=1)
        apart = ordered - means[:, None]
        squares = np.einsum("ij,ij->i", apart, apart).tolist()
        means = means.tolist()
    with np.errstate(over="ignore"):
        small = ordered.astype(np.float32)
    for i, tile in enumerate(tiles):
        row = ordered[i]
        found = row.searchsorted(queries[i], "right")
        first, *_, last, under, upto = found.tolist()
        tile.counts += found[1:-2] - found[:-3]
        tile.rows += count
        tile.outside += under - first + last - upto
        if not modest:
            infinite = int(row.searchsorted(math.inf, "right")) - last + first
            tile.infinite += infinite
            tile.nulls += count - infinite - (last - first)
            if first == last:
                continue
            part = row[first:last].clip(-_MODEST, _MODEST)
            mean = float(part.mean())
            apart = part - mean
            _add(tile, last - first, mean, float(apart @ apart))
        else:
            _add(tile, count, means[i], squares[i])
        tile.low = min(tile.low, float(row[first]))
        tile.high = max(tile.high, float(row[last - 1]))
        if tile.kll is not None:
            tile.kll.update(small[i, first:last])


def merge_number(into: NumberTile, other: NumberTile) -> None:
    """Add what another tile of the same column saw."""
    seen = other.rows - other.nulls - other.infinite
    into.counts += other.counts
    into.rows += other.rows
    into.nulls += other.nulls
    into.infinite += other.infinite
    into.outside += other.outside
    if seen:
        _add(into, seen, other.mean, other.m2)
        into.low = min(into.low, other.low)
        into.high = max(into.high, other.high)
    into.kll = merged_quantiles(into.kll, other.kll)


def merged_quantiles(into: Any, other: Any) -> Any:
    if into is None or other is None:
        return None
    into.merge(other)
    return into


def _add(tile: NumberTile, count: int, mean: float, m2: float) -> None:
    """Chan, Golub, LeVeque (1979). The tile's rows are counted already, with these."""
    total = tile.rows - tile.nulls - tile.infinite
    before = total - count
    apart = mean - tile.mean
    tile.mean += apart * (count / total)
    tile.m2 += m2 + apart * apart * (before * count / total)
