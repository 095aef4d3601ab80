"""Classification: what was right, how sure the model was, and how far that can be believed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from modelyard.core.evaluation import Bin, Confusion
from modelyard.core.metrics.curves import auc_samples
from modelyard.core.metrics.interface import Array, Draws, Sample, block_counts, block_sums

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BINS", "Classified"]

BINS = 15
"""Bins of confidence, as Guo et al. (On Calibration of Modern Neural Networks, 2017) have them."""

_CONFUSION = 50
_SCORES = 5_000_000
"""More scores than this are not kept: sorting them would cost more than the model."""
_CURVES = 20
"""For more classes than this the area under the curve comes without an interval."""
_SMALLEST = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Classified:
    """Facts of rows whose class was predicted. Codes index `classes`."""

    classes: tuple[str, ...]
    truth: Array
    """Shape (rows,): codes."""
    label: Array
    """Shape (rows,): codes."""
    surety: Array | None = None
    """Shape (rows,): the probability that was given to the true class."""
    confidence: Array | None = None
    """Shape (rows,): the highest probability that was given to any class."""
    hit: Array | None = None
    """Shape (rows,): whether that class was the true one."""
    square: Array | None = None
    """Shape (rows,): the squared distance of the probabilities from the truth."""
    scores: Array | None = None
    """Shape (rows, classes): higher is likelier; NaN in columns of classes the model lacks."""

    @property
    def rows(self) -> int:
        return len(self.truth)

    @classmethod
    def of(
        cls, classes: tuple[str, ...], truth: Array, label: Array, probability: Array | None
    ) -> Self:
        """Facts from codes and probabilities, shape (rows, classes), of all classes."""
        if probability is None:
            return cls(classes, truth, label)
        given = np.nan_to_num(probability, nan=0.0).astype(np.float64)
        rows = np.arange(len(truth))
        surety, best = given[rows, truth], given.argmax(axis=1)
        square = (given * given).sum(axis=1) - 2 * surety + 1
        if len(classes) == 2:
            square = np.square(1 - surety)
        return cls(
            classes, truth, label, surety, given[rows, best], best == truth, square,
            _kept(probability, len(classes)),
        )  # fmt: skip

    @classmethod
    def ranked(cls, classes: tuple[str, ...], truth: Array, label: Array, scores: Array) -> Self:
        """Facts from scores that are no probabilities."""
        return cls(classes, truth, label, scores=_kept(scores, len(classes)))

    def take(self, rows: Array) -> Self:
        names = ("truth", "label", "surety", "confidence", "hit", "square", "scores")
        parts = {n: part[rows] for n in names if (part := getattr(self, n)) is not None}
        return replace(self, **parts)

    # -- metrics ---------------------------------------------------------------------------------

    def samples(self, draws: Draws, only: str | None = None) -> Mapping[str, Sample]:
        found: dict[str, Sample] = {}
        for names, make in (
            (self._label_names, self._of_labels),
            (("log_loss", "brier"), self._of_sureties),
            (("ece",), self._of_confidence),
            (("roc_auc",), self._of_scores),
        ):
            if only is None or only in names:
                found.update(make(draws))
        return found if only is None else {n: s for n, s in found.items() if n == only}

    @property
    def _label_names(self) -> tuple[str, ...]:
        names = ("accuracy", "balanced_accuracy", "precision", "recall", "f1")
        return (*names, f"f1.{self.classes[-1]}") if len(self.classes) == 2 else names

    def _of_labels(self, draws: Draws) -> dict[str, Sample]:
        count = len(self.classes)
        right = self.truth == self.label
        codes = np.where(right, self.truth, count)
        sums = np.concatenate(
            [
                block_counts(codes, count + 1, draws)[:, :count],
                block_counts(self.truth, count, draws),
                block_counts(self.label, count, draws),
            ],
            axis=1,
        )
        totals = _label_metrics(sums.sum(axis=0, keepdims=True).astype(np.float64), count)
        resampled = _label_metrics(draws.spread(sums), count)
        return {
            name: Sample(float(total[0]), many)
            for name, total, many in zip(self._label_names, totals, resampled, strict=False)
        }

    def _of_sureties(self, draws: Draws) -> dict[str, Sample]:
        if self.surety is None or self.square is None:
            return {}
        loss = -np.log(np.clip(self.surety, _SMALLEST, 1 - _SMALLEST))
        columns = np.column_stack([np.ones(self.rows), loss, self.square])
        sums = draws.spread(block_sums(columns, draws))
        return {
            "log_loss": Sample(float(loss.mean()), sums[:, 1] / sums[:, 0]),
            "brier": Sample(float(self.square.mean()), sums[:, 2] / sums[:, 0]),
        }

    def _of_confidence(self, draws: Draws) -> dict[str, Sample]:
        if self.confidence is None or self.hit is None:
            return {}
        size = draws.count * BINS
        joint = draws.blocks * BINS + self._bins
        gap = np.bincount(joint, self.confidence - self.hit, size).reshape(draws.count, BINS)
        value = np.abs(gap.sum(axis=0)).sum() / self.rows
        counts = np.bincount(draws.blocks, minlength=draws.count).astype(np.float64)
        total = draws.spread(counts[:, None])[:, 0]
        resampled = np.abs(draws.spread(gap)).sum(axis=1) / total
        # a resample adds its own noise to every gap, so errors of this kind come out too large
        return {"ece": Sample(float(value), np.maximum(2 * value - resampled, 0.0))}

    def _of_scores(self, draws: Draws) -> dict[str, Sample]:
        if self.scores is None:
            return {}
        if len(self.classes) == 2:
            value, many = auc_samples(self.scores[:, -1], self.truth == 1, draws, bins=512)
            return {"roc_auc": Sample(value, many)}
        values, resampled = [], []
        intervals = len(self.classes) <= _CURVES
        for code in range(len(self.classes)):
            column = self.scores[:, code]
            if np.isnan(column[:1]).any() or not 0 < (self.truth == code).sum() < self.rows:
                continue
            value, many = auc_samples(
                column, self.truth == code, draws if intervals else None, bins=128
            )
            values.append(value)
            resampled.append(many)
        if not values:
            return {}
        return {
            "roc_auc": Sample(
                float(np.mean(values)),
                np.mean(np.stack([m for m in resampled if m is not None]), axis=0)
                if intervals
                else None,
            )
        }

    @cached_property
    def _bins(self) -> Array:
        if self.confidence is None:
            raise AssertionError("no confidence, no bins")
        # upper edges belong to their bin: (0, 1/15], (1/15, 2/15], ...
        bins: Array = np.ceil(self.confidence * BINS).astype(np.int64) - 1
        return bins.clip(0, BINS - 1)

    # -- pictures --------------------------------------------------------------------------------

    def confusion(self) -> Confusion | None:
        """Rows are true classes, columns predicted ones; None beyond 50 classes."""
        count = len(self.classes)
        if count > _CONFUSION:
            return None
        cells = np.bincount(self.truth * count + self.label, minlength=count * count)
        matrix = tuple(tuple(row) for row in cells.reshape(count, count).tolist())
        return Confusion(self.classes, matrix)

    def calibration(self) -> tuple[Bin, ...]:
        """How often the model was right where it was so sure; empty without probabilities."""
        if self.confidence is None or self.hit is None:
            return ()
        counts = np.bincount(self._bins, minlength=BINS)
        confidence = np.bincount(self._bins, self.confidence, BINS)
        hits = np.bincount(self._bins, self.hit, BINS)
        return tuple(
            Bin(i / BINS, (i + 1) / BINS, float(confidence[i] / n), float(hits[i] / n), int(n))
            for i, n in enumerate(counts)
            if n
        )

    # -- what is kept ----------------------------------------------------------------------------

    def outcomes(self) -> Mapping[str, Array]:
        kind = np.uint8 if len(self.classes) <= 256 else np.uint32
        kept = {"truth": self.truth.astype(kind), "label": self.label.astype(kind)}
        if self.surety is not None:
            kept["surety"] = self.surety.astype(np.float32)
            if len(self.classes) > 2 and self.square is not None:
                kept["square"] = self.square.astype(np.float32)
        return kept

    @classmethod
    def from_outcomes(cls, classes: tuple[str, ...], kept: Mapping[str, Array]) -> Self:
        """Facts as far as outcomes tell them."""
        truth, label = kept["truth"].astype(np.int64), kept["label"].astype(np.int64)
        if "surety" not in kept:
            return cls(classes, truth, label)
        surety = kept["surety"].astype(np.float64)
        if len(classes) != 2:
            square = kept["square"].astype(np.float64) if "square" in kept else None
            return cls(classes, truth, label, surety, square=square)
        positive = np.where(truth == 1, surety, 1 - surety)
        return cls.of(classes, truth, label, np.column_stack([1 - positive, positive]))


def _kept(scores: Array, count: int) -> Array | None:
    return scores if len(scores) * count <= _SCORES else None


def _label_metrics(sums: Array, count: int) -> tuple[Array, ...]:
    """From hits, true and predicted rows by class; the last is the f1 of the last class."""
    hits, true, predicted = (sums[:, i * count : (i + 1) * count] for i in range(3))
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(predicted > 0, hits / predicted, 0.0)
        recall = np.where(true > 0, hits / true, 0.0)
        f1 = np.where(true + predicted > 0, 2 * hits / (true + predicted), 0.0)
        seen, there = true + predicted > 0, true > 0
        return (
            hits.sum(axis=1) / true.sum(axis=1),
            recall.sum(axis=1, where=there) / there.sum(axis=1),
            precision.sum(axis=1, where=seen) / seen.sum(axis=1),
            recall.sum(axis=1, where=seen) / seen.sum(axis=1),
            f1.sum(axis=1, where=seen) / seen.sum(axis=1),
            f1[:, -1],
        )
