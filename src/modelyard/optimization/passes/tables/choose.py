"""`choose`: another algorithm, of a portfolio that fits the task and the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from modelyard.errors import InvalidInput
from modelyard.optimization.making import model_of_object
from modelyard.optimization.passes.interface import Choice, Made
from modelyard.optimization.passes.tables.fitting import fitted
from modelyard.optimization.passes.tables.portfolio import (
    algorithms,
    built,
    candidates_of,
    compared,
    firsts_of,
    options_of,
    usable,
)
from modelyard.optimization.passes.tables.preparing import columns_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.optimization.passes.interface import Option
    from modelyard.optimization.state import Model, Subject, Work

__all__ = ["PASS", "Choose"]

Json = Any

_BEST = "best"
_FRAMEWORKS = ("sklearn", "xgboost", "lightgbm")


class Choose:
    """Linear models, kernels, forests, boosting, networks, neighbours, trees, Bayes.

    Each has hyper-parameters of its own: `forest.max_depth` is chosen where `algorithm` is
    `forest`. With `algorithm: best` they are compared by cross-validation on the rows to learn
    from, each as it is by itself, and the best one is taken.
    """

    NAME = "choose"
    KIND: Literal["algorithm"] = "algorithm"
    LINEAGE: Literal["tuned-from"] = "tuned-from"
    SUMMARY = "chooses among algorithms for tables, and their hyper-parameters"

    def why_not(self, subject: Subject) -> str | None:
        if subject.framework not in _FRAMEWORKS:
            return "algorithms for tables are tried in the place of scikit-learn, XGBoost, LightGBM"
        if not subject.has_target or subject.task == "other":
            return "without a target nothing can be learned"
        return None

    def options(self, subject: Subject) -> Mapping[str, Option]:
        found = algorithms(subject.task, subject.rows)
        inner = options_of(found, subject.task, columns=subject.columns, rows=subject.rows)
        return {"algorithm": Choice(tuple(each.name for each in found)), **inner}

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        if work.train is None or work.train.target is None:
            raise InvalidInput(
                "no-target", "without a target nothing can be learned", hint="--target COL"
            )
        rows, task = work.train, work.task
        given = dict(params)
        name = given.pop("algorithm", _BEST)
        chosen: dict[str, Json] = {}
        if name == _BEST:
            scores = dict(compared(candidates_of(rows, task), rows, work, count=3))
            if not scores:
                return Made(model=None, why="no algorithm could learn from these rows")
            name = max(scores, key=lambda each: scores[each])
            given = {}
        known = {each.name: each for each in algorithms(task, len(rows))}
        if name not in known:
            raise InvalidInput(
                "bad-pass-option", f"there is no algorithm {name!r:.40} for these rows",
                hint=f"one of {_BEST}, {', '.join(known)}",
            )  # fmt: skip
        columns = columns_of(rows.inputs)
        if not usable(known[name], columns, rows, task):
            return Made(model=None, why=f"{name} can't take these columns, or this target")
        if params.get("algorithm", _BEST) == _BEST:
            firsts = firsts_of(known[name], task, rows)
            given = {f"{name}.{key}": value for key, value in firsts.items()}
            chosen = {"algorithm": name, **given}
        prefix = f"{name}."
        own = {k.removeprefix(prefix): v for k, v in given.items() if k.startswith(prefix)}
        work.tell(f"learn with {name}", None)
        found = fitted(built(known[name], task, columns, own), rows, work.seed)
        left = ", ".join(columns.left_out[:5])
        note = f"{left}: not learned from; the pass encode makes use of it"
        made = model_of_object(found, work.folder(), like=model, example=rows.inputs)
        return Made(model=made, params=chosen, notes=(note,) if left else ())


PASS = Choose()
