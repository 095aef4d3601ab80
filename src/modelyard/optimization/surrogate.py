"""What a Gaussian process expects of points: which one promises the most, after few trials.

TPE needs some dozens of trials before it knows more than chance. With fewer, a Gaussian process and
the expected improvement find good points sooner (Snoek et al., Practical Bayesian optimization of
machine learning algorithms, 2012; Turner et al., Bayesian optimization is superior to random
search, 2021). Good points are seldom far from what an algorithm's authors, or many users, choose:
at first such places count for more, and less with every trial (Hvarfner et al., πBO, 2022). Pure:
numpy alone, and all chance comes from the caller.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.optimization.gaussian import fits
from modelyard.optimization.passes.interface import Choice
from modelyard.optimization.values import contains, first_of, is_open, is_ordinal, unit_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.optimization.passes.interface import Option
    from modelyard.optimization.space import Space

__all__ = ["Surrogate", "promising"]

Json = Any
Array = np.ndarray[Any, Any]

_MOST = 250
"""Trials that it learns from, the best of them and the last."""
_BELIEF = 10.0
"""For how many trials it counts that good points are near to usual ones."""
_USUAL = 0.3
"""How far from a usual number good ones are, the whole range being one."""


class Surrogate:
    """What is expected of any point, after what was measured of some."""

    def __init__(
        self, space: Space, points: Sequence[Mapping[str, Json]], values: Array,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        """Learn.

        Args:
            values: Of each point; less is better.
        """
        self._options = {name: each for name, each in space.options.items() if is_open(each)}
        widths = [_width(each) for each in self._options.values()]
        self._owner = np.repeat(np.arange(len(widths)), widths)
        deciding = {other for each in space.conditions.values() for other, _ in each}
        self._far = np.array([
            math.inf if name in deciding else _USUAL if _width(self._options[name]) == 1 else 1.0
            for name in np.array(list(self._options), object)[self._owner]
        ])  # fmt: skip
        self._usual = self._usual_points()
        x = np.array([self._numbers(point) for point in points])
        y = _tamed(np.asarray(values, np.float64))
        if len(y) > _MOST:
            keep = np.union1d(np.argsort(y)[: _MOST // 2], np.arange(len(y) - _MOST // 2, len(y)))
            x, y = x[keep], y[keep]
        self._x, self._best = x, float(y.min())
        counting = np.mean([sum(name in point for name in self._options) for point in points])
        self._fits = fits(x, y, self._owner, float(counting), rng)

    def improvement(self, points: Sequence[Mapping[str, Json]]) -> Array:
        """By how much each is expected to be better than the best, shape (points,).

        Where little is known yet, less is believed of what is far from usual.
        """
        x = np.array([self._numbers(point) for point in points])
        total = np.zeros(len(x))
        for weight, fit in self._fits:
            mean, spread = fit.expected(x, self._x)
            total += weight * _expected(self._best - mean, spread)
        found: Array = total * np.exp(-0.5 * _BELIEF / len(self._x) * self._odd(x, points))
        return found

    def _odd(self, x: Array, points: Sequence[Mapping[str, Json]]) -> Array:
        """Square of the distance to the nearest usual point, by options that count."""
        counts = np.array([[name in point for name in self._options] for point in points])
        squares = [(((x - usual) / self._far) ** 2 * counts[:, self._owner]).sum(axis=1)
                   for usual in self._usual]  # fmt: skip
        found: Array = np.min(squares, axis=0)
        return found

    def _usual_points(self) -> list[Array]:
        """The first of all options, then what else is worth a try of each."""
        count = 1 + max((len(each.also) for each in self._options.values()), default=0)
        found = []
        for at in range(count):
            point = {}
            for name, each in self._options.items():
                given = (first_of(each), *each.also)
                point[name] = given[at] if at < len(given) else given[0]
            found.append(np.array(self._numbers(point)))
        return found

    def _numbers(self, point: Mapping[str, Json]) -> list[float]:
        """Options that do not count stand in the middle."""
        found: list[float] = []
        for name, option in self._options.items():
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
    found = [space.drawn(rng) for _ in range(drawn // 2)]
    found += [space.typical(rng) for _ in range(drawn // 2)]
    for point in best:
        found += [space.near(point, rng, far=far) for far in (0.2, 0.05) for _ in range(near // 2)]
    for far in (0.1, 0.03):
        order = np.argsort(-surrogate.improvement(found), kind="stable")[:8]
        found += [space.near(found[at], rng, far=far) for at in order for _ in range(6)]
    order = np.argsort(-surrogate.improvement(found), kind="stable")
    return [found[at] for at in order[:40]]


def _width(option: Option) -> int:
    """Numbers by which a value is told."""
    return len(option.values) if isinstance(option, Choice) and not is_ordinal(option) else 1


def _tamed(values: Array) -> Array:
    """Standardized, and bad values pulled in: how bad a bad one is says little of the good ones."""
    middle, best = float(np.median(values)), float(values.min())
    most = middle + 1.0 * (middle - best)
    found = np.minimum(values, most) if middle > best else values
    spread = float(found.std())
    return (found - found.mean()) / spread if spread > 0 else np.zeros_like(found)


_ERFC = np.vectorize(math.erfc, otypes=[float])


def _expected(gain: Array, spread: Array) -> Array:
    """Expected improvement of a normal distribution."""
    z = gain / spread
    below = 0.5 * _ERFC(-z / math.sqrt(2.0))
    found: Array = gain * below + spread * np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    return found
