"""Rows into those to learn from, those to choose by, and those that no pass sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidInput, ModelyardError
from modelyard.formats.tables import read_table
from modelyard.optimization.passes.data.rows import row_groups
from modelyard.optimization.state import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from modelyard.core.table import Table
    from modelyard.optimization.state import Model

__all__ = ["LEAST", "Split", "columns_of", "once", "read_rows", "split", "taken"]

Array = np.ndarray[Any, Any]

LEAST = 20
"""Rows that data must have."""
_MEMORY = 10**9
"""Bytes that rows may take: a server reads them too, and every process that runs trials."""
_MOST_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class Split:
    """Three parts without a row in common."""

    train: Rows
    valid: Rows
    holdout: Rows
    columns: tuple[str, ...] = ()
    """By which rows are equal; all where there are none."""


def read_rows(path: Path, target: str | None) -> Rows:
    """Rows of a file.

    InvalidInput: `no-column`, `no-rows`, `missing-target`, `no-inputs`; `bad-data`: it is damaged,
    or would take more than 1 GB of memory, for a small file may hold very many rows.
    """
    table = read_table(path, memory=_MEMORY)
    if len(table) < LEAST:
        raise InvalidInput(
            "no-rows", f"the data has {len(table)} rows",
            hint=f"improving takes {LEAST} rows at least; some hundreds for a proof",
        )  # fmt: skip
    if target is None:
        return Rows(table)
    truth = table.column(target)
    if truth.ndim != 1:
        raise InvalidInput("bad-target", f"{target} has several values for each row")
    _refuse_missing(truth, target)
    if len(table.names) < 2:
        raise InvalidInput("no-inputs", "the data has no column besides the target")
    return Rows(table.without(target), truth)


def columns_of(model: Model, inputs: Table, *, may_load: bool = False) -> tuple[str, ...]:
    """Names of the columns that a model takes, where that is known and all are there; else none.

    Other columns, such as an id or a time, make two copies of a row look different, though to the
    model they are the same.

    Args:
        may_load: Whether the model is loaded in this process where its signature names no columns.
    """
    told = (model.signature or {}).get("inputs") or ()
    names = tuple(str(each.get("name")) for each in told)
    if not names or not set(names) <= inputs.columns.keys():
        names = _fitted_with(model) if may_load and len(inputs.names) > 1 else ()
    return names if set(names) <= inputs.columns.keys() else ()


def taken(inputs: Table, columns: Sequence[str]) -> Table:
    """These columns, as `columns_of` gives them: all where there are none."""
    return inputs.select(columns) if columns else inputs


def once(rows: Rows, columns: Sequence[str] = ()) -> Rows:
    """The first of all rows that are equal in these columns: copies prove nothing anew."""
    groups = _groups(taken(rows.inputs, columns))
    return rows.take(np.flatnonzero(groups == np.arange(len(rows))))


def split(
    rows: Rows, *, holdout: float, valid: float, seed: int, columns: Sequence[str] = ()
) -> Split:
    """The same for the same rows, shares and seed. Rows that are equal stay together.

    Args:
        columns: By which rows are equal, as `columns_of` gives them; all where there are none.

    Rows are ordered at random, classes dealt out in proportion; of what is not in the holdout, the
    share `valid` is for choosing. Two equal rows in different parts would let a model be proved on
    what it has learned by heart.
    """
    rng = np.random.default_rng([seed, 9])
    groups = _groups(taken(rows.inputs, columns))
    order = _dealt(rows.target, groups, rng)
    # by whole groups: whose first row falls into a part is in it
    parts = _shares(order, holdout, valid)
    found = parts[groups]
    return Split(
        rows.take(np.flatnonzero(found == 0)),
        rows.take(np.flatnonzero(found == 1)),
        rows.take(np.flatnonzero(found == 2)),
        tuple(columns),
    )


def _refuse_missing(truth: Array, target: str) -> None:
    if truth.dtype.kind == "f":
        missing = int((~np.isfinite(truth)).sum())
    elif truth.dtype.kind == "O":
        missing = sum(value is None for value in truth)
    else:
        return
    if missing:
        raise InvalidInput(
            "missing-target", f"{missing:,} rows have no value in {target}",
            hint="leave these rows out",
        )  # fmt: skip


def _fitted_with(model: Model) -> tuple[str, ...]:
    """Names that a model of a table library keeps itself; none where it has none."""
    from modelyard.optimization.passes.data.learning import FROM_SCRATCH, learner_of

    if model.saved.framework not in FROM_SCRATCH:
        return ()
    try:
        return learner_of(model).names or ()
    except ModelyardError:  # whoever measures it will say why
        return ()


def _groups(table: Table) -> Array:
    """For each row the number of its first equal."""
    _, first, place = np.unique(row_groups(table), return_index=True, return_inverse=True)
    found: Array = first[place.reshape(-1)]
    return found


def _dealt(target: Array | None, groups: Array, rng: np.random.Generator) -> Array:
    """For each row, where it stands in [0, 1): even within each class."""
    rows = len(groups)
    place = np.zeros(rows)
    strata = np.zeros(rows, np.int64)
    if target is not None:
        values, codes = np.unique(
            target.astype(str) if target.dtype.kind == "O" else target, return_inverse=True
        )
        if len(values) <= min(_MOST_CLASSES, rows // 5):
            strata = codes.reshape(-1)
    heads = np.flatnonzero(groups == np.arange(rows))
    for stratum in np.unique(strata[heads]):
        members = heads[strata[heads] == stratum]
        shuffled = rng.permutation(len(members))
        place[members] = (shuffled + rng.random()) / len(members)
    return place


def _shares(place: Array, holdout: float, valid: float) -> Array:
    """0 to learn from, 1 to choose by, 2 for the proof."""
    parts = np.zeros(len(place), np.int8)
    parts[place < holdout + (1 - holdout) * valid] = 1
    parts[place < holdout] = 2
    return parts
