"""How long truth takes to come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelyard.monitoring.tiles import LAG_BOUNDS

if TYPE_CHECKING:
    from modelyard.monitoring.tiles import TruthTile

__all__ = ["label_lag"]


def label_lag(truth: TruthTile, share: float = 0.5) -> float | None:
    """Seconds from an answer to its truth that a share of all took at most: the median.

    Read off a line within its bin; what took longer than the last bound counts as that.
    """
    rows = int(truth.lags.sum())
    if rows == 0:
        return None
    wanted = share * rows
    before = np.concatenate([[0], np.cumsum(truth.lags)])
    place = int(np.searchsorted(before[1:], wanted))
    if place >= len(LAG_BOUNDS):
        return LAG_BOUNDS[-1]
    low = LAG_BOUNDS[place - 1] if place else 0.0
    part = (wanted - before[place]) / max(float(truth.lags[place]), 1.0)
    return low + float(part) * (LAG_BOUNDS[place] - low)
