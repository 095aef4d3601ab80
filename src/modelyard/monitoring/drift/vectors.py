"""Vectors (embeddings, pictures): did their mean move, or their distribution?

`centroid` is the distance of the two means. `mmd` is that of the means of random Fourier features:
the maximum mean discrepancy of a Gaussian kernel (Gretton and others, 2012), which sees any change
of the distribution. Elements go together, so that neither is chi-square if nothing changed; each is
a sum of weighted ones, whose weights are the eigenvalues of the rows' covariance. Their sums of
powers are all that is needed, and come from a sample of the reference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from modelyard.monitoring.drift.chances import weighted_chi2_critical, weighted_chi2_tail
from modelyard.monitoring.drift.singles import Single, Subject
from modelyard.monitoring.vectors import features_of

if TYPE_CHECKING:
    from modelyard.core.monitoring import Column
    from modelyard.monitoring.drift.thresholds import Limits
    from modelyard.monitoring.profiles import Profile
    from modelyard.monitoring.tiles import VectorTile

__all__ = ["Spread", "powers_of", "spreads_of", "vector_subject"]

Array: TypeAlias = "np.ndarray[Any, Any]"

_SAMPLE: Final = 500
_KEPT: Final = 64
Powers: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Spread:
    """How rows of a vector vary in the reference."""

    elements: Powers
    """Sums of the eigenvalues of their covariance, of their squares, of their cubes."""
    features: Powers
    """The same of their random Fourier features."""


_known: dict[int, tuple[Profile, tuple[Spread | None, ...]]] = {}
"""By the identity of a profile, which this keeps alive."""


def spreads_of(profile: Profile) -> tuple[Spread | None, ...]:
    """Of each vector of a profile, by its sample of rows; None where it has none."""
    found = _known.get(id(profile))
    if found is not None and found[0] is profile:
        return found[1]
    columns = profile.schema.of_kind("vector")
    spreads = tuple(
        _spread(column, rows) for column, rows in zip(columns, profile.vectors, strict=False)
    )
    spreads += (None,) * (len(columns) - len(spreads))
    if len(_known) >= _KEPT:
        _known.clear()
    _known[id(profile)] = profile, spreads
    return spreads


def _spread(column: Column, rows: Array) -> Spread | None:
    some = rows[np.isfinite(rows).all(axis=1)][:_SAMPLE]
    if len(some) < 2:
        return None
    return Spread(powers_of(some), powers_of(features_of(column, some)))


def powers_of(rows: Array) -> Powers:
    """Sums of powers of the covariance's eigenvalues, of float [rows, elements].

    By the rows' Gram matrix, whose eigenvalues are the same. At most 500 rows are looked at.
    """
    some = np.asarray(rows[:_SAMPLE], float)
    if len(some) < 2:
        return 0.0, 0.0, 0.0
    some = some - some.mean(axis=0)
    gram = some @ some.T / (len(some) - 1)
    square = gram @ gram
    return float(np.trace(gram)), float(np.trace(square)), float((square * gram).sum())


def vector_subject(
    column: Column, window: VectorTile, reference: VectorTile, spread: Spread | None,
    limits: Limits,
) -> Subject:  # fmt: skip
    """What is tested of a vector."""
    n, m = window.rows - window.nulls, reference.rows - reference.nulls
    violations = {"null": window.nulls} if window.nulls else {}

    def subject(tests: tuple[Single, ...], reason: str | None) -> Subject:
        return Subject(column.name, "vector", window.rows, tests, violations, reason)

    for rows, where in ((n, "window"), (m, "reference")):
        if rows < limits.rows:
            return subject((), f"{rows:,} rows in the {where}: {limits.rows:,} are needed")
    if spread is None or spread.elements[0] <= 0:
        return subject((), "the reference keeps no sample of its rows")
    scale = 1 / n + 1 / m
    apart = float(np.linalg.norm(window.total / n - reference.total / m))
    waves = float(np.linalg.norm(window.features / n - reference.features / m))
    root = math.sqrt(spread.elements[0])
    return subject((
        _test("centroid", apart, root, spread.elements, scale, limits.centroid),
        _test("mmd", waves, 1.0, spread.features, scale, limits.mmd),
    ), None)  # fmt: skip


def _test(
    name: str, distance: float, unit: float, powers: Powers, scale: float, least: float
) -> Single:
    def threshold(p: float) -> float:
        critical = weighted_chi2_critical(p, powers) * scale
        matters = powers[0] * scale + (least * unit) ** 2
        return math.sqrt(max(critical, matters)) / unit

    chance = weighted_chi2_tail(distance**2 / scale, powers)
    return Single(name, distance / unit, chance, threshold)
