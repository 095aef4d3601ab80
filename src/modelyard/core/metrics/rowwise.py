"""Metrics that are the mean of a value by row: of queries, of embedded rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from modelyard.core.metrics.interface import Array, Draws, Sample, block_sums

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Means"]


@dataclass(frozen=True)
class Means:
    """Facts that are metrics of single rows already; NaN where a row has no value."""

    columns: Mapping[str, Array]
    """By metric, each of shape (rows,)."""

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values())))

    def take(self, rows: Array) -> Self:
        return type(self)({name: column[rows] for name, column in self.columns.items()})

    def samples(self, draws: Draws, only: str | None = None) -> Mapping[str, Sample]:
        return {
            name: _mean(column, draws)
            for name, column in self.columns.items()
            if only in (None, name) and not np.isnan(column).all()
        }

    def outcomes(self) -> Mapping[str, Array]:
        return {name: column.astype(np.float32) for name, column in self.columns.items()}

    @classmethod
    def from_outcomes(cls, kept: Mapping[str, Array]) -> Self:
        return cls({name: column.astype(np.float64) for name, column in kept.items()})


def _mean(column: Array, draws: Draws) -> Sample:
    known = ~np.isnan(column)
    pair = np.column_stack([np.where(known, column, 0.0), known])
    sums = draws.spread(block_sums(pair, draws))
    with np.errstate(invalid="ignore", divide="ignore"):
        return Sample(float(pair[:, 0].sum() / known.sum()), sums[:, 0] / sums[:, 1])
