"""SHAP values by the shap library: exact for trees, sampled for everything else."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.extras import need
from modelyard.core.table import Table

if TYPE_CHECKING:
    from modelyard.optimization.explain.asking import Asked

__all__ = ["shap_of"]

Array = np.ndarray[Any, Any]

_BACKGROUND = 50
_ROWS = 100


def shap_of(table: Table, asked: Asked, *, seed: int) -> tuple[dict[str, float], str]:
    """Mean |SHAP value| of each column over at most 100 rows, and the name of the explainer.

    Lundberg and Lee, arXiv:1705.07874; the permutation explainer asks the model only, so it works
    for whatever a runtime can ask.

    Raises:
        Unsupported: `no-extra`: shap is not installed.
    """
    shap: Any = need("shap", "explain")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(table))
    codes = _Codes(table)
    rows = codes.encode(table.take(order[:_ROWS]))
    background = codes.encode(table.take(order[-_BACKGROUND:]))

    def outputs(values: Array) -> Array:
        return asked.numbers(codes.decode(np.asarray(values)))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numba and of shap about its own future
        explainer = shap.explainers.Permutation(
            outputs, shap.maskers.Independent(background, max_samples=_BACKGROUND), seed=seed
        )
        evaluations = 2 * len(table.names) + 1
        found = explainer(rows, max_evals=max(evaluations, 20), silent=True)
    values = np.abs(np.asarray(found.values))
    means = values.reshape(values.shape[0], values.shape[1], -1).mean(axis=(0, 2))
    return dict(zip(table.names, map(float, means), strict=True)), f"shap {shap.__version__}"


class _Codes:
    """Tables as matrices of numbers and back: shap mixes rows cell by cell, also texts."""

    def __init__(self, table: Table) -> None:
        self._names = table.names
        self._known = {
            name: _distinct(column)
            for name, column in table.columns.items()
            if column.dtype.kind not in "biuf"
        }
        self._dtypes = {name: column.dtype for name, column in table.columns.items()}

    def encode(self, table: Table) -> Array:
        columns = []
        for name, column in table.columns.items():
            if name in self._known:
                code = {value: i for i, value in enumerate(self._known[name].tolist())}
                columns.append(np.array([code[value] for value in column.tolist()], np.float64))
            else:
                columns.append(column.astype(np.float64))
        return np.column_stack(columns)

    def decode(self, values: Array) -> Table:
        columns: dict[str, Array] = {}
        for i, name in enumerate(self._names):
            if name in self._known:
                columns[name] = self._known[name][values[:, i].astype(np.int64)]
            else:
                columns[name] = values[:, i].astype(self._dtypes[name])
        return Table(columns)


def _distinct(column: Array) -> Array:
    """What is in a column, once and in order; what is missing stays missing."""
    if column.dtype.kind != "O":
        return np.unique(column)
    values = sorted(set(column.tolist()), key=lambda value: (value is not None, str(value)))
    found = np.empty(len(values), object)
    found[:] = values
    return found
