"""Regression by a Gaussian process with a scale for each option. Pure: numpy alone.

The scales (Matérn 5/2) and the noise are as likely as their priors and the data make them
(Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, chapter 5). With few points
no single best fit is to be trusted: the likeliest, found by climbing, and others around it are
averaged by how likely they are. The amplitude is integrated out under an inverse gamma prior
(O'Hagan, Some Bayesian numerical analysis, 1992).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Fit", "fits"]

Array = np.ndarray[Any, Any]

_DRAWS = 16
"""Scales that are drawn from the prior before the likeliest are made likelier."""
_CLIMBED = 2
_STEPS = 15
_AROUND = 8
_KEPT = 6
_SCALE = 0.35
"""Usual length over which an option of a model with one option matters."""
_SPREAD = 0.9
_NOISE = (math.log(1e-3), math.log(0.3))
_NOISE_SPREAD = 1.6
_FREEDOM = 4
"""Of the prior of the amplitude, in points."""


@dataclass(slots=True)
class Fit:
    """One choice of scales, and what follows from it."""

    theta: Array
    """Logarithms of the scales, and of the noise at the end."""
    likely: float
    slope: Array
    """Of `likely` by `theta`."""
    scales: Array
    inverse: Array
    inner: Array
    """What means are made of."""
    middle: float
    amplitude: float

    def expected(self, x: Array, known: Array) -> tuple[Array, Array]:
        """Mean and spread at points."""
        across, _ = _kernel(x / self.scales, known / self.scales)
        left = 1.0 - ((across @ self.inverse) * across).sum(axis=1)
        return self.middle + across @ self.inner, np.sqrt(self.amplitude * np.maximum(left, 1e-10))


def fits(
    x: Array, y: Array, owner: Array, active: float, rng: np.random.Generator
) -> list[tuple[float, Fit]]:
    """The likeliest few, with their weights.

    Args:
        x: Points, shape (points, columns).
        y: Standardized.
        owner: By column to which scale it belongs.
        active: How many scales count at a point on average.
    """
    count = int(owner.max()) + 1 if len(owner) else 0
    usual = math.log(_SCALE * math.sqrt(max(active, 1.0)))
    made = [_fit(np.append(np.full(count, usual), np.mean(_NOISE)), x, y, owner, usual)]
    for _ in range(_DRAWS):
        theta = np.append(rng.normal(usual, _SPREAD, count), rng.uniform(*_NOISE))
        made.append(_fit(theta, x, y, owner, usual))
    found = sorted((each for each in made if each), key=lambda each: -each.likely)
    climbed = [_climbed(each, x, y, owner, usual) for each in found[:_CLIMBED]]
    top = max(climbed, key=lambda each: each.likely)
    for _ in range(_AROUND):
        theta = top.theta + rng.normal(0.0, 0.4, len(top.theta))
        if (near := _fit(theta, x, y, owner, usual)) is not None:
            found.append(near)
    best = sorted(climbed + found, key=lambda each: -each.likely)[:_KEPT]
    weights = np.exp([each.likely - best[0].likely for each in best])
    return list(zip((weights / weights.sum()).tolist(), best, strict=True))


def _fit(theta: Array, x: Array, y: Array, owner: Array, usual: float) -> Fit | None:
    """None where numbers do not suffice."""
    scales, noise, count = np.exp(theta[:-1])[owner], math.exp(theta[-1]), len(y)
    z = x / scales
    inside, falling = _kernel(z, z)
    inside[np.diag_indices(count)] += noise + 1e-8
    try:
        root = np.linalg.cholesky(inside)
        inverse = np.linalg.inv(inside)
    except np.linalg.LinAlgError:
        return None
    middle = float(inverse.sum(axis=0) @ y / inverse.sum())
    inner = inverse @ (y - middle)
    misfit = float((y - middle) @ inner) + _FREEDOM
    off = (theta - np.append(np.full(len(theta) - 1, usual), np.mean(_NOISE))) / np.append(
        np.full(len(theta) - 1, _SPREAD), _NOISE_SPREAD
    )
    likely = -0.5 * (count + _FREEDOM) * math.log(misfit) - float(np.log(np.diag(root)).sum())
    amplitude = misfit / (count + _FREEDOM)
    weight = 0.5 * (np.outer(inner, inner) / amplitude - inverse)
    moved = weight * falling
    by_column = 2 * (
        (moved.sum(axis=1)[:, None] * z**2).sum(axis=0) - (z * (moved @ z)).sum(axis=0)
    )
    slope = np.zeros(len(theta))
    np.add.at(slope, owner, by_column)
    slope[-1] = noise * float(np.trace(weight))
    slope[:-1] -= off[:-1] / _SPREAD
    slope[-1] -= off[-1] / _NOISE_SPREAD
    return Fit(
        theta, likely - 0.5 * float(off @ off), slope, scales, inverse, inner, middle, amplitude
    )


def _climbed(start: Fit, x: Array, y: Array, owner: Array, usual: float) -> Fit:
    """The likeliest on the way uphill; Rprop (Riedmiller and Braun, 1993) needs only signs."""
    best, theta, signs = start, start.theta, np.sign(start.slope)
    steps = np.full(len(theta), 0.3)
    for _ in range(_STEPS):
        theta = theta + steps * signs
        theta[-1] = min(max(theta[-1], _NOISE[0]), _NOISE[1])
        found = _fit(theta, x, y, owner, usual)
        if found is None:
            break
        turned = np.sign(found.slope)
        steps = np.where(turned * signs > 0, np.minimum(steps * 1.3, 1.0), steps * 0.5)
        signs = turned
        if found.likely > best.likely:
            best = found
    return best


def _kernel(a: Array, b: Array) -> tuple[Array, Array]:
    """Matérn 5/2, and how it falls with the logarithm of a scale, per square of the distance."""
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
    far = np.sqrt(5.0 * np.maximum(squares, 0.0))
    small = np.exp(-far)
    return (1.0 + far + far**2 / 3.0) * small, 5.0 / 3.0 * (1.0 + far) * small
