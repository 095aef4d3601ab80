"""How well scores tell two classes apart, from histograms of the scores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from modelyard.monitoring.quality.intervals import Z

if TYPE_CHECKING:
    from modelyard.monitoring.quality.intervals import Interval
    from modelyard.monitoring.rows import Array

__all__ = ["auc_of"]


def auc_of(negative: Array, positive: Array) -> tuple[float, Interval] | None:
    """Area under the ROC curve with its interval; None if a class is missing.

    Scores of one bin count as equal: of a bin with shares a and b of both classes this is off by
    a b / 2 at most. The variance is DeLong's (Comparing the areas under two or more correlated
    ROC curves, 1988), on the logit scale, so that the interval stays below 1.

    Args:
        negative: float64 or int64 [bins], in the order of scores: rows of the first class.
        positive: The same of the second.
    """
    negatives, positives = float(negative.sum()), float(positive.sum())
    if negatives <= 0 or positives <= 0:
        return None
    below = (np.cumsum(negative) - negative / 2) / negatives
    above = (positives - np.cumsum(positive) + positive / 2) / positives
    area = float(positive @ below) / positives
    variance = (
        float(positive @ (below - area) ** 2) / positives / max(positives - 1, 1)
        + float(negative @ (above - area) ** 2) / negatives / max(negatives - 1, 1)
    )  # fmt: skip
    if not 0 < area < 1:  # told apart without a mistake: the rule of three
        off = min(3 / min(negatives, positives), 1.0)
        return area, (1 - off, 1.0) if area >= 1 else (0.0, off)
    logit = math.log(area / (1 - area))
    half = Z * math.sqrt(variance) / (area * (1 - area))
    return area, (_chance(logit - half), _chance(logit + half))


def _chance(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0
