"""Vectors, folded: pictures and embeddings, too long to look at each element.

Their distribution is seen through random Fourier features (Rahimi and Recht, 2007) of a Gaussian
kernel: the squared distance of the means of two samples' features is their MMD. A vector of more
than 512 elements is shrunk to as many sums of neighbours with random signs, which keep distances
(a sparse Johnson-Lindenstrauss transform).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.monitoring.tiles import FEATURES, VectorTile

if TYPE_CHECKING:
    from modelyard.core.monitoring import Column
    from modelyard.monitoring.rows import Array

__all__ = ["WIDEST", "features_of", "fold_vectors", "merge_vector", "new_vector", "shrunk", "width"]

WIDEST: Final = 512
"""Elements of a vector that are looked at as they are."""
_SEED: Final = 8
_AT_ONCE: Final = 2 << 20
"""Elements that are worked on together: more would leave the processor's caches."""


def width(column: Column) -> int:
    """Elements of the vector after `shrunk`."""
    return min(column.size, WIDEST)


def new_vector(column: Column) -> VectorTile:
    return VectorTile(np.zeros(width(column)), np.zeros(FEATURES))


def shrunk(vectors: Array) -> Array:
    """float32 [rows, at most 512] of float [rows, size]."""
    rows, size = vectors.shape
    if size <= WIDEST:
        return np.asarray(vectors, np.float32)
    each, at_once = -(-size // WIDEST), _at_once(size)
    short = np.empty((rows, WIDEST), np.float32)
    wide = np.zeros((min(rows, at_once), each * WIDEST), np.float32)
    for start in range(0, rows, at_once):
        some = vectors[start : start + at_once]
        part = wide[: len(some)]
        np.multiply(some, _signs(size), out=part[:, :size])
        part.reshape(len(some), WIDEST, each).sum(axis=2, out=short[start : start + len(some)])
    return short


def features_of(column: Column, short: Array) -> Array:
    """float32 [rows, FEATURES]. The kernel's width is the column's first edge, as its profile
    found it (the median distance of two rows)."""
    turn, phase = _waves(short.shape[1], column.edges[0] if column.edges else 0.0)
    waves: Array = np.cos(short @ turn + phase)
    return waves * np.float32(np.sqrt(2.0 / FEATURES))


def fold_vectors(tile: VectorTile, column: Column, vectors: Array) -> None:
    """Fold float [rows, size]. A row with a value that is not finite counts as null."""
    squares = _squares(vectors)
    fine = np.isfinite(squares)
    if not fine.all():
        vectors, squares = vectors[fine], squares[fine]
    tile.nulls += len(fine) - len(vectors)
    tile.rows += len(fine)
    if not len(vectors):
        return
    norms = np.sqrt(squares)
    mean = float(norms.mean())
    _add(tile, len(vectors), mean, float(np.square(norms - mean).sum()))
    short = shrunk(vectors)
    tile.total += short.sum(axis=0, dtype=np.float64)
    tile.features += features_of(column, short).sum(axis=0, dtype=np.float64)


def _squares(vectors: Array) -> Array:
    """float64 [rows]: squared lengths. Long vectors are summed as float32, pairwise: six times as
    fast as in float64, and right to a millionth."""
    rows, size = vectors.shape
    if size <= WIDEST:
        found: Array = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
        return found
    squares, at_once = np.empty(rows), _at_once(size)
    for start in range(0, rows, at_once):
        some = vectors[start : start + at_once]
        squares[start : start + at_once] = np.square(some).sum(axis=1)
    return squares


def merge_vector(into: VectorTile, other: VectorTile) -> None:
    """Add what another tile of the same column saw."""
    into.total += other.total
    into.features += other.features
    into.rows += other.rows
    into.nulls += other.nulls
    if other.rows > other.nulls:
        _add(into, other.rows - other.nulls, other.norm_mean, other.norm_m2)


def _add(tile: VectorTile, count: int, mean: float, m2: float) -> None:
    total = tile.rows - tile.nulls
    apart = mean - tile.norm_mean
    tile.norm_mean += apart * (count / total)
    tile.norm_m2 += m2 + apart * apart * ((total - count) * count / total)


def _at_once(size: int) -> int:
    return max(_AT_ONCE // size, 1)


@lru_cache(8)
def _signs(size: int) -> Array:
    chosen = np.random.default_rng(_SEED).integers(0, 2, size)
    return (2 * chosen - 1).astype(np.float32)


@lru_cache(16)
def _waves(size: int, kernel: float) -> tuple[Array, Array]:
    """Frequencies [size, FEATURES] and phases [FEATURES]: the same in every process."""
    random = np.random.default_rng([_SEED, size])
    turn = random.normal(size=(size, FEATURES)) / (kernel or np.sqrt(2.0 * size))
    phase = random.uniform(0, 2 * np.pi, FEATURES)
    return turn.astype(np.float32), phase.astype(np.float32)
