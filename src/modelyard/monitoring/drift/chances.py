"""How probable a number is if nothing changed: tails of distributions, and their inverses. numpy.

Serving has no scipy; what is needed of it are these few, checked against it in the tests to 1e-9
of their value (and 1e-12 where closed formulas are used).
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Any, Final, TypeAlias

import numpy as np

__all__ = [
    "chi2_critical",
    "chi2_tail",
    "kolmogorov_critical",
    "kolmogorov_tail",
    "normal_critical",
    "normal_tail",
    "weighted_chi2_critical",
    "weighted_chi2_tail",
]

Array: TypeAlias = "np.ndarray[Any, Any]"

_TINY: Final = 1e-300
_STEPS: Final = 2000
_KEPT: Final = 10_000
_critical: dict[tuple[float, float], float] = {}
"""Values by p and degrees of freedom."""


def chi2_tail(value: Array | float, freedom: Array | float) -> Array:
    """P(chi-square > value), elementwise; 1 where `freedom` is 0. Float64.

    Regularised upper incomplete gamma function: a series below the mean, a continued fraction
    above it (Lentz), as in Numerical Recipes 6.2.
    """
    x, a = np.broadcast_arrays(np.asarray(value, float) / 2, np.asarray(freedom, float) / 2)
    found = np.ones(x.shape)
    with np.errstate(over="ignore", under="ignore"):
        low = (a > 0) & (x > 0) & (x < a + 1)
        high = (a > 0) & (x >= a + 1) & np.isfinite(x)
        if low.any():
            found[low] = 1.0 - _series(a[low], x[low])
        if high.any():
            found[high] = _fraction(a[high], x[high])
        found[(a > 0) & np.isposinf(x)] = 0.0
    return found


def chi2_critical(p: Array | float, freedom: Array | float) -> Array:
    """The value that is exceeded with probability `p`; 0 where `freedom` is 0. Elementwise.

    Newton's method on the logarithm of the tail, from Wilson and Hilferty's approximation. Answers
    are kept: the same few are asked for in every window.
    """
    many, freedoms = np.broadcast_arrays(np.asarray(p, float), np.asarray(freedom, float))
    asked = list(zip(many.ravel().tolist(), freedoms.ravel().tolist(), strict=True))
    known = {pair: _critical.get(pair) for pair in asked}
    missing = [pair for pair, value in known.items() if value is None]
    if missing:
        new = dict(zip(missing, _inverted(*np.array(missing).T).tolist(), strict=True))
        if len(_critical) > _KEPT:
            _critical.clear()
        _critical.update(new)
        known.update(new)
    return np.array([known[pair] for pair in asked], float).reshape(many.shape)


def _inverted(p: Array, k: Array) -> Array:
    found = np.zeros(p.shape)
    real = (k > 0) & (p < 1)
    if not real.any():
        return found
    p, k = np.maximum(p[real], _TINY), k[real]
    wanted = np.log(p)
    z = np.array([normal_critical(each) for each in p.tolist()])
    h = 2 / (9 * k)
    x = np.maximum(k * np.maximum(1 - h + z * np.sqrt(h), 0.01) ** 3, 1e-6)
    norm = k / 2 * math.log(2) + np.array([math.lgamma(a) for a in (k / 2).tolist()])
    for _ in range(60):
        tail = np.log(np.maximum(chi2_tail(x, k), _TINY))
        slope = -np.exp((k / 2 - 1) * np.log(x) - x / 2 - norm - tail)
        moved = np.clip(x - (tail - wanted) / slope, x / 4, x * 4)
        done = np.abs(moved - x) <= 1e-12 * x
        x = moved
        if done.all():
            break
    found[real] = x
    return found


def normal_tail(value: Array | float) -> Array:
    """P(|Z| > value) of a standard normal Z: both sides. Elementwise."""
    flat = np.abs(np.asarray(value, float))
    tails = [math.erfc(z / math.sqrt(2)) for z in flat.ravel()]
    return np.array(tails).reshape(flat.shape)


@lru_cache(4096)
def normal_critical(p: float) -> float:
    """The value that a standard normal exceeds (one side) with probability `p`."""
    if p <= 0:
        return math.inf
    return -NormalDist().inv_cdf(p) if p < 1 else -math.inf


def kolmogorov_tail(value: Array | float) -> Array:
    """P(sup |Brownian bridge| > value): the asymptotic distribution of sqrt(m) D. Elementwise."""
    x = np.asarray(value, float)
    terms = np.arange(1, 101).reshape((-1,) + (1,) * x.ndim)
    with np.errstate(under="ignore"):
        tail = 2 * ((-1.0) ** (terms - 1) * np.exp(-2 * terms**2 * x**2)).sum(axis=0)
    return np.where(x < 0.2, 1.0, np.clip(tail, 0.0, 1.0))


def kolmogorov_critical(p: Array | float) -> Array:
    """The value that is exceeded with probability `p` (p < 0.1, where one term is enough)."""
    found: Array = np.sqrt(-np.log(np.maximum(np.asarray(p, float), _TINY) / 2) / 2)
    return found


def weighted_chi2_tail(value: float, powers: tuple[float, float, float]) -> float:
    """P(sum of w_i chi-square_1 > value), by Hall, Buckley and Eagleson's three cumulants.

    Args:
        powers: Sums of w_i, of their squares and of their cubes.
    """
    one, two, three = powers
    if two <= 0 or three <= 0:
        return 1.0
    freedom = two**3 / three**2
    return float(chi2_tail(max(0.0, freedom + (value - one) * math.sqrt(freedom / two)), freedom))


def weighted_chi2_critical(p: float, powers: tuple[float, float, float]) -> float:
    """The inverse of `weighted_chi2_tail`."""
    one, two, three = powers
    if two <= 0 or three <= 0:
        return math.inf
    freedom = two**3 / three**2
    return one + (float(chi2_critical(p, freedom)) - freedom) * math.sqrt(two / freedom)


def _front(a: Array, x: Array) -> Array:
    """x^a e^-x / gamma(a)."""
    logs = np.array([math.lgamma(v) for v in a.ravel()]).reshape(a.shape)
    front: Array = np.exp(a * np.log(x) - x - logs)
    return front


def _series(a: Array, x: Array) -> Array:
    term = 1.0 / a
    total = term.copy()
    top = a.copy()
    for _ in range(_STEPS):
        top += 1
        term = term * x / top
        total += term
        if (term <= total * 1e-17).all():
            break
    return total * _front(a, x)


def _fraction(a: Array, x: Array) -> Array:
    b = x + 1 - a
    c = np.full(x.shape, 1 / _TINY)
    d = 1 / b
    h = d.copy()
    for i in range(1, _STEPS):
        step = -i * (i - a)
        b = b + 2
        d = step * d + b
        d = 1 / np.where(np.abs(d) < _TINY, _TINY, d)
        c = b + step / c
        c = np.where(np.abs(c) < _TINY, _TINY, c)
        change = c * d
        h = h * change
        if (np.abs(change - 1) <= 1e-16).all():
            break
    return h * _front(a, x)
