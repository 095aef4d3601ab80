"""Which inputs matter, before and after a model was improved."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.table import Table
from modelyard.errors import InvalidInput, Unsupported
from modelyard.optimization.explain.asking import Asked
from modelyard.optimization.explain.importance import importances_of
from modelyard.optimization.measuring import answering

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.explanation import Importance
    from modelyard.optimization.state import Model, Rows

__all__ = ["importance_before_after"]

Json = Any

_MOST_COLUMNS = 200
_SHOWN = 50


def importance_before_after(
    before: Model, after: Model, rows: Rows, *, seed: int = 0, repeats: int = 3, most: int = 500
) -> Mapping[str, Json] | None:
    """Permutation importance of every column, on both models, with the same shuffles.

    Breiman, Random Forests (2001), section 10.

    Args:
        rows: Rows that neither model has learned from.
        most: How many of them are used, drawn with `seed`.

    Returns:
        `score` (`accuracy`, `r2` or `output`), `rows`, `correlation` (Spearman's, of both
        importances; None where one of them is constant), and `features`, the most important first:
        `feature`, `before`, `after` (drop of the score), `before_deviation`, `after_deviation`.
        None for models of pictures and others that have no columns to shuffle.
    """
    drawn = rows
    if len(rows) > most:
        order = np.random.default_rng([seed, 5]).permutation(len(rows))[:most]
        drawn = rows.take(np.sort(order))
    flat = _flat(drawn.inputs)
    if flat is None:
        return None
    sides: list[dict[str, Importance]] = []
    name = ""
    for model in (before, after):
        with ExitStack() as stack:
            runtime = stack.enter_context(answering(model))
            named = runtime.about.features
            table = flat if named is None else flat.known(named)
            try:
                asked = Asked(runtime, drawn.target)
                name, score = asked.scorer(table)
                found = importances_of(
                    table, score, repeats=repeats, seed=seed, told=lambda _: None
                )
            except (InvalidInput, Unsupported):
                return None  # it gives no numbers, or takes rows only as they are
        sides.append({each.feature: each for each in found})
    return {
        "score": name, "rows": len(drawn), "correlation": _rank_correlation(*sides),
        "features": _rows(*sides)[:_SHOWN],
    }  # fmt: skip


def _rows(before: Mapping[str, Importance], after: Mapping[str, Importance]) -> list[Json]:
    made: list[dict[str, Json]] = []
    for feature in dict.fromkeys((*before, *after)):
        row: dict[str, Json] = {"feature": feature}
        for side, known in (("before", before.get(feature)), ("after", after.get(feature))):
            row[side] = None if known is None else known.mean
            row[f"{side}_deviation"] = None if known is None else known.deviation
        made.append(row)
    return sorted(made, key=lambda row: -max(row["before"] or 0.0, row["after"] or 0.0))


def _rank_correlation(
    before: Mapping[str, Importance], after: Mapping[str, Importance]
) -> float | None:
    both = [name for name in before if name in after]
    if len(both) < 2:
        return None
    ranks = [_ranks(np.array([side[name].mean for name in both])) for side in (before, after)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return None
    return float(np.corrcoef(np.stack(ranks))[0, 1])


def _ranks(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """From 1; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle: np.ndarray[Any, Any] = np.cumsum(counts) - (counts - 1) / 2
    return middle[place]


def _flat(table: Table) -> Table | None:
    """A matrix as one column for each of its numbers; None of pictures and the like."""
    columns = {}
    for name, column in table.columns.items():
        if column.ndim == 1:
            columns[name] = column
        elif column.ndim == 2:
            columns |= {f"{name}[{i}]": column[:, i] for i in range(column.shape[1])}
        else:
            return None
        if len(columns) > _MOST_COLUMNS:
            return None
    return Table(columns)
