"""A Gaussian process over a space of options: which point promises the most, after few trials.

TPE needs some dozens of trials before it knows more than chance. With fewer, a Gaussian process and
the expected improvement find good points sooner (Snoek et al., Practical Bayesian optimization of
machine learning algorithms, 2012; Turner et al., Bayesian optimization is superior to random
search, 2021). Pure: numpy alone, and all chance comes from the caller.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.optimization.passes.interface import Choice
from modelyard.optimization.space import contains, is_ordinal, unit_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.optimization.space import Space

__all__ = ["Surrogate", "promising"]

Json = Any
Array = np.ndarray[Any, Any]

_DRAWS = 48
"""Scales of the kernel that are weighed against each other."""
_KEPT = 6
_MOST = 250
"""Trials that it learns from, the best of them and the last."""


class Surrogate:
    """What is expected of any point, after what was measured of some.

    The scales of the kernel (Matérn 5/2, one for each option) are drawn from a prior, and the
    likeliest few are averaged by how likely they are: with few trials no single best fit is to be
    trusted.
    """

    def __init__(
        self, space: Space, points: Sequence[Mapping[str, Json]], values: Array,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        """Learn.

        Args:
            values: Of each point; less is better.
        """
        self._space = space
        x = np.array([self._numbers(point) for point in points])
        y = _tamed(np.asarray(values, np.float64))
        if len(y) > _MOST:
            keep = np.union1d(np.argsort(y)[: _MOST // 2], np.arange(len(y) - _MOST // 2, len(y)))
            x, y = x[keep], y[keep]
        self._x, self._best = x, float(y.min())
        self._fits = _fits(x, y, rng)

    def improvement(self, points: Sequence[Mapping[str, Json]]) -> Array:
        """By how much each is expected to be better than the best, shape (points,)."""
        x = np.array([self._numbers(point) for point in points])
        total = np.zeros(len(x))
        for weight, scales, root, inner in self._fits:
            across = _kernel(x / scales, self._x / scales)
            mean = across @ inner
            solved = np.linalg.solve(root, across.T)
            spread = np.sqrt(np.maximum(1.0 - (solved**2).sum(axis=0), 1e-12))
            total += weight * _expected(self._best - mean, spread)
        return total

    def _numbers(self, point: Mapping[str, Json]) -> list[float]:
        """Options that do not count stand in the middle."""
        found: list[float] = []
        for name, option in self._space.options.items():
            known = name in point and contains(option, point[name])
            if isinstance(option, Choice) and not is_ordinal(option):
                values = [0.0] * len(option.values)
                if known:
                    at = unit_of(option, point[name]) * len(values) - 0.5
                    values[round(at)] = math.sqrt(0.5)  # any two are one apart
                found += values
            else:
                found.append(unit_of(option, point[name]) if known else 0.5)
        return found


def promising(
    surrogate: Surrogate, space: Space, best: Sequence[Mapping[str, Json]],
    rng: np.random.Generator, *, drawn: int = 300,
    near: int = 60,
) -> list[dict[str, Json]]:  # fmt: skip
    """Points in order of what they promise: drawn by chance, around the best, and around those."""
    found = [space.drawn(rng) for _ in range(drawn)]
    for point in best:
        found += [space.near(point, rng, far=far) for far in (0.2, 0.05) for _ in range(near // 2)]
    for far in (0.1, 0.03):
        order = np.argsort(-surrogate.improvement(found), kind="stable")[:8]
        found += [space.near(found[at], rng, far=far) for at in order for _ in range(6)]
    order = np.argsort(-surrogate.improvement(found), kind="stable")
    return [found[at] for at in order[:40]]


def _tamed(values: Array) -> Array:
    """Standardized, and bad values pulled in: how bad a bad one is says little of the good ones."""
    middle, best = float(np.median(values)), float(values.min())
    most = middle + 1.0 * (middle - best)
    found = np.minimum(values, most) if middle > best else values
    spread = float(found.std())
    return (found - found.mean()) / spread if spread > 0 else np.zeros_like(found)


def _fits(x: Array, y: Array, rng: np.random.Generator) -> list[tuple[float, Array, Array, Array]]:
    """Weight, scales, Cholesky root, and what means are made of, of the likeliest few."""
    made = []
    width = x.shape[1]
    for _ in range(_DRAWS):
        scales = 0.35 * math.sqrt(width) * np.exp(rng.normal(0.0, 0.9, width))
        noise = float(np.exp(rng.uniform(math.log(1e-3), math.log(0.3))))
        inside = _kernel(x / scales, x / scales) + (noise + 1e-8) * np.eye(len(x))
        try:
            root = np.linalg.cholesky(inside)
        except np.linalg.LinAlgError:
            continue
        inner = np.linalg.solve(root.T, np.linalg.solve(root, y))
        likely = -0.5 * float(y @ inner) - float(np.log(np.diag(root)).sum())
        made.append((likely, scales, root, inner))
    made.sort(key=lambda each: -each[0])
    made = made[:_KEPT]
    weights = np.exp([each[0] - made[0][0] for each in made])
    weights /= weights.sum()
    return [
        (float(weight), scales, root, inner)
        for weight, (_, scales, root, inner) in zip(weights, made, strict=True)
    ]


def _kernel(a: Array, b: Array) -> Array:
    """Matérn 5/2."""
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
    far = np.sqrt(5.0 * np.maximum(squares, 0.0))
    found: Array = (1.0 + far + far**2 / 3.0) * np.exp(-far)
    return found


def _expected(gain: Array, spread: Array) -> Array:
    """Expected improvement of a normal distribution."""
    z = gain / spread
    below = 0.5 * (1.0 + np.vectorize(math.erf)(z / math.sqrt(2.0)))
    found: Array = gain * below + spread * np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    return found
