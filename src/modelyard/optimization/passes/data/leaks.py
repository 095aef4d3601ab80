"""What makes a measurement look better than it is: copies across parts, columns that tell all."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.optimization.passes.data.columns import kinds_of
from modelyard.optimization.passes.data.comparing import comparable
from modelyard.optimization.passes.data.rows import (
    codes_of,
    folds,
    is_missing,
    sampled,
    shared_groups,
)

if TYPE_CHECKING:
    from modelyard.core.table import Table
    from modelyard.optimization.state import Task

__all__ = ["exact_copies", "near_copies", "skill"]

Array = np.ndarray[Any, Any]

_MOST = 4000
_NEAR = 0.05
"""Of the usual distance to the nearest other row."""
_ALIKE = 0.85
"""Cosine of two texts' words, above which they say the same."""
_WORDS = 256
_BINS = 64


def exact_copies(train: Table, other: Table) -> Array:
    """Which rows of `other` stand in `train` too, shape (rows of other,)."""
    both = comparable(train, other)
    if both is None:
        return np.zeros(len(other), bool)
    known, asked = shared_groups(*both)
    return np.isin(asked, known)


def near_copies(train: Table, other: Table, *, seed: int = 0) -> Array:
    """Which rows of `other` are almost one of `train`, but not equal to it; shape (rows of other,).

    Numbers: much nearer than rows of `train` are to each other (a twentieth of the median
    distance, each column by its deviation). Texts: most of their words. Categories: equal.
    Of `train` 4,000 rows are looked at, drawn.
    """
    found = np.zeros(len(other), bool)
    both = comparable(train, other)
    if both is None:
        return found
    train, other = both
    kinds = kinds_of(train)
    plain = {n for n, column in train.columns.items() if column.dtype.kind in "biuf"}
    numbers = [n for n, kind in kinds.items() if kind in ("number", "array") and n in plain]
    texts = [n for n, kind in kinds.items() if kind == "text"]
    if not numbers and not texts:
        return found
    rest = [n for n in train.names if n not in (*numbers, *texts)]
    drawn = sampled(len(train), _MOST, seed)
    known, asked = _matrix(train.take(drawn), train, numbers), _matrix(other, train, numbers)
    same_known, same_asked = (
        shared_groups(train.take(drawn).select(rest), other.select(rest)) if rest
        else (np.zeros(len(drawn), np.int64), np.zeros(len(other), np.int64))
    )  # fmt: skip
    limit = _usual(known) * _NEAR
    words = [(_words(train.columns[n][drawn]), _words(other.columns[n])) for n in texts]
    for begin in range(0, len(other), 500):
        part = slice(begin, begin + 500)
        near = same_asked[part][:, None] == same_known[None, :]
        if numbers:
            near &= _distances(asked[part], known) <= limit
        for own, theirs in words:
            near &= theirs[part] @ own.T >= _ALIKE
        found[part] = near.any(axis=1)
    return found & ~exact_copies(train, other)


def skill(column: Array, target: Array, task: Task, *, seed: int = 0) -> float:
    """How much of the target a column tells by itself: 0 nothing, 1 all of it.

    Of classes: of the rows that are wrong when always the most frequent one is said, the share
    that becomes right. Of numbers: the variance explained. Measured on rows that nothing was
    learned from; a missing value is a value of its own.
    """
    taken = sampled(len(column), 5 * _MOST, seed)
    column, target = column[taken], target[taken]
    if column.ndim > 1:
        return 0.0
    if task == "regression":
        there = np.isfinite(target.astype(np.float64))
        column, target = column[there], target[there]
    scores = [
        _told(column, target, task, inside, outside)
        for inside, outside in folds(np.arange(len(column)), target, task, count=3, seed=seed)
    ]
    return float(np.clip(np.mean(scores), 0.0, 1.0)) if scores else 0.0


