"""`relabel`: labels that are likely to be wrong are not learned, or are corrected in learning."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.optimization.passes.data.confident import doubts, out_of_fold
from modelyard.optimization.passes.data.learning import (
    chosen,
    learner_of,
    probabilities,
    require_target,
    why_not_tables,
)
from modelyard.optimization.passes.data.outcome import made_by, nothing
from modelyard.optimization.passes.data.rows import folds, groups_of
from modelyard.optimization.passes.interface import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.optimization.passes.data.confident import Doubts
    from modelyard.optimization.passes.data.learning import Learner
    from modelyard.optimization.passes.interface import Made, Option
    from modelyard.optimization.state import Model, Rows, Subject, Work

__all__ = ["PASS", "doubtful"]

Array = np.ndarray[Any, Any]

_ACTIONS = ("drop", "correct")
_FOLDS = 5
_INNER = 3
"""Folds within a fold, where the pass is measured."""
_MOST = 0.3
"""Share of the rows that may be doubted: above, the model is wrong rather than the labels."""


class Relabel:
    """See the module."""

    NAME = "relabel"
    KIND = "data"
    LINEAGE = "tuned-from"
    SUMMARY = "finds labels that are likely to be wrong, and learns without them"

    def why_not(self, subject: Subject) -> str | None:
        if subject.has_target and subject.task != "classification":
            return "it is for classification"
        return why_not_tables(subject)

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`action`: `drop` such rows, or `correct` their labels to what they seem to be."""
        return {"action": Choice(_ACTIONS)}

    def run(self, model: Model, params: Mapping[str, Any], work: Work) -> Made:
        train = require_target(work)
        learner = learner_of(model)
        action = chosen(params, "action", _ACTIONS)
        found = doubtful(learner, train, work.seed)
        if found is None:
            return nothing("the model gives no probabilities")
        if not len(found.rows):
            return nothing("no label is likely to be wrong")
        if len(found.rows) > _MOST * len(train):
            return nothing(
                f"{len(found.rows):,} of {len(train):,} labels would be doubted: the model is "
                "too weak to judge them"
            )

        def build(rows: Rows, seed: int) -> tuple[Any, Rows]:
            known = found if rows is train else doubtful(learner, rows, seed, count=_INNER)
            assert known is not None
            return learner.obj, _without(rows, known, action)

        said = "left out of learning" if action == "drop" else "learned as another class"
        notes = [f"{len(found.rows):,} of {len(train):,} labels are likely to be wrong: {said}"]
        return made_by(model, learner, build, work, notes=notes)


def doubtful(learner: Learner, rows: Rows, seed: int, *, count: int = _FOLDS) -> Doubts | None:
    """Rows whose labels are likely to be wrong; None if the model gives no probabilities.

    Args:
        count: Folds; each row is judged by a model that learned from the others.
    """
    target = np.asarray(rows.target)
    classes, codes = np.unique(target.astype(str), return_inverse=True)
    groups = groups_of(rows, learner.inputs(rows.inputs))
    splits = list(folds(groups, target, "classification", count=count, seed=seed))
    asked: list[bool] = []

    def chances(obj: Any, outside: Array) -> Array:
        found = probabilities(obj, rows.take(outside), classes)
        asked.append(found is not None)
        return np.full((len(outside), len(classes)), 1 / len(classes)) if found is None else found

    found = out_of_fold(
        lambda inside: learner.fit(learner.obj, rows.take(inside), seed), chances, splits,
        len(rows), len(classes),
    )  # fmt: skip
    return doubts(codes, found) if all(asked) else None


def _without(rows: Rows, found: Doubts, action: str) -> Rows:
    target = np.asarray(rows.target)
    if action == "drop":
        kept = np.ones(len(rows), bool)
        kept[found.rows] = False
        for code in np.unique(target):  # a class does not vanish
            own = target == code
            if not kept[own].any():
                kept[own] = True
        return rows.take(kept)
    _, first = np.unique(target.astype(str), return_index=True)
    changed = target.copy()
    changed[found.rows] = target[first][found.instead]
    return replace(rows, target=changed)


PASS = Relabel()
