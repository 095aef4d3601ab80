"""A look at data before anything is learned from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.table import Table
from modelyard.errors import InvalidInput
from modelyard.formats.tables import read_table
from modelyard.optimization.data_facts import (
    ColumnFacts,
    DataFacts,
    Doubt,
    Leak,
    Overlap,
    TargetFacts,
)
from modelyard.optimization.data_findings import findings_of
from modelyard.optimization.kinds import task_of
from modelyard.optimization.passes.data.clean import far_out
from modelyard.optimization.passes.data.columns import kind_of
from modelyard.optimization.passes.data.comparing import differing
from modelyard.optimization.passes.data.labels import MOST_JUDGED, doubted_labels
from modelyard.optimization.passes.data.leaks import exact_copies, near_copies, skill
from modelyard.optimization.passes.data.rows import codes_of, is_missing, row_groups
from modelyard.optimization.state import Rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modelyard.optimization.state import Task

__all__ = ["TOLD_BY_ONE", "Labelled", "labelled", "profile_data"]

Array = np.ndarray[Any, Any]

TOLD_BY_ONE = 0.95
"""Skill of one column from which it is suspected to be known only with the answer."""
_DIFFERENT = 0.95
"""Share of rows with a value of their own, from which a column names rows: copies are rare."""
_FEW = 50
_CELLS = 12
_COMMON = 4


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows of a file, without those that have no target."""

    rows: Rows
    left_out: int


def labelled(path: Path, target: str | None) -> Labelled:
    """Rows of a file.

    Raises:
        NotFound: `no-data`.
        InvalidInput: `bad-data`, `no-column`, `no-rows`, `bad-target`, `no-inputs`.
    """
    table = read_table(path)
    if not len(table):
        raise InvalidInput("no-rows", f"{path.name} has no rows", hint="name another file")
    if target is None:
        return Labelled(Rows(table), 0)
    truth = table.column(target)
    if truth.ndim != 1:
        raise InvalidInput("bad-target", f"{target} has several values for each row")
    inputs = table.without(target) if len(table.names) > 1 else None
    if inputs is None:
        raise InvalidInput("no-inputs", "the data has no column besides the target")
    there = ~is_missing(truth)
    if not there.any():
        raise InvalidInput("bad-target", f"{target} has no value in any row")
    return Labelled(Rows(inputs.take(there), truth[there]), int((~there).sum()))


def profile_data(
    rows: Rows,
    holdout: Rows | None = None,
    *,
    name: str = "data",
    target: str = "target",
    task: Task | None = None,
    labels: bool = True,
    without_target: int = 0,
    seed: int = 0,
    tell: Callable[[str], None] = lambda _: None,
) -> DataFacts:
    """Look at columns, copies, leaks, balance and labels. Nothing is changed.

    Args:
        holdout: Rows that will be used to measure: are they among `rows`?
        target: The name of what is predicted, for people.
        task: Classification or regression; default: as the target looks.
        labels: Whether to look for wrong labels; that takes most of the time.
        without_target: Rows that were left out as their target is missing.
    """
    guessed = task or task_of(rows.target)
    tell("columns")
    columns = tuple(
        _column(n, c, rows.target, guessed, seed) for n, c in rows.inputs.columns.items()
    )
    copies, conflicts = _copies(rows)
    leaks = tuple(
        Leak(column=each.name, skill=each.skill)
        for each in columns if each.skill is not None and each.skill >= TOLD_BY_ONE
    )  # fmt: skip
    overlap = None
    if holdout is not None:
        tell("rows in both parts")
        exact = exact_copies(rows.inputs, holdout.inputs)
        near = near_copies(rows.inputs, holdout.inputs, seed=seed)
        overlap = Overlap(
            rows=len(holdout), exact=int(exact.sum()), near=int(near.sum()),
            differing=differing(rows.inputs, holdout.inputs),
        )  # fmt: skip
    doubts: tuple[Doubt, ...] = ()
    doubted = None
    if labels and guessed == "classification" and rows.target is not None:
        tell("labels")
        without = {each.column for each in leaks}
        found = doubted_labels(rows, without, seed)
        if found is not None:
            doubts, doubted = found
    facts = DataFacts(
        name=name, rows=len(rows), columns=columns, target=_target(target, rows.target, guessed),
        copies=copies, conflicts=conflicts, leaks=leaks, doubts=doubts, doubted=doubted,
        overlap=overlap, without_target=without_target,
        judged=0 if doubted is None else min(len(rows), MOST_JUDGED),
    )  # fmt: skip
    return findings_of(facts)


