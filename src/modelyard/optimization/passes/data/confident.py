"""Which labels are likely to be wrong: confident learning.

Northcutt, Jiang and Chuang 2021, "Confident learning: estimating uncertainty in dataset labels",
JAIR 70. A row counts as of another class if a model that did not learn from it gives that class
more than it gives it on average to the rows that have it as their label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Doubts", "confident_joint", "doubts", "out_of_fold"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Doubts:
    """Rows whose labels are likely to be wrong, the worst first."""

    rows: Array
    """Indices, shape (found,)."""
    instead: Array
    """The class that each is more likely to be, as codes, shape (found,)."""
    margins: Array
    """How much likelier the model finds that class than the label, shape (found,), 0 to 1."""
    share: float
    """Of all rows, how many are likely to be wrong: the estimate, not the rows found."""


def confident_joint(labels: Array, chances: Array) -> Array:
    """Shape (classes, classes), whole numbers: rows with a label (first axis) by likely class.

    Args:
        labels: Codes 0 to classes - 1, shape (rows,).
        chances: Shape (rows, classes), of a model that did not learn from the row.
    """
    count = chances.shape[1]
    found = np.zeros((count, count), np.int64)
    known, likely = _confident(labels, chances)
    np.add.at(found, (labels[known], likely[known]), 1)
    return found


def doubts(labels: Array, chances: Array) -> Doubts:
    """Rows to look at again: of each label as many as the joint says, by the largest margin.

    What "prune by noise rate" is in the paper, kept to rows that are off the diagonal.
    """
    joint = confident_joint(labels, chances).astype(np.float64)
    counts = np.bincount(labels, minlength=chances.shape[1]).astype(np.float64)
    sums = joint.sum(axis=1, keepdims=True)
    # calibrated: each label has as many rows as it has
    joint = np.where(sums > 0, joint / np.where(sums > 0, sums, 1) * counts[:, None], 0.0)
    np.fill_diagonal(joint, 0)
    known, likely = _confident(labels, chances)
    every = np.arange(len(labels))
    margins = chances[every, likely] - chances[every, labels]
    rows: list[Array] = []
    for label, instead in np.argwhere(joint >= 0.5):
        there = np.flatnonzero(known & (labels == label) & (likely == instead) & (margins > 0))
        order = np.lexsort((there, -margins[there]))
        rows.append(there[order][: round(joint[label, instead])])
    found = np.concatenate(rows) if rows else np.empty(0, np.int64)
    found = found[np.lexsort((found, -margins[found]))]
    return Doubts(found, likely[found], margins[found], float(joint.sum() / max(len(labels), 1)))


def out_of_fold(
    fit: Callable[[Array], Any], chances: Callable[[Any, Array], Array],
    splits: list[tuple[Array, Array]], rows: int, classes: int,
) -> Array:  # fmt: skip
    """Chances of each row by a model that did not learn from it, shape (rows, classes).

    Args:
        fit: Indices to learn from, to a fitted object.
        chances: An object and indices, to chances of all classes in the order of their codes.
    """
    found = np.full((rows, classes), 1.0 / classes)
    for inside, outside in splits:
        found[outside] = chances(fit(inside), outside)
    return found


def _confident(labels: Array, chances: Array) -> tuple[Array, Array]:
    """Which rows are surely of some class, and of which: the likeliest of those above its mean."""
    count = chances.shape[1]
    limits = np.array([
        chances[labels == code, code].mean() if np.any(labels == code) else np.inf
        for code in range(count)
    ])  # fmt: skip
    above = chances >= limits - 1e-12
    likely = np.where(above, chances, -1.0).argmax(axis=1)
    return np.asarray(above.any(axis=1)), likely
