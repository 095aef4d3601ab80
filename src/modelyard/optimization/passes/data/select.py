"""`select`: inputs that do not help are no longer looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.listing import listed
from modelyard.errors import InvalidInput
from modelyard.optimization.passes.data.learning import (
    chosen,
    learner_of,
    require_target,
    score,
    why_not_tables,
)
from modelyard.optimization.passes.data.outcome import made_by, nothing
from modelyard.optimization.passes.data.rows import (
    codes_of,
    folds,
    groups_of,
    is_made,
    is_missing,
    sampled,
)
from modelyard.optimization.passes.data.steps import only_columns
from modelyard.optimization.passes.interface import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.table import Table
    from modelyard.optimization.passes.data.learning import Learner
    from modelyard.optimization.passes.interface import Made, Option
    from modelyard.optimization.state import Model, Rows, Subject, Task, Work

__all__ = ["PASS", "binned", "importances", "information"]

Array = np.ndarray[Any, Any]

_METHODS = ("permutation", "information", "l1")
_SHARES = (0.75, 0.5, 0.9, 0.25)
_MOST = 1500
_BINS = 10
_CANT = "the model can't be made to look at these columns only"


class Select:
    """See the module."""

    NAME = "select"
    KIND = "data"
    LINEAGE = "tuned-from"
    SUMMARY = "leaves out inputs that do not help; requests may go on giving them"

    def why_not(self, subject: Subject) -> str | None:
        return why_not_tables(subject, in_model=True)

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`method`: how columns are ranked; `share`: of them that stay.

        `permutation`: by what is lost if a column is shuffled, on rows that were not learned from;
        `information`: by what each says of the target by itself; `l1`: by the weights of a linear
        model that makes most of them zero. A recipe may name `keep` instead: a list of columns.
        """
        return {"method": Choice(_METHODS), "share": Choice(_SHARES)}

    def run(self, model: Model, params: Mapping[str, Any], work: Work) -> Made:
        train = require_target(work)
        learner = learner_of(model)
        method, share = chosen(params, "method", _METHODS), float(params.get("share", 0.75))
        if not 0 < share <= 1:
            raise InvalidInput("bad-pass-option", f"share={share} is not within 0 and 1")
        names = list(learner.inputs(train.inputs).names)
        if len(names) < 2 or any(c.ndim > 1 for c in train.inputs.columns.values()):
            return nothing("there are no columns to choose among")
        asked = params.get("keep")
        if asked is not None and not set(map(str, asked)) <= set(names):
            raise InvalidInput(
                "bad-pass-option", "keep names a column that the model does not take",
                hint=f"there are {', '.join(names[:12])}",
            )  # fmt: skip
        count = max(1, round(share * len(names)))

        def kept(rows: Rows, seed: int) -> list[str]:
            if asked is not None:
                return [name for name in names if name in asked]
            ranks = importances(learner, rows, work.task, method, seed)
            best = np.lexsort((np.arange(len(names)), -ranks))[:count]
            return [names[place] for place in sorted(best.tolist())]

        def build(rows: Rows, seed: int) -> tuple[Any, Rows]:
            chosen = learner.columns(rows.inputs, kept(rows, seed))
            changed = only_columns(learner.obj, chosen)
            if changed is None:
                raise InvalidInput("not-fittable", _CANT)
            return changed, rows

        found = kept(train, work.seed)
        if len(found) == len(names):
            return nothing("all columns stay")
        if only_columns(learner.obj, learner.columns(train.inputs, found)) is None:
            return nothing(_CANT)
        gone = [name for name in names if name not in found]
        shown = listed(gone, 8)
        note = f"{len(found)} of {len(names)} columns stay; without {shown}"
        return made_by(model, learner, build, work, notes=[note])


def importances(learner: Learner, rows: Rows, task: Task, method: str, seed: int) -> Array:
    """How much each column that the model takes helps, shape (columns,); more is better."""
    rows = rows.take(sampled(len(rows), _MOST, seed))
    inputs = learner.inputs(rows.inputs)
    if method == "permutation":
        return _by_permutation(learner, rows, task, seed)
    target = np.asarray(rows.target)
    if method == "information":
        classes = codes_of(target) if task == "classification" else binned(target)
        return np.array([information(column, classes) for column in inputs.columns.values()])
    return _by_weights(inputs, target, task)


