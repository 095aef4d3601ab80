"""Rows as values: which are alike, and folds that keep those together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.table import Table
    from modelyard.optimization.state import Rows, Task

__all__ = [
    "codes_of",
    "folds",
    "groups_of",
    "is_made",
    "is_missing",
    "repeated",
    "row_groups",
    "sampled",
    "shared_groups",
]

Array = np.ndarray[Any, Any]


def is_missing(column: Array) -> Array:
    """Which rows have no value, shape (rows,): NaN, NaT, None; of axes, any of theirs."""
    if column.dtype.kind == "f":
        found: Array = np.isnan(column)
    elif column.dtype.kind in "mM":
        found = np.isnat(column)
    elif column.dtype.kind == "O":
        flat = (value is None or value != value for value in column.flat)
        found = np.fromiter(flat, bool, column.size).reshape(column.shape)
    else:
        return np.zeros(len(column), bool)
    return found if found.ndim == 1 else np.asarray(found.reshape(len(found), -1).any(axis=1))


def codes_of(column: Array) -> Array:
    """A whole number for each row, equal where the values are: shape (rows,), int64.

    Numbers are given in the order in which values come first, missing values are alike.
    """
    if column.ndim > 1:
        flat = np.ascontiguousarray(column).reshape(len(column), -1)
        if flat.dtype.kind == "O":
            return _first_come([tuple(row) for row in flat.tolist()])
        wide = flat.dtype.itemsize * flat.shape[1]
        if not wide:
            return np.zeros(len(column), np.int64)
        _, found = np.unique(flat.view(np.dtype((np.void, wide))).reshape(-1), return_inverse=True)
        return found.astype(np.int64)
    if column.dtype.kind == "O":
        return _first_come([None if value != value else value for value in column.tolist()])
    _, found = np.unique(column, return_inverse=True)  # NaN are alike to it
    return found.astype(np.int64)


def row_groups(table: Table) -> Array:
    """A whole number for each row, the same for rows that are equal in all columns."""
    found: Array = np.zeros(len(table), np.int64)
    for column in table.columns.values():
        codes = codes_of(column)
        pairs = found * (int(codes.max(initial=0)) + 1) + codes
        found = np.unique(pairs, return_inverse=True)[1].astype(np.int64)
    return found


def shared_groups(a: Table, b: Table) -> tuple[Array, Array]:
    """`row_groups` of two tables together: equal numbers are equal rows, across them too."""
    from modelyard.core.table import Table as Rows

    names = [name for name in a.names if name in b.columns]
    both = {name: np.concatenate([a.columns[name], b.columns[name]]) for name in names}
    found = row_groups(Rows(both))
    return found[: len(a)], found[len(a) :]


def is_made(rows: Rows) -> Array:
    """Which rows were made of others, shape (rows,)."""
    if rows.origins is None:
        return np.zeros(len(rows), bool)
    return np.asarray(rows.origins < 0)


def repeated(rows: Rows, again: Array) -> Rows:
    """The rows, and after them some of them again, which count as made of them.

    Args:
        again: Indices.
    """
    own = np.arange(len(rows)) if rows.origins is None else rows.origins
    copied = own[again]
    found = rows.take(np.concatenate([np.arange(len(rows)), again]))
    return replace(found, origins=np.concatenate([own, np.where(copied >= 0, -1 - copied, copied)]))


def groups_of(rows: Rows, inputs: Table | None = None) -> Array:
    """A whole number for each row: the same for equal rows, and for those made of one another.

    Args:
        inputs: The columns by which they are equal; default: all.
    """
    found = row_groups(rows.inputs if inputs is None else inputs)
    if rows.origins is None:
        return found
    own = np.unique(np.where(rows.origins < 0, -1 - rows.origins, rows.origins),
                    return_inverse=True)[1]  # fmt: skip
    while True:  # the least number of all that hang together
        before = found
        for kind in (own, found):
            least = np.full(int(kind.max(initial=0)) + 1, len(rows), np.int64)
            np.minimum.at(least, kind, found)
            found = least[kind]
        if np.array_equal(before, found):
            return found


def folds(
    groups: Array, target: Array | None, task: Task, *, count: int, seed: int
) -> Iterator[tuple[Array, Array]]:
    """Indices to learn from and to measure with; rows of one group are on one side.

    Without that, a row could be measured by its own copy. Of classes, every fold gets its share.

    Args:
        groups: As `row_groups` gives them.
    """
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(first))
    if task == "classification" and target is not None:
        classes = codes_of(target)[first]
        order = order[np.argsort(classes[order], kind="stable")]
    fold_of = np.empty(len(first), np.int64)
    fold_of[order] = np.arange(len(first)) % count
    by_row = fold_of[inverse]
    for fold in range(count):
        outside = by_row == fold
        if outside.any() and not outside.all():
            yield np.flatnonzero(~outside), np.flatnonzero(outside)


def sampled(count: int, most: int, seed: int) -> Array:
    """Indices of at most so many rows, drawn and in their order."""
    if count <= most:
        return np.arange(count)
    drawn: Array = np.random.default_rng(seed).choice(count, most, replace=False)
    return np.sort(drawn)


def _first_come(values: list[Any]) -> Array:
    known: dict[Any, int] = {}
    return np.fromiter((known.setdefault(v, len(known)) for v in values), np.int64, len(values))
