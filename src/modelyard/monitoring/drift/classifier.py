"""Can rows of a window be told from rows of the reference? A classifier two-sample test.

It sees what no column shows by itself: that two columns which went together no longer do. A
logistic regression (numpy, ridge, Newton) on the numbers, their squares and products learns to tell
one half of the rows apart and is tried on the other, and the other way round (Lopez-Paz and Oquab,
2017, with the area under the ROC curve, whose distribution when nothing changed is Mann and
Whitney's, exactly the same whatever was learnt).
"""

from __future__ import annotations

import math
from typing import Any, Final, TypeAlias

import numpy as np

from modelyard.monitoring.drift.chances import normal_critical
from modelyard.monitoring.drift.singles import Single

__all__ = ["classifier"]

Array: TypeAlias = "np.ndarray[Any, Any]"

_ROWS: Final = 2_000
"""Of either side that are looked at."""
_FEATURES: Final = 300
_FEWEST: Final = 100
_FAR: Final = 4.0
"""Standard deviations at which values are cut, so that a single one does not decide."""
_RIDGE: Final = 100.0
"""As if weights were normal with a standard deviation of 0.1: small changes are looked for."""
_STEPS: Final = 12


def classifier(
    window: Array, reference: Array, *, least: float = 0.55, seed: int = 0
) -> Single | None:
    """The test `classifier`: its value is the area under the ROC curve, 0.5 if nothing changed.

    Args:
        window, reference: Float [rows, columns] of the same columns; NaN: no value. Of more than
            2,000 rows 2,000 are drawn.
        least: The area that matters.

    Returns:
        None if either side has fewer than 100 rows, or there is no column.
    """
    random = np.random.default_rng(seed)
    one, two = (_drawn(random, np.asarray(side, float)) for side in (window, reference))
    if min(len(one), len(two)) < _FEWEST or not one.shape[1]:
        return None
    features = _features(np.concatenate([one, two]), two)
    truth = np.arange(len(features)) < len(one)
    fold = _halves(random, len(one), len(two))
    areas, scores = [], []
    for side in (0, 1):
        train, held = fold == side, fold != side
        weights = _fitted(features[train], truth[train].astype(float))
        area, spread = _area(features[held] @ weights, truth[held])
        areas.append(area)
        scores.append((area - 0.5) / spread)
    z = (scores[0] + scores[1]) / 2  # by accident both halves differ alike, so they are one test
    half = [len(side) / 2 for side in (one, two)]
    spread = math.sqrt((half[0] + half[1] + 1) / (12 * half[0] * half[1]))
    return Single(
        "classifier", (areas[0] + areas[1]) / 2, math.erfc(z / math.sqrt(2)) / 2,
        lambda p: max(least, 0.5 + normal_critical(p) * spread), nothing=0.5,
    )  # fmt: skip


def _drawn(random: np.random.Generator, rows: Array) -> Array:
    return rows[random.permutation(len(rows))[:_ROWS]]


def _halves(random: np.random.Generator, *sizes: int) -> Array:
    return np.concatenate([random.permutation(np.arange(size) % 2) for size in sizes])


def _features(rows: Array, reference: Array) -> Array:
    """Standardised by the reference, missing values as its mean; products; one for the constant."""
    known = np.isfinite(reference)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, reference, 0.0).sum(axis=0) / count
    apart = np.where(known, reference - mean, 0.0)
    std = np.sqrt(np.square(apart).sum(axis=0) / count)
    z = np.divide(rows - mean, std, out=np.zeros(rows.shape), where=std > 0)
    z = np.where(np.isnan(z), 0.0, np.clip(z, -_FAR, _FAR))
    columns = z.shape[1]
    parts = [np.ones((len(z), 1)), z]
    if columns * (columns + 1) // 2 <= _FEATURES:
        first, second = np.triu_indices(columns)
        parts.append(z[:, first] * z[:, second])
    return np.concatenate(parts, axis=1)


def _fitted(features: Array, truth: Array) -> Array:
    """Weights of a logistic regression with a ridge."""
    weights = np.zeros(features.shape[1])
    ridge = np.full(len(weights), _RIDGE)
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(features @ weights, -30, 30)))
        slope = features.T @ (truth - chance) - ridge * weights
        curve = (features * (chance * (1 - chance))[:, None]).T @ features
        curve[np.diag_indices_from(curve)] += ridge
        step = np.linalg.solve(curve, slope)
        weights += step
        if np.abs(step).max() < 1e-6:
            break
    return weights


def _area(scores: Array, truth: Array) -> tuple[float, float]:
    """Area under the ROC curve, and its standard deviation if nothing can be told apart."""
    values, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    n, m = int(truth.sum()), int((~truth).sum())
    area = (middle[place][truth].sum() - n * (n + 1) / 2) / (n * m)
    total = n + m
    ties = float((counts.astype(float) ** 3 - counts).sum())
    spread = (total + 1 - ties / (total * (total - 1))) / (12 * n * m)
    return float(area), math.sqrt(spread) if len(values) > 1 else math.inf