def information(column: Array, classes: Array) -> float:
    """What a column says of classes by itself, in nats, less what chance would seem to say.

    Numbers are taken in ten bins of as many rows each; a missing value is one of its own
    (Miller 1955 for the correction).
    """
    numeric = column.dtype.kind in "biuf" and column.ndim == 1
    codes = binned(column) if numeric else codes_of(column)
    a, b = int(codes.max()) + 1, int(classes.max()) + 1
    table = np.bincount(codes * b + classes, minlength=a * b).reshape(a, b) / len(codes)
    outer = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True)
    there = table > 0
    found = float(np.sum(table[there] * np.log(table[there] / outer[there])))
    used, known = int(np.any(there, axis=1).sum()), int(np.any(there, axis=0).sum())
    return found - (used - 1) * (known - 1) / (2 * len(codes))


def binned(column: Array) -> Array:
    """Codes of bins with as many rows each; missing values have one more."""
    missing = is_missing(column)
    values = column.astype(np.float64)
    known = values[~missing]
    if not len(known):
        return np.zeros(len(column), np.int64)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]))
    return np.where(missing, len(edges) + 1, np.searchsorted(edges, values, side="right"))


def _by_permutation(learner: Learner, rows: Rows, task: Task, seed: int) -> Array:
    """Breiman 2001, "Random forests", section 10; over three folds."""
    from modelyard.core.table import Table
    from modelyard.optimization.state import Rows as Some

    inputs = learner.inputs(rows.inputs)
    groups, real = groups_of(rows, inputs), ~is_made(rows)
    chance = np.random.default_rng(seed)
    found = np.zeros(len(inputs.names))
    for inside, outside in folds(groups, rows.target, task, count=3, seed=seed):
        measured = rows.take(outside[real[outside]])
        if not len(measured):
            continue
        fitted = learner.fit(learner.obj, rows.take(inside), seed)
        best = score(fitted, measured, task)
        for place, name in enumerate(inputs.names):
            column = measured.inputs.columns[name]
            shuffled = Table({**measured.inputs.columns, name: chance.permutation(column)})
            found[place] += best - score(fitted, Some(shuffled, measured.target), task)
    return found


def _by_weights(inputs: Table, target: Array, task: Task) -> Array:
    """Columns as their largest weight in a sparse linear model, whatever model is improved."""
    from sklearn.linear_model import Lasso, LogisticRegression
    from sklearn.pipeline import make_pipeline

    from modelyard.optimization.passes.data.encoding import column_encoder

    encoder = column_encoder(inputs, task=task, scale=True)
    if task == "classification":
        linear: Any = LogisticRegression(
            C=0.1, l1_ratio=1.0, solver="saga", max_iter=300, tol=1e-3, random_state=0
        )
    else:
        spread = float(np.std(target.astype(np.float64))) or 1.0
        linear = Lasso(alpha=0.02 * spread, max_iter=5000)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # near enough to rank by
        made = make_pipeline(encoder, linear).fit(inputs.frame(), target)
    weights = np.abs(np.atleast_2d(made[-1].coef_)).max(axis=0)
    found = np.zeros(len(inputs.names))
    at = {name: place for place, name in enumerate(inputs.names)}
    for name, step, columns in made[0].transformers_:
        if name == "remainder":
            continue
        own = weights[made[0].output_indices_[name]]
        listed = [columns] if isinstance(columns, str) else list(columns)
        for column, weight in zip(_owners(step, listed, len(own)), own, strict=True):
            found[at[column]] = max(found[at[column]], weight)
    return found


def _owners(step: Any, columns: list[str], count: int) -> list[str]:
    """Of which column each output of a part of `column_encoder` is."""
    if len(columns) == 1:
        return columns * count
    if len(columns) == count:
        return columns
    if hasattr(step, "feature_name_combiner"):
        step.set_params(feature_name_combiner=_of_column)
        return [str(name) for name in step.get_feature_names_out(columns)]
    names = (str(name) for name in step.get_feature_names_out(columns))
    return [name if name in columns else _within(name, columns) for name in names]


def _of_column(column: str, _category: Any) -> str:
    return column


def _within(made: str, columns: list[str]) -> str:
    """The column of `missingindicator_age` and of `days(since)`."""
    name = made.removeprefix("missingindicator_")
    if name in columns:
        return name
    return name.partition("(")[2].removesuffix(")")


PASS = Select()
