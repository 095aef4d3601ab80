"""Regression: how far predictions are from the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from modelyard.core.metrics.interface import Array, Draws, Sample, block_sums

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Regressed"]

_BINS = 512
_TAIL = 0.95


@dataclass(frozen=True)
class Regressed:
    """Facts of rows whose number was predicted."""

    error: Array
    """Shape (rows,), float64: predicted minus true."""
    truth: Array | None = None
    """Shape (rows,), float64; None where only outcomes are known."""

    @property
    def rows(self) -> int:
        return len(self.error)

    @classmethod
    def of(cls, truth: Array, prediction: Array) -> Self:
        """Facts from two columns of numbers."""
        true = truth.astype(np.float64)
        return cls(prediction.astype(np.float64) - true, true)

    def take(self, rows: Array) -> Self:
        truth = None if self.truth is None else self.truth[rows]
        return replace(self, error=self.error[rows], truth=truth)

    def samples(self, draws: Draws, only: str | None = None) -> Mapping[str, Sample]:
        found = self._of_sums(draws)
        if only in (None, "p95_error"):
            found["p95_error"] = self._tail(draws)
        return found if only is None else {n: s for n, s in found.items() if n == only}

    def _of_sums(self, draws: Draws) -> dict[str, Sample]:
        columns = self._columns()
        resampled = draws.spread(block_sums(columns, draws))
        values, many = (_metrics(sums) for sums in (columns.sum(axis=0)[None], resampled))
        return {
            name: Sample(float(values[name][0]), many[name])
            for name in values
            if np.isfinite(values[name][0])
        }

    def _columns(self) -> Array:
        """Rows, error, its size and square; and if the truth is known: it, its square, ratios."""
        size = np.abs(self.error)
        columns = [np.ones(self.rows), self.error, size, np.square(self.error)]
        if self.truth is not None:
            centred = self.truth - self.truth.mean()
            columns += [centred, np.square(centred)]
            if self.truth.all():
                columns.append(size / np.abs(self.truth))
        return np.column_stack(columns)

    def _tail(self, draws: Draws) -> Sample:
        """The size of error that 95 % of the rows stay below."""
        size = np.abs(self.error)
        value = float(np.quantile(size, _TAIL))
        order = np.argsort(size, kind="stable")
        if draws.exact:
            weights, levels = draws.weights.astype(np.float64)[:, order], size[order]
        else:
            bins = np.empty(self.rows, np.int64)
            bins[order] = np.arange(self.rows) * _BINS // self.rows
            joint = np.bincount(draws.blocks * _BINS + bins, minlength=draws.count * _BINS)
            weights = draws.spread(joint.reshape(draws.count, _BINS))
            levels = np.bincount(bins, size, _BINS) / np.bincount(bins, minlength=_BINS)
        gathered = np.cumsum(weights, axis=1)
        at = (gathered < _TAIL * gathered[:, -1:]).sum(axis=1)
        return Sample(value, levels[np.minimum(at, len(levels) - 1)])

    def outcomes(self) -> Mapping[str, Array]:
        return {"error": self.error.astype(np.float32)}

    @classmethod
    def from_outcomes(cls, kept: Mapping[str, Array]) -> Self:
        """Facts as far as outcomes tell them: no r2 and no mape."""
        return cls(kept["error"].astype(np.float64))


def _metrics(sums: Array) -> dict[str, Array]:
    rows, error, size, square, *known = sums.T
    found = {
        "rmse": np.sqrt(square / rows),
        "mae": size / rows,
        "mean_error": error / rows,
    }
    if known:
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = known[1] - known[0] * known[0] / rows
            found["r2"] = np.where(spread > 0, 1 - square / spread, np.nan)
    if len(known) > 2:
        found["mape"] = known[2] / rows
    return found
