"""Columns of two tables made comparable: files that should be alike often are not quite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.table import Table
from modelyard.optimization.passes.data.rows import is_missing

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["comparable", "differing"]

Array = np.ndarray[Any, Any]


def comparable(one: Table, other: Table) -> tuple[Table, Table] | None:
    """The columns that both have and whose values can be equal; None if there are none.

    Text beside numbers is read as numbers: "?" among them then is a missing one.
    """
    pairs = dict(_pairs(one, other))
    if not pairs:
        return None
    ours = Table({name: column for name, (column, _) in pairs.items()})
    return ours, Table({name: column for name, (_, column) in pairs.items()})


def differing(one: Table, other: Table) -> tuple[str, ...]:
    """Columns that both have, but with values of another kind: numbers, text, times, or shapes."""
    return tuple(
        name for name in one.names
        if name in other.columns and _differ(one.columns[name], other.columns[name])
    )  # fmt: skip


def _pairs(one: Table, other: Table) -> Iterator[tuple[str, tuple[Array, Array]]]:
    for name in one.names:
        if name in other.columns:
            pair = _paired(one.columns[name], other.columns[name])
            if pair is not None:
                yield name, pair


def _paired(one: Array, other: Array) -> tuple[Array, Array] | None:
    if not _differ(one, other):
        return _like(one, other), _like(other, one)
    families = {_family(one), _family(other)}
    if one.ndim > 1 or other.ndim > 1 or families != {"number", "text"}:
        return None
    read = [_numbers(each) for each in (one, other)]
    return None if read[0] is None or read[1] is None else (read[0], read[1])


def _differ(one: Array, other: Array) -> bool:
    if one.shape[1:] != other.shape[1:]:
        return True
    known = not is_missing(one).all() and not is_missing(other).all()
    return known and _family(one) != _family(other)


def _like(column: Array, other: Array) -> Array:
    """A column without any value is of every kind."""
    if _family(column) == _family(other):
        return column
    if not is_missing(column).all():
        return column
    if _family(other) == "text":
        return np.full(column.shape, None, object)
    return np.full(column.shape, "NaT" if other.dtype.kind in "mM" else np.nan,
                   other.dtype if other.dtype.kind in "mM" else np.float64)  # fmt: skip


def _family(column: Array) -> str:
    kind = column.dtype.kind
    return "number" if kind in "biuf" else "text" if kind in "OUS" else kind


def _numbers(column: Array) -> Array | None:
    """What reads as numbers, others missing; None if most does not."""
    if column.dtype.kind in "biuf":
        return column
    found = np.full(len(column), np.nan)
    missing = is_missing(column)
    unread = 0
    for row in np.flatnonzero(~missing):
        try:
            found[row] = float(column[row])
        except (TypeError, ValueError):
            unread += 1
    return None if 2 * unread > len(column) - int(missing.sum()) else found
