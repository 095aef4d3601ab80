"""Embeddings: whether rows of one class lie close together, by cosine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelyard.core.metrics.rowwise import Means

if TYPE_CHECKING:
    from modelyard.core.metrics.interface import Array

__all__ = ["MOST_WORK", "neighbour_facts"]

MOST_WORK = 2e11
"""Multiplications at most: beyond, only some rows look for their neighbours."""
_CELLS = 1 << 23


def neighbour_facts(classes: Array, vectors: Array, *, seed: int = 0) -> Means:
    """Facts of rows: whether the nearest other row is of the same class, and how clear that is.

    `recall@1` and `recall@10` ask whether one of the nearest is of the same class, `mrr` is one
    over the place of the first that is, `separation` the mean cosine to rows of the same class
    minus that to all others. NaN for rows that are alone in their class, and for those that did
    not look. Memory stays below 100 MB.

    Args:
        classes: Shape (rows,): codes from 0.
        vectors: Shape (rows, size).
    """
    unit = _unit(vectors)
    counts = np.bincount(classes)
    mates = counts[classes] - 1
    place = np.full(len(unit), np.nan)
    for rows in _portions(len(unit), unit.shape[1], seed):
        place[rows] = _places(unit, classes, rows)
    place[mates == 0] = np.nan
    known = ~np.isnan(place)
    columns = {
        "recall@1": np.where(known, place <= 1, np.nan),
        "recall@10": np.where(known, place <= 10, np.nan),
        "mrr": 1 / place,
        "separation": _separation(unit, classes, mates),
    }
    return Means(columns)


def _unit(vectors: Array) -> Array:
    length = np.linalg.norm(vectors.astype(np.float32), axis=1, keepdims=True)
    return vectors.astype(np.float32) / np.where(length > 0, length, 1)


def _portions(rows: int, size: int, seed: int) -> list[Array]:
    looking = np.arange(rows)
    most = max(int(MOST_WORK / (rows * max(size, 1))), 1000)
    if most < rows:
        looking = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    step = max(_CELLS // rows, 1)
    return [looking[i : i + step] for i in range(0, len(looking), step)]


def _places(unit: Array, classes: Array, rows: Array) -> Array:
    """The place of the nearest row of the same class; the worst among equals."""
    close = unit[rows] @ unit.T
    close[np.arange(len(rows)), rows] = -np.inf
    same = classes[rows][:, None] == classes[None]
    best = np.max(close, axis=1, where=same, initial=-np.inf)
    place: Array = ((close >= best[:, None]) & ~same).sum(axis=1) + 1.0
    return place


def _separation(unit: Array, classes: Array, mates: Array) -> Array:
    centres = np.zeros((int(classes.max()) + 1, unit.shape[1]))
    np.add.at(centres, classes, unit)
    own = np.einsum("ij,ij->i", unit, centres[classes]) - np.einsum("ij,ij->i", unit, unit)
    rest = unit @ centres.sum(axis=0) - np.einsum("ij,ij->i", unit, centres[classes])
    others = len(unit) - mates - 1
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = own / mates - rest / others
    return np.where((mates > 0) & (others > 0), found, np.nan)
