"""`features`: columns made of others stand beside those that the model looks at."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.extras import need
from modelyard.errors import InvalidInput
from modelyard.optimization.passes.data.columns import of_kind
from modelyard.optimization.passes.data.learning import (
    chosen,
    learner_of,
    require_target,
    why_not_tables,
)
from modelyard.optimization.passes.data.outcome import made_by, nothing
from modelyard.optimization.passes.data.rows import codes_of
from modelyard.optimization.passes.data.select import binned, information
from modelyard.optimization.passes.data.steps import made_beside, with_beside
from modelyard.optimization.passes.interface import Choice, Range

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.optimization.passes.data.learning import Learner
    from modelyard.optimization.passes.interface import Made, Option
    from modelyard.optimization.state import Model, Rows, Subject, Task, Work

__all__ = ["PASS"]

_KINDS = ("products", "ratios", "together", "times", "squares")
_HOURLESS = ("days", "month", "day", "weekday")


class Features:
    """See the module."""

    NAME = "features"
    KIND = "data"
    LINEAGE = "tuned-from"
    SUMMARY = "adds products, ratios, squares, numbers of a row together, or parts of times"

    def why_not(self, subject: Subject) -> str | None:
        return why_not_tables(subject, in_model=True)

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`kind`: what is made; `columns`: of how many numbers, those that say most by themselves.

        `products` and `ratios` are of pairs; `together` is mean, deviation, least, most and missing
        of all numbers of a row; `times` are days, month, day, weekday and hour.
        """
        return {"kind": Choice(_KINDS), "columns": Range(3, 12, 6, whole=True)}

    def run(self, model: Model, params: Mapping[str, Any], work: Work) -> Made:
        train = require_target(work)
        learner = learner_of(model)
        kind, most = chosen(params, "kind", _KINDS), int(params.get("columns", 6))
        if most < 1:
            raise InvalidInput("bad-pass-option", "columns: at least 1")
        if not _formulas(kind, learner, train, work.task, most):
            what = "times" if kind == "times" else "numbers"
            return nothing(f"there are no {what} to make columns of")
        there = made_beside(learner.obj)

        def new(rows: Rows) -> list[list[Any]]:
            wanted = _formulas(kind, learner, rows, work.task, most)
            return [each for each in wanted if each not in there]

        count = len(new(train))
        if not count:
            return nothing(f"the model makes these columns already: {kind}")

        def build(rows: Rows, _seed: int) -> tuple[Any, Rows]:
            formulas = new(rows)
            return with_beside(learner.obj, _step(formulas)) if formulas else learner.obj, rows

        return made_by(model, learner, build, work, notes=[f"{count} columns made: {kind}"])


def _formulas(kind: str, learner: Learner, rows: Rows, task: Task, most: int) -> list[list[Any]]:
    """What is made, as `Derived` takes it."""
    inputs = learner.inputs(rows.inputs)
    if kind == "times":
        names = of_kind(inputs, "time")
        return [[part, [name]] for name in names for part in _parts(inputs.columns[name])]
    names = of_kind(inputs, "number")
    if kind == "together":
        places = learner.columns(rows.inputs, names)
        made = ("mean", "deviation", "least", "most", "missing")
        return [[part, places] for part in made] if len(places) > 1 else []
    target = np.asarray(rows.target)
    classes = codes_of(target) if task == "classification" else binned(target)
    said = np.array([information(inputs.columns[name], classes) for name in names])
    best = np.lexsort((np.arange(len(names)), -said))[:most]
    places = learner.columns(rows.inputs, [names[place] for place in sorted(best.tolist())])
    if kind == "squares":
        return [["product", [place, place]] for place in places]
    name = "product" if kind == "products" else "ratio"
    return [[name, list(pair)] for pair in combinations(places, 2)]


def _parts(column: Any) -> tuple[str, ...]:
    known = column[~np.isnat(column)]
    return (*_HOURLESS, "hour") if np.any(known != known.astype("datetime64[D]")) else _HOURLESS


def _step(formulas: list[list[Any]]) -> Any:
    """Formulas, with holes filled and of like size: it serves every model."""
    from modelyard.frameworks.sklearn.derived import Derived

    impute = need("sklearn.impute", "optimize")
    preprocessing = need("sklearn.preprocessing", "optimize")
    return need("sklearn.pipeline", "optimize").Pipeline([
        ("formulas", Derived(formulas)),
        ("fill", impute.SimpleImputer(strategy="median", keep_empty_features=True)),
        ("scale", preprocessing.StandardScaler()),
    ])  # fmt: skip


PASS = Features()
