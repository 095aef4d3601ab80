"""What sketches in tiles know: quantiles, and texts that are none of a column's categories."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from modelyard.monitoring.sketching import library

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.core.monitoring import Column, ColumnWindow
    from modelyard.monitoring.tiles import CategoryTile, NumberTile, Tile

__all__ = ["SHARES", "distinct_of", "others_of", "quantiles_of", "with_sketches"]

SHARES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
_SHOWN: Final = 5
_LEAST: Final = 5
"""How often a text must have come: what came once may be somebody's name."""


def quantiles_of(tile: NumberTile, shares: Sequence[float] = SHARES) -> tuple[float, ...]:
    """Values below which these shares of the finite values lie; none if nothing is known."""
    if tile.kll is None or tile.kll.is_empty():
        return ()
    return tuple(float(value) for value in tile.kll.get_quantiles(list(shares)))


def others_of(tile: CategoryTile, most: int = _SHOWN) -> dict[str, int]:
    """The most frequent texts that are no categories, and about how often they came."""
    found = library()
    if found is None or tile.frequent is None:
        return {}
    how: Any = found.frequent_items_error_type.NO_FALSE_POSITIVES
    items = tile.frequent.get_frequent_items(how)
    often = sorted((-item[1], item[0]) for item in items if item[2] >= _LEAST)[:most]
    return {text: -count for count, text in often}


def distinct_of(tile: CategoryTile) -> int | None:
    """How many different texts came that are no categories, about; None if that is not known."""
    return None if tile.distinct is None else round(tile.distinct.get_estimate())


def with_sketches(shown: ColumnWindow, reference: Tile, window: Tile) -> ColumnWindow:
    """A column of a window, with what the sketches of both tiles know of it."""
    column = shown.column
    now, then = _number(column, window), _number(column, reference)
    if now is not None and then is not None:
        return replace(
            shown, quantiles=quantiles_of(now), reference_quantiles=quantiles_of(then)
        )  # fmt: skip
    names = [each.name for each in window.schema.of_kind("category")]
    if column.kind != "category" or column.name not in names:
        return shown
    category = window.categories[names.index(column.name)]
    return replace(shown, others=others_of(category), distinct=distinct_of(category))


def _number(column: Column, tile: Tile) -> NumberTile | None:
    if column.kind != "number":
        return None
    names = [each.name for each in tile.schema.of_kind("number")]
    if column.name in names:
        return tile.numbers[names.index(column.name)]
    return tile.predicted.values if column.name == "predictions" else None
