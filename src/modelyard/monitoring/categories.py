"""Columns of texts, folded: categories exactly, what else comes in sketches."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from modelyard.monitoring.sketching import (
    FREQUENT_TEXT,
    merged_distinct,
    new_distinct,
    new_frequent,
)
from modelyard.monitoring.tiles import CategoryTile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.core.monitoring import Column
    from modelyard.monitoring.rows import Array

__all__ = ["Places", "fold_category", "merge_category", "new_category"]


class Places(dict["str | None", int]):
    """The place of each category; texts that are none come behind them, None at the very end."""

    def __init__(self, categories: Sequence[str]) -> None:
        super().__init__({text: place for place, text in enumerate(categories)})
        self.others = len(categories)
        self[None] = self.others + 1

    def __missing__(self, text: str | None) -> int:
        return self.others

    def codes(self, texts: Sequence[str | None]) -> Array:
        """int64 [rows]."""
        return np.fromiter(map(self.__getitem__, texts), np.int64, len(texts))


def new_category(column: Column) -> CategoryTile:
    return CategoryTile(
        np.zeros(len(column.categories) + 1, np.int64),
        distinct=new_distinct(), frequent=new_frequent(),
    )  # fmt: skip


def fold_category(tile: CategoryTile, codes: Array, texts: Sequence[str | None]) -> None:
    """Fold a column whose codes `Places` gave."""
    others = len(tile.counts) - 1
    found = np.bincount(codes, minlength=others + 2)
    tile.counts += found[:-1]
    tile.rows += len(codes)
    tile.nulls += int(found[-1])
    if not found[others] or tile.distinct is None:
        return
    unlisted = Counter(texts[i] for i in np.flatnonzero(codes == others).tolist())
    for text, times in unlisted.items():
        assert text is not None
        tile.distinct.update(text)
        tile.frequent.update(text[:FREQUENT_TEXT], times)


def merge_category(into: CategoryTile, other: CategoryTile) -> None:
    """Add what another tile of the same column saw."""
    into.counts += other.counts
    into.rows += other.rows
    into.nulls += other.nulls
    if into.distinct is None or other.distinct is None:
        into.distinct = into.frequent = None
        return
    into.distinct = merged_distinct(into.distinct, other.distinct)
    into.frequent.merge(other.frequent)
