"""Truth folded into tiles, for tests of what is told from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelyard.core.monitoring import Column, Schema
from modelyard.monitoring.truths import fold_truth, new_truth

if TYPE_CHECKING:
    from modelyard.monitoring.rows import Array
    from modelyard.monitoring.tiles import TruthTile

TWO = Schema(
    columns=(Column(name="sex", kind="category", categories=("f", "m")),),
    task="classification", classes=("no", "yes"), groups=("sex",),
)  # fmt: skip
FOUR = Schema(columns=(), task="classification", classes=("a", "b", "c", "d"))
NUMBER = Schema(columns=(), task="regression", values=Column(name="price", kind="number"))


def classes(schema: Schema, truth: Array, labels: Array, scores: Array | None = None) -> TruthTile:
    """Scores: float64 [rows, classes]."""
    tile = new_truth(schema)
    fold_truth(
        tile, schema, truth, labels=labels,
        confidence=None if scores is None else scores[np.arange(len(labels)), labels],
        second=None if scores is None else scores[:, 1],
    )  # fmt: skip
    return tile


def numbers(truth: Array, values: Array) -> TruthTile:
    tile = new_truth(NUMBER)
    fold_truth(tile, NUMBER, truth, values=values)
    return tile


def scored(seed: int, rows: int, spread: float = 1.5) -> tuple[Array, Array]:
    """Scores of two classes that mean what they say, and the truth."""
    rng = np.random.default_rng(seed)
    second = 1 / (1 + np.exp(-rng.normal(0, spread, rows)))
    return np.column_stack([1 - second, second]), (rng.random(rows) < second).astype(np.int64)
