"""Do columns still go together as they did? The correlations of every two, window and reference.

Each correlation that is measured from n rows errs like the mean of n terms, which are known for
every row (its influence). So the squared distance of all correlations, if nothing changed, is a sum
of weighted chi-squares, whose weights come from the reference's sample of rows, as with vectors.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from modelyard.monitoring.drift.chances import weighted_chi2_critical, weighted_chi2_tail
from modelyard.monitoring.drift.singles import Single
from modelyard.monitoring.drift.vectors import Powers, powers_of
from modelyard.monitoring.together import correlations, frame_of, scaled

if TYPE_CHECKING:
    from modelyard.monitoring.drift.thresholds import Limits
    from modelyard.monitoring.profiles import Profile
    from modelyard.monitoring.tiles import Tile

__all__ = ["FEWEST", "correlation_test"]

Array: TypeAlias = "np.ndarray[Any, Any]"

FEWEST: Final = 500
"""Rows, on either side: products have long tails, and few of them no chi-square."""
_KEPT: Final = 64

_known: dict[int, tuple[Profile, Powers]] = {}
"""By the identity of a profile, which this keeps alive."""


def correlation_test(profile: Profile, window: Tile, limits: Limits) -> Single | None:
    """The test `correlation`: the root of the sum of squared differences of correlations.

    None if there are fewer than two columns of numbers, or fewer than 500 rows on a side.
    """
    now, then = window.together, profile.tile.together
    if now is None or then is None or min(now.rows, then.rows) < FEWEST:
        return None
    powers = _powers(profile)
    if powers[0] <= 0:
        return None
    upper = np.triu_indices(len(now.total), 1)
    apart = float(np.linalg.norm((correlations(now) - correlations(then))[upper]))
    scale = 1 / now.rows + 1 / then.rows

    def threshold(p: float) -> float:
        critical = weighted_chi2_critical(p, powers) * scale
        return math.sqrt(max(critical, powers[0] * scale + limits.correlation**2))

    return Single("correlation", apart, weighted_chi2_tail(apart**2 / scale, powers), threshold)


def _powers(profile: Profile) -> Powers:
    """Of the influences of the sample's rows on the correlations."""
    found = _known.get(id(profile))
    if found is not None and found[0] is profile:
        return found[1]
    powers = 0.0, 0.0, 0.0
    columns = profile.schema.of_kind("number")
    if len(profile.numbers) >= 2 and len(columns) >= 2:
        powers = powers_of(_influences(scaled(frame_of(columns), profile.numbers)))
    if len(_known) >= _KEPT:
        _known.clear()
    _known[id(profile)] = profile, powers
    return powers


def _influences(rows: Array) -> Array:
    """Float64 [rows, pairs]: what each row adds to each correlation, but for the mean."""
    apart = rows - rows.mean(axis=0)
    width = np.sqrt(np.square(apart).mean(axis=0))
    z = np.divide(apart, width, out=np.zeros(apart.shape), where=width > 1e-6)
    first, second = np.triu_indices(z.shape[1], 1)
    products = z[:, first] * z[:, second]
    squares = (z[:, first] ** 2 + z[:, second] ** 2) / 2
    found: Array = products - products.mean(axis=0) * squares
    return found
