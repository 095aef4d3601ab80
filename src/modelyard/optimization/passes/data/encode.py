"""`encode`: categories, text and times into numbers, in the way that suits the model best."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from modelyard.optimization.passes.data.columns import kinds_of
from modelyard.optimization.passes.data.encoding import CATEGORIES, column_encoder
from modelyard.optimization.passes.data.learning import (
    chosen,
    last_of,
    learner_of,
    require_target,
    why_not_tables,
)
from modelyard.optimization.passes.data.outcome import made_by, nothing
from modelyard.optimization.passes.data.rows import is_missing
from modelyard.optimization.passes.data.steps import encoded, selected
from modelyard.optimization.passes.interface import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.table import Table
    from modelyard.optimization.passes.data.encoding import Categories
    from modelyard.optimization.passes.interface import Made, Option
    from modelyard.optimization.state import Model, Rows, Subject, Work

__all__ = ["PASS"]

_BY_SIZE = ("Logistic", "Linear", "Ridge", "Lasso", "Elastic", "SGD", "SV", "KNeighbors", "MLP",
            "Perceptron", "Huber", "Gaussian")  # fmt: skip
"""Beginnings of names of estimators that ask for numbers of like size."""
_MADE = ("category", "text", "time")


class Encode:
    """See the module."""

    NAME = "encode"
    KIND = "data"
    LINEAGE = "tuned-from"
    SUMMARY = "encodes categories, text and times anew, as a step of the model"

    def why_not(self, subject: Subject) -> str | None:
        return why_not_tables(subject, in_model=True)

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`categories`: one-hot, target or ordinal.

        A recipe may name `columns: all` too: then the model takes all columns of the data, also
        those that it did not know. Who asks it has to give them.
        """
        return {"categories": Choice(CATEGORIES)}

    def run(self, model: Model, params: Mapping[str, Any], work: Work) -> Made:
        train = require_target(work)
        learner = learner_of(model)
        how = cast("Categories", chosen(params, "categories", CATEGORIES))
        columns = chosen(params, "columns", ("known", "all"))
        wants = learner
        if columns == "all" and learner.is_named:
            wants = replace(learner, names=tuple(train.inputs.names))
        inputs = wants.inputs(train.inputs)
        kinds = kinds_of(inputs)
        if not any(kind in _MADE for kind in kinds.values()):
            return nothing("no column that the model takes holds categories, text or times")
        if any(kind == "array" for kind in kinds.values()):
            return nothing("a column of several axes stands beside the others")
        kept = selected(learner.obj)
        places = None
        if not learner.is_named:
            places = {name: place for place, name in enumerate(inputs.names)}
        scale = type(last_of(learner.obj)).__name__.startswith(_BY_SIZE)

        def build(rows: Rows, seed: int) -> tuple[Any, Rows]:
            step = column_encoder(
                _only(wants.inputs(rows.inputs), kept), task=work.task, categories=how, scale=scale,
                places=places, seed=seed,
            )  # fmt: skip
            return encoded(learner.obj, step), rows

        found = {kind: sum(each == kind for each in kinds.values()) for kind in _MADE}
        parts = [f"{count} of {kind}" for kind, count in found.items() if count]
        notes = [f"columns encoded: {', '.join(parts)}"]
        new = [name for name in inputs.names if learner.names and name not in learner.names]
        if new:
            notes.append(f"it takes new columns: {', '.join(new[:10])}")
        holes = [n for n, k in kinds.items() if k == "text" and is_missing(inputs.columns[n]).any()]
        if holes:
            notes.append(f"text is missing in {', '.join(holes[:10])}: not looked at")
        return made_by(model, learner, build, work, wants=wants, notes=notes)


def _only(inputs: Table, kept: list[Any] | None) -> Table:
    """The columns that an earlier pass has left."""
    if kept is None:
        return inputs
    names = [name if isinstance(name, str) else inputs.names[name] for name in kept]
    return inputs.select(names)


PASS = Encode()
