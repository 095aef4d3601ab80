"""Real data sets to search on: five of scikit-learn, and five of other packages.

The latter were chosen before anybody had run a search on them, and nothing was chosen by them.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from tests.benchmarks.optimize.published import published

from modelyard.core.table import Table
from modelyard.optimization.state import Rows

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.optimization.state import Task

__all__ = ["ALGORITHMS", "FRESH", "load"]

Array = np.ndarray[Any, Any]

ALGORITHMS: Final = {
    "breast_cancer": "svm",
    "wine": "xgboost",
    "digits": "svm",
    "iris": "tree",
    "diabetes": "svm",
    "penguins": "svm",
    "OJ": "svm",
    "College": "xgboost",
    "Hitters": "tree",
    "Auto": "svm",
}
"""Data sets, and the algorithm whose hyper-parameters are searched for."""
FRESH: Final = ("penguins", "OJ", "College", "Hitters", "Auto")
_TARGETS = {
    "penguins": "species", "OJ": "Purchase", "College": "Private", "Hitters": "Salary",
    "Auto": "mpg",
}  # fmt: skip
_NUMBERS = ("diabetes", "Hitters", "Auto")
_NAMES = {"Auto": ("name",)}
"""Columns that only name a row."""


def load(name: str) -> tuple[Rows, Task]:
    """Rows without gaps, categories as numbers in the order of their names."""
    x, y = _published(name) if name in FRESH else _packaged(name)
    task: Task = "regression" if name in _NUMBERS else "classification"
    columns = {f"c{at}": column for at, column in enumerate(x.T.copy())}
    return Rows(Table(columns), y if task == "regression" else y.astype(int)), task


def _packaged(name: str) -> tuple[Array, Array]:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    return bunch.data, bunch.target


def _published(name: str) -> tuple[Array, Array]:
    with _file(name).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    left_out = (_TARGETS[name], *_NAMES.get(name, ()))
    x = np.stack([_numbers([row[n] for row in rows]) for n in rows[0] if n not in left_out], axis=1)
    y = _numbers([row[_TARGETS[name]] for row in rows])
    whole = np.isfinite(x).all(axis=1) & np.isfinite(y)
    return x[whole], y[whole]


def _file(name: str) -> Path:
    if name == "penguins":
        return published("palmerpenguins==0.1.6", "palmerpenguins/data/penguins.csv")
    return published("ISLP==0.6.0", f"ISLP/data/{name}.csv")


def _numbers(texts: list[str]) -> Array:
    missing = ("", "NA", "?")
    try:
        return np.array([np.nan if text in missing else float(text) for text in texts])
    except ValueError:
        known = sorted({text for text in texts if text not in missing})
        return np.array([np.nan if t in missing else float(known.index(t)) for t in texts])