def _told(column: Array, target: Array, task: Task, inside: Array, outside: Array) -> float:
    codes = _binned(column, inside)
    count = int(codes.max()) + 1
    if task == "classification":
        classes = codes_of(target)
        table = np.zeros((count, int(classes.max()) + 1))
        np.add.at(table, (codes[inside], classes[inside]), 1)
        total = table.sum(axis=0)
        frequent = int(total.argmax())
        table += total / total.sum() * 1e-6  # bins without rows say the most frequent class
        right = float(np.mean(table.argmax(axis=1)[codes[outside]] == classes[outside]))
        base = float(np.mean(classes[outside] == frequent))
        return (right - base) / (1 - base) if base < 1 else 0.0
    values = target.astype(np.float64)
    mean = float(values[inside].mean())
    sums = np.bincount(codes[inside], values[inside] - mean, minlength=count)
    counts = np.bincount(codes[inside], minlength=count)
    said = mean + sums / np.maximum(counts, 1)
    off = float(np.square(values[outside] - mean).mean())
    found = (
        1 - float(np.square(values[outside] - said[codes[outside]]).mean()) / off if off else 0.0
    )
    if column.dtype.kind in "biuf" and np.isfinite(column).all():
        found = max(found, _line(column.astype(np.float64), values, inside, outside))
    return found


def _line(column: Array, values: Array, inside: Array, outside: Array) -> float:
    """The variance that a straight line explains."""
    spread = float(column[inside].std())
    off = float(np.square(values[outside] - values[inside].mean()).mean())
    if not spread or not off:
        return 0.0
    x = (column - column[inside].mean()) / spread
    slope = float(np.mean(x[inside] * (values[inside] - values[inside].mean())))
    said = values[inside].mean() + slope * x[outside]
    return 1 - float(np.square(values[outside] - said).mean()) / off


def _binned(column: Array, inside: Array) -> Array:
    """Codes of values; numbers of many values in bins of as many rows each."""
    codes = codes_of(column)
    if column.dtype.kind not in "biufmM" or codes.max(initial=0) < _BINS:
        return codes
    missing = is_missing(column)
    values = column.astype(np.float64)
    known = values[inside][~missing[inside] & np.isfinite(values[inside])]
    if not len(known):
        return np.asarray(missing.astype(np.int64))
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]))
    return np.where(missing, len(edges) + 1, np.searchsorted(edges, values, side="right"))


def _matrix(table: Table, like: Table, names: list[str]) -> Array:
    """Numbers by their deviation in `like`; a missing one is the mean. Shape (rows, numbers)."""
    parts: list[Array] = [np.empty((len(table), 0))]
    for name in names:
        own = table.columns[name].reshape(len(table), -1).astype(np.float64)
        theirs = like.columns[name].reshape(len(like), -1).astype(np.float64)
        theirs = np.where(np.isfinite(theirs), theirs, np.nan)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there is nothing to take a mean of
            mean, deviation = np.nanmean(theirs, axis=0), np.nanstd(theirs, axis=0)
        scaled = (own - mean) / np.where(deviation > 0, deviation, 1.0)
        parts.append(np.nan_to_num(scaled, nan=0.0, posinf=0.0, neginf=0.0))
    found = np.concatenate(parts, axis=1)
    if found.shape[1] > _WORDS:  # distances stay nearly what they are (Johnson, Lindenstrauss)
        turned = np.random.default_rng(0).normal(size=(found.shape[1], _WORDS))
        found = found @ turned / np.sqrt(_WORDS)
    return found


def _usual(known: Array) -> float:
    """The median distance of a row to its nearest other, by 1,000 rows."""
    if len(known) < 2 or not known.shape[1]:
        return 0.0
    drawn = np.arange(min(len(known), 1000))
    far = _distances(known[drawn], known)
    far[drawn, drawn] = np.inf
    far[far <= 1e-7] = np.inf  # copies
    nearest = far.min(axis=1)
    nearest = nearest[np.isfinite(nearest)]
    return float(np.median(nearest)) if len(nearest) else 0.0


def _distances(a: Array, b: Array) -> Array:
    squares = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1)[None, :] - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def _words(column: Array) -> Array:
    """Which words a text holds, hashed and of length 1; shape (rows, 256), float32."""
    from zlib import crc32

    found = np.zeros((len(column), _WORDS), np.float32)
    for row, text in enumerate(column.tolist()):
        for word in str(text or "").lower().split():
            found[row, crc32(word.encode()) % _WORDS] += 1
    lengths = np.sqrt(np.square(found).sum(axis=1, keepdims=True))
    return np.asarray(found / np.where(lengths > 0, lengths, 1.0))
