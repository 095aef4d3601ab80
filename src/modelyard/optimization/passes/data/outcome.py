"""What every data pass does in the end: measure itself, fit on all rows, save."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.optimization.passes.data.ablation import paired_scores, summary
from modelyard.optimization.passes.data.learning import hits, require_target
from modelyard.optimization.passes.interface import Made

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelyard.optimization.passes.data.learning import Learner
    from modelyard.optimization.state import Model, Rows, Work

    Build = Callable[[Rows, int], tuple[Any, Rows]]
    """Rows and a seed to an object that is to be fitted, and the rows to fit it on."""

__all__ = ["EPOCHS", "made_by", "nothing"]

Array = np.ndarray[Any, Any]

EPOCHS = 3
"""Passes over the data for networks, which learn on."""


def nothing(why: str) -> Made:
    """A pass that found nothing to do, and why."""
    return Made(model=None, why=why)


def made_by(
    model: Model,
    learner: Learner,
    build: Build,
    work: Work,
    *,
    wants: Learner | None = None,
    metric: str | None = None,
    notes: Sequence[str] = (),
    params: Mapping[str, Any] | None = None,
    epochs: int = EPOCHS,
) -> Made:
    """What a pass made: fitted on all rows, and measured on folds with and without.

    Networks go on learning instead, with and without the pass for as many epochs, and are compared
    by the rows of `work.valid`.

    Args:
        build: What the pass does. It may look at the rows that it is given, and at no others.
        wants: How the new object takes its rows, if not as the old one.
        metric: See `learning.score`.
    """
    train = require_target(work)
    new = wants or learner
    obj, rows = build(train, work.seed)
    scores: tuple[Sequence[float], Sequence[float]] | None = None
    if learner.begins_anew:
        fitted = new.fit(obj, rows, work.seed)

        def with_it(inside: Rows, seed: int) -> Any:
            changed, taken = build(inside, seed)
            return new.fit(changed, taken, seed)

        found = paired_scores(
            lambda inside, seed: learner.fit(learner.obj, inside, seed),
            with_it, train, work.task, seed=work.seed, metric=metric, same=learner.inputs,
        )  # fmt: skip
        scores = found
        notes = (*notes, summary(found, metric))
    else:
        fitted = new.fit(obj, rows, work.seed, epochs)
        if work.valid is not None and work.valid.target is not None:
            plain = learner.fit(model.load(), train, work.seed, epochs)
            right = (hits(each, work.valid, work.task, model.signature) for each in (plain, fitted))
            without, with_net = (_weighed(each, work.valid, metric) for each in right)
            scores = without, with_net
    return Made(
        model=new.saved(fitted, model, work), rows=None if rows is train else rows, scores=scores,
        notes=tuple(notes), params=dict(params or {}),
    )  # fmt: skip


def _weighed(found: Array, rows: Rows, metric: str | None) -> list[float]:
    """What is right about each row, so that the mean over rows is the metric.

    `balanced_accuracy` is the mean over classes: rows of rare ones count more. Of numbers the mean
    is the negative square of `rmse`, which ranks the same.
    """
    if metric == "balanced_accuracy":
        _, codes = np.unique(np.asarray(rows.target).astype(str), return_inverse=True)
        counts = np.bincount(codes)
        found = found * (len(codes) / (len(counts) * counts[codes]))
    return [float(each) for each in found]
