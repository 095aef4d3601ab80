"""Permutation importance and partial dependence: only the model's answers are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.explanation import Dependence, Importance
from modelyard.core.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.optimization.explain.asking import Asked

__all__ = ["dependence_of", "importances_of"]

Array = np.ndarray[Any, Any]

_TEXTS = 12
_OUTPUTS = 10


def importances_of(
    table: Table,
    score: Callable[[Table], Array],
    *,
    repeats: int,
    seed: int,
    told: Callable[[int], None],
) -> tuple[Importance, ...]:
    """The drop of the mean score when one column is shuffled; the most important first.

    All repetitions of a column are asked at once. Breiman, Random Forests (2001), section 10;
    Fisher, Rudin and Dominici, arXiv:1801.01489.

    Args:
        score: A score for each row, higher is better.
        told: Called with the number of columns that are done.
    """
    baseline = float(score(table).mean())
    found = []
    for done, name in enumerate(table.names):
        rng = np.random.default_rng([seed, done])
        orders = [rng.permutation(len(table)) for _ in range(repeats)]
        shuffled = np.concatenate([table.columns[name][order] for order in orders])
        scores = score(_repeated(table, repeats, {name: shuffled})).reshape(repeats, -1)
        drops = baseline - scores.mean(axis=1)
        found.append(Importance(name, float(drops.mean()), float(drops.std())))
        told(done + 1)
    return tuple(sorted(found, key=lambda each: -each.mean))


def dependence_of(table: Table, asked: Asked, feature: str, *, points: int) -> Dependence:
    """The mean output while the column `feature` is set to each of some values, in all rows.

    Friedman, Greedy Function Approximation (2001), section 8.2.
    """
    values = _grid(table.columns[feature], points)
    column = np.repeat(values, len(table))
    outputs = asked.numbers(_repeated(table, len(values), {feature: column}))
    means = outputs.reshape(len(values), len(table), -1).mean(axis=1)
    told = {name: tuple(map(float, means[:, i]))
            for i, name in enumerate(asked.names[:_OUTPUTS])}  # fmt: skip
    return Dependence(feature, tuple(values.tolist()), told)


def _repeated(table: Table, times: int, changed: dict[str, Array]) -> Table:
    """The rows several times over, some columns replaced."""
    return Table(
        {
            name: changed[name]
            if name in changed
            else np.tile(column, (times, *([1] * (column.ndim - 1))))
            for name, column in table.columns.items()
        }
    )


def _grid(column: Array, points: int) -> Array:
    """Quantiles of numbers; both truth values; the most frequent of texts."""
    if column.dtype.kind == "b":
        return np.unique(column)
    if column.dtype.kind not in "iuf":
        present = column[np.array([value is not None for value in column])]
        texts, counts = np.unique(present.astype(str), return_counts=True)
        return texts[np.argsort(-counts, kind="stable")][:_TEXTS].astype(object)
    known = column[np.isfinite(column)] if column.dtype.kind == "f" else column
    if not len(known):
        return column[:1]
    quantiles = np.quantile(known, np.linspace(0.01, 0.99, points), method="nearest")
    return np.unique(quantiles).astype(column.dtype)
