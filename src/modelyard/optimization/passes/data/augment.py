"""`augment`: rows that could have been, made of those that are, are learned too."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.table import Table
from modelyard.errors import InvalidInput
from modelyard.optimization.passes.data.learning import (
    chosen,
    learner_of,
    require_target,
    why_not_tables,
)
from modelyard.optimization.passes.data.outcome import EPOCHS, made_by, nothing
from modelyard.optimization.passes.data.rows import repeated
from modelyard.optimization.passes.data.varied import KINDS, fitting, varied
from modelyard.optimization.passes.interface import Choice, Range
from modelyard.optimization.state import Rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.optimization.passes.interface import Made, Option
    from modelyard.optimization.state import Model, Subject, Work

__all__ = ["PASS"]

Array = np.ndarray[Any, Any]


class Augment:
    """See the module."""

    NAME = "augment"
    KIND = "data"
    LINEAGE = "tuned-from"
    SUMMARY = "learns varied copies too: noise, mixtures, moved or cut pictures, changed texts"

    def why_not(self, subject: Subject) -> str | None:
        return why_not_tables(subject, going_on=True)

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`kind`, `strength` and `copies` of each row.

        Of numbers: `noise` (of so many deviations), `mixup` (between two rows of a class; of
        numbers to predict, the target in between as well). Of pictures: `shift`, `flip`, `rotate`,
        `cut-out` (a share of their size; of 45 degrees). Of text: `drop-words`, `swap-words`
        (a share of the words). `auto` takes `shift`, `drop-words` or `noise`, by what there is.

        A recipe may name `shape` too, `[8, 8]`: all columns together are a picture of that shape;
        and `epochs` for networks.
        """
        return {
            "kind": Choice(("auto", *KINDS)), "strength": Range(0.02, 0.5, 0.1, log=True),
            "copies": Range(1, 3, 1, whole=True),
        }  # fmt: skip

    def run(self, model: Model, params: Mapping[str, Any], work: Work) -> Made:
        train = require_target(work)
        learner = learner_of(model)
        kind = chosen(params, "kind", ("auto", *KINDS))
        strength, copies = float(params.get("strength", 0.1)), int(params.get("copies", 1))
        shape = params.get("shape")
        if not 0 < strength <= 1 or not 1 <= copies <= 10:
            raise InvalidInput(
                "bad-pass-option", "strength is within 0 and 1, copies within 1 and 10"
            )
        inputs = _pictured(learner.inputs(train.inputs), shape)
        if kind == "auto":
            kind = fitting(inputs)
        elif not fitting(inputs, kind):
            return nothing(f"no column can be varied by {kind}")
        if not kind:
            return nothing("no column can be varied")

        def build(rows: Rows, seed: int) -> tuple[Any, Rows]:
            table = learner.inputs(rows.inputs)
            pictured = Rows(_pictured(table, shape), rows.target)
            made = [
                varied(pictured, kind, strength, work.task, (seed, copy)) for copy in range(copies)
            ]
            found = repeated(rows, np.tile(np.arange(len(rows)), copies))
            columns = dict(found.inputs.columns)
            parts = [table, *(_plain(each.inputs, table) for each in made)]
            for name in table.names:
                columns[name] = np.concatenate([part.columns[name] for part in parts])
            target = np.concatenate([np.asarray(each.target) for each in (rows, *made)])
            return learner.obj, replace(found, inputs=Table(columns), target=target)

        notes = [f"{copies * len(train):,} rows made of {len(train):,}: {kind}"]
        return made_by(
            model, learner, build, work, notes=notes, params={"kind": kind},
            epochs=int(params.get("epochs", EPOCHS)),
        )  # fmt: skip


def _pictured(table: Table, shape: Any) -> Table:
    """All columns as one picture, if the recipe says that they are. InvalidInput: its shape."""
    if shape is None:
        return table
    matrix = table.matrix()
    sizes = [int(each) for each in shape] if isinstance(shape, list | tuple) else []
    if not 2 <= len(sizes) <= 3 or int(np.prod(sizes)) != int(np.prod(matrix.shape[1:])):
        raise InvalidInput(
            "bad-pass-option", f"shape={shape!r} does not hold {matrix.shape[1]} columns",
            hint="height and width, [8, 8]; with channels [3, 8, 8] or [8, 8, 3]",
        )  # fmt: skip
    return Table({"picture": matrix.reshape(len(matrix), *sizes)})


def _plain(made: Table, like: Table) -> Table:
    """Columns again, of what `_pictured` put together."""
    if made.names == like.names:
        return made
    if len(like.names) == 1:
        name = like.names[0]
        return Table({name: made.columns["picture"].reshape(-1, *like.columns[name].shape[1:])})
    matrix = made.columns["picture"].reshape(len(made), -1)
    return Table({
        name: matrix[:, place].astype(like.columns[name].dtype)
        for place, name in enumerate(like.names)
    })  # fmt: skip


PASS = Augment()
