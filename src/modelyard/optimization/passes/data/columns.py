"""What columns hold: numbers, categories, text, times; by their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modelyard.optimization.passes.data.rows import is_missing

if TYPE_CHECKING:
    from modelyard.core.table import Table

__all__ = ["ColumnKind", "is_one", "kind_of", "kinds_of", "of_kind"]

Array = np.ndarray[Any, Any]
ColumnKind = Literal["number", "flag", "category", "text", "time", "array", "constant"]

_MOST_CATEGORIES = 200
_WORDS = 3.0
"""Words that a value of text has on average."""
_SEEN = 5000


def kind_of(column: Array) -> ColumnKind:
    """What a column holds.

    - `constant`: one value in every row, or none at all
    - `array`: more axes than one
    - `flag`: true and false, two numbers, or one where others are missing
    - `category`: text of which values come again; `text`: words in sentences, or all different
    - `time`, `number`
    """
    if column.ndim > 1:
        return "array"
    known = column[~is_missing(column)]
    if not len(known) or (len(known) == len(column) and is_one(column)):
        return "constant"
    if column.dtype.kind in "OUS":
        return _text(known)
    if column.dtype.kind in "mM":
        return "time"
    if column.dtype.kind == "b" or is_one(known) or _are_two(known):
        return "flag"
    return "number"


def is_one(column: Array) -> bool:
    """Whether all values that are there are the same."""
    known = column[~is_missing(column)]
    if column.dtype.kind in "OUS":
        return len(set(map(str, known.tolist()))) <= 1
    return not len(known) or bool(np.all(known == known[0]))


def kinds_of(table: Table) -> dict[str, ColumnKind]:
    """`kind_of` each column."""
    return {name: kind_of(column) for name, column in table.columns.items()}


def of_kind(table: Table, *kinds: ColumnKind) -> list[str]:
    """Names of the columns of these kinds, in their order."""
    return [name for name, kind in kinds_of(table).items() if kind in kinds]


def _are_two(known: Array) -> bool:
    return len(np.unique(known[:_SEEN])) == len(np.unique(known)) == 2


def _text(known: Array) -> ColumnKind:
    values = [str(value) for value in known[:_SEEN].tolist()]
    distinct = set(values)
    words = sum(len(value.split()) for value in values) / len(values)
    if words >= _WORDS and len(distinct) > 0.2 * len(values):
        return "text"
    if len(distinct) <= _MOST_CATEGORIES or len(distinct) <= 0.5 * len(values):
        return "category"
    return "text"
