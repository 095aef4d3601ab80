"""Rows cut by the values of a column, each part measured by itself."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.evaluation import Slice
from modelyard.core.metrics import PRIMARY, Resampler, direction
from modelyard.core.metrics.interface import measures_of
from modelyard.registry.classes import Coder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.metrics import Facts

__all__ = ["slices_of"]

_MOST = 30
"""Values of one column; what is rarer comes together as one."""
_RESAMPLES = 300


def slices_of(
    facts: Facts, column: str, values: np.ndarray[Any, Any], suite: str, seed: int
) -> tuple[Slice, ...]:
    """The slices of one column, the worst first."""
    resampler = Resampler(seed, _RESAMPLES)
    found = [
        Slice(column, name, int(rows.sum()), measures_of(facts.take(rows), resampler))
        for name, rows in _parts(values)
    ]
    primary = PRIMARY[suite]
    sign = 1 if direction(primary) == "higher" else -1

    def goodness(part: Slice) -> float:
        return next((sign * m.value for m in part.measures if m.name == primary), np.inf)

    return tuple(sorted(found, key=goodness))


def _parts(values: np.ndarray[Any, Any]) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    if values.dtype.kind in "iuf" and len(np.unique(values)) > _MOST:
        yield from _quarters(values)
        return
    names, codes, counts = _named(values)
    common = np.argsort(-counts, kind="stable")[:_MOST]
    for code in common:
        yield names[code], codes == code
    rest = ~np.isin(codes, common)
    if rest.any():
        yield "(all others)", rest


def _named(
    values: np.ndarray[Any, Any],
) -> tuple[list[str], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    if values.dtype.kind == "O":
        texts = ["(none)" if value is None else Coder.name(value) for value in values]
        distinct = list(dict.fromkeys(texts))
        place = {text: i for i, text in enumerate(distinct)}
        codes = np.array([place[text] for text in texts])
    else:
        found, codes = np.unique(values, return_inverse=True)
        distinct = [Coder.name(value) for value in found.tolist()]
    return distinct, codes, np.bincount(codes)


def _quarters(values: np.ndarray[Any, Any]) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    known = np.isfinite(values)
    edges = np.unique(np.quantile(values[known], [0, 0.25, 0.5, 0.75, 1]))
    for low, high in itertools.pairwise(edges):
        rows = known & (values >= low if low == edges[0] else values > low) & (values <= high)
        if rows.any():
            yield f"{low:.4g} to {high:.4g}", rows
    if not known.all():
        yield "(none)", ~known