def _column(name: str, column: Array, target: Array | None, task: Task, seed: int) -> ColumnFacts:
    kind = kind_of(column)
    missing = is_missing(column)
    codes = codes_of(column)
    distinct = len(np.unique(codes[~missing]))
    known: dict[str, Any] = {}
    if kind in ("number", "flag") and not missing.all():
        known |= _numbers(column[~missing].astype(np.float64))
    if kind in ("category", "flag"):
        values, counts = np.unique(column[~missing].astype(str), return_counts=True)
        order = np.lexsort((values, -counts))[:_COMMON]
        known["common"] = tuple((str(values[i]), float(counts[i] / len(column))) for i in order)
    if kind == "number":
        known["far_out"] = int(far_out(Table({name: column})).sum())
    told = None
    if target is not None and task != "other" and kind != "array":
        told = skill(column, target, task, seed=seed)
    whole = column.dtype.kind in "iuOUS" and column.ndim == 1
    differ = len(column) > _FEW and distinct >= _DIFFERENT * len(column)
    return ColumnFacts(
        name=name, kind=kind, dtype="string" if column.dtype.kind in "OU" else str(column.dtype),
        missing=float(missing.mean()), distinct=distinct, skill=told,
        is_identifier=whole and differ and _names_rows(column, kind),
        **known,
    )  # fmt: skip


def _names_rows(column: Array, kind: str) -> bool:
    """Of values that are all different: whether they are codes, or numbers without gaps."""
    if column.dtype.kind in "iu":
        return bool(int(column.max()) - int(column.min()) < 2 * len(column))
    return kind != "text" or all(len(str(value).split()) == 1 for value in column[:1000])


def _numbers(known: Array) -> dict[str, Any]:
    known = known[np.isfinite(known)]
    if not len(known):
        return {}
    least, median, most = (float(np.quantile(known, q)) for q in (0, 0.5, 1))
    spread: tuple[float, ...] = ()
    if least < most:
        counts, _ = np.histogram(known, _CELLS, (least, most))
        spread = tuple(float(each) for each in counts / len(known))
    return {"least": least, "median": median, "most": most, "spread": spread}


def _copies(rows: Rows) -> tuple[int, int]:
    """Rows that are there again with their target, and rows that contradict their equals."""
    groups = row_groups(rows.inputs)
    if rows.target is None:
        return len(groups) - len(np.unique(groups)), 0
    labels = codes_of(rows.target)
    both = np.unique(groups * (int(labels.max(initial=0)) + 1) + labels)
    owners, targets = np.unique(both // (int(labels.max(initial=0)) + 1), return_counts=True)
    torn = np.isin(groups, owners[targets > 1])
    return len(groups) - len(both), int(torn.sum())


def _target(name: str, target: Array | None, task: Task) -> TargetFacts | None:
    if target is None:
        return None
    if task == "regression":
        return TargetFacts(name=name, task=task, **_numbers(target.astype(np.float64)))
    values, counts = np.unique(target.astype(str), return_counts=True)
    order = np.lexsort((values, -counts))
    classes = tuple((str(values[i]), int(counts[i])) for i in order)
    return TargetFacts(name=name, task=task, classes=classes)
