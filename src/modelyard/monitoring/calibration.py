"""What a score really means: a monotone map for each class, fitted where the truth is known.

Isotonic regression by pooling adjacent violators (Ayer et al., 1955; Zadrozny and Elkan, 2002),
then straight lines between the middles of its blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from modelyard.monitoring.rows import Array

__all__ = ["IDENTITY", "Calibration", "fit_calibration"]

_STEPS: Final = 1_000
"""Quantiles of the scores that are pooled, at most."""
_KNOTS: Final = 100
_LEAST: Final = 50
"""Rows with a truth, below which nothing is fitted."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Maps of scores; without any, scores are taken as they are."""

    maps: tuple[tuple[Array, Array], ...] = ()
    """Of each class (of two classes: of the second alone): scores, ascending, and how often the
    class was true there."""
    rows: int = 0
    """With truth, from which it was fitted."""

    def apply(self, scores: Array) -> Array:
        """float64 [rows, classes] of such: each row's sum is 1."""
        if not self.maps:
            return _chances(scores)
        if scores.shape[1] == 2:
            second = np.interp(scores[:, 1], *self.maps[0])
            return np.column_stack([1.0 - second, second])
        if len(self.maps) != scores.shape[1]:
            return scores
        found = np.column_stack([
            np.interp(scores[:, i], *knots) for i, knots in enumerate(self.maps)
        ])  # fmt: skip
        sums = found.sum(axis=1, keepdims=True)
        return np.where(sums > 0, found / np.where(sums > 0, sums, 1.0), scores)


def _chances(scores: Array) -> Array:
    """What is said to be a chance and is none counts as the nearest one."""
    if scores.size and (scores.min() < 0.0 or scores.max() > 1.0):
        return scores.clip(0.0, 1.0)
    return scores


IDENTITY: Final = Calibration()


def fit_calibration(scores: Array, truth: Array) -> Calibration:
    """Fit maps to scores float64 [rows, classes] and the place of each row's true class.

    Rows whose truth is no class, or whose scores are not finite, are left out; fewer than 50 rows
    fit nothing.
    """
    known = (truth >= 0) & np.isfinite(scores).all(axis=1)
    scores, truth = scores[known], truth[known]
    classes = scores.shape[1]
    if len(truth) < _LEAST or classes < 2:
        return Calibration(rows=len(truth))
    which = (1,) if classes == 2 else range(classes)
    maps = tuple(_isotonic(scores[:, i], truth == i) for i in which)
    return Calibration(maps, len(truth))


def _isotonic(scores: Array, right: Array) -> tuple[Array, Array]:
    order = np.argsort(scores, kind="stable")
    x, y = scores[order], right[order].astype(np.float64)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(x) > 0]))
    if len(starts) > _STEPS:  # steps of as many rows each, that do not part equal scores
        wanted = np.arange(_STEPS) * len(x) // _STEPS
        starts = np.unique(starts[np.searchsorted(starts, wanted, "right") - 1])
    rows = np.diff([*starts, len(x)]).astype(np.float64)
    blocks: list[tuple[float, float, float]] = []  # rows, sum of scores, sum of those right
    for block in zip(
        rows.tolist(), np.add.reduceat(x, starts).tolist(), np.add.reduceat(y, starts).tolist(),
        strict=True,
    ):  # fmt: skip
        blocks.append(block)
        while len(blocks) > 1 and blocks[-2][2] * blocks[-1][0] >= blocks[-1][2] * blocks[-2][0]:
            last, before = blocks.pop(), blocks.pop()
            blocks.append((before[0] + last[0], before[1] + last[1], before[2] + last[2]))
    found = np.array(blocks)
    if len(found) > _KNOTS:
        kept = np.unique(np.linspace(0, len(found) - 1, _KNOTS).round().astype(int))
        found = np.add.reduceat(found, kept, axis=0)
    return found[:, 1] / found[:, 0], found[:, 2] / found[:, 0]
