"""Bins with too few rows are joined before a test: its distribution holds for well-filled ones."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np

__all__ = ["FEWEST", "pooled"]

Array: TypeAlias = "np.ndarray[Any, Any]"

FEWEST: Final = 10.0
"""Rows that each bin must be expected to have on the smaller side. At 10 the chi-square tail holds
to a factor of two at p = 1e-5; at 5, which textbooks ask for, it is eight times too small."""


def pooled(window: Array, reference: Array, ordered: Array) -> tuple[Array, Array]:
    """Counts [columns, bins] of both sides, with poor bins joined (to their neighbours).

    What is expected comes from both sides together, as if nothing had changed.

    Args:
        ordered: bool [columns]: whether neighbours are alike (numbers). Else (texts) all poor bins
            become one.
    """
    both = window + reference
    total = both.sum(axis=1, keepdims=True)
    small = np.minimum(window.sum(axis=1), reference.sum(axis=1))[:, None]
    expected = np.divide(both * small, total, out=np.zeros(both.shape), where=total > 0)
    poor = (expected < FEWEST) & (both > 0)
    if not poor.any():
        return window, reference
    window, reference = window.copy(), reference.copy()
    for i in np.flatnonzero(poor.any(axis=1)):
        target = _places(expected[i]) if ordered[i] else _rest(expected[i], poor[i])
        for side in (window, reference):
            side[i] = np.bincount(target, weights=side[i], minlength=side.shape[1])
    return window, reference


def _places(expected: Array) -> Array:
    """Where each bin goes: from the left, bins are joined until they have enough."""
    target = np.empty(len(expected), np.int64)
    place, filled = 0, 0.0
    for i, value in enumerate(expected.tolist()):
        if filled >= FEWEST:
            place, filled = place + 1, 0.0
        target[i] = place
        filled += value
    if filled < FEWEST and place:
        target[target == place] = place - 1
    return target


def _rest(expected: Array, poor: Array) -> Array:
    """Poor bins go to the first of them; to the least of the others if they are poor together."""
    target = np.arange(len(expected))
    first = int(np.flatnonzero(poor)[0])
    if expected[poor].sum() < FEWEST and (~poor & (expected > 0)).any():
        others = np.where(poor | (expected <= 0), np.inf, expected)
        first = int(others.argmin())
    target[poor] = first
    return target
