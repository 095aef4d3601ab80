"""Objects fitted and measured on rows, whatever library they are of, and put behind other steps."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.table import Table
from modelyard.errors import InvalidInput, Unsupported
from modelyard.frameworks import framework_of
from modelyard.optimization.making import model_of_object

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.optimization.state import Model, Rows, Subject, Task, Work

__all__ = [
    "FROM_SCRATCH",
    "Learner",
    "chosen",
    "hits",
    "last_of",
    "learner_of",
    "probabilities",
    "require_target",
    "rightness",
    "score",
    "why_not_tables",
]

Array = np.ndarray[Any, Any]

FROM_SCRATCH = ("sklearn", "xgboost", "lightgbm")
"""Frameworks whose `fit` begins anew, so that a pass can be measured with and without."""
GOING_ON = ("torch", "keras")
"""Frameworks whose `fit` goes on from what was learned."""


@dataclass(frozen=True, slots=True)
class Learner:
    """An object, and how it wants its rows."""

    obj: Any
    framework: str
    names: tuple[str, ...] | None
    """The columns that it takes; None: all, by their position."""

    @property
    def is_named(self) -> bool:
        """Whether it was fitted with names of columns."""
        return self.names is not None

    def inputs(self, table: Table) -> Table:
        """The columns that it takes, in its order."""
        return table if self.names is None else table.known(self.names)

    def columns(self, table: Table, names: list[str]) -> list[Any]:
        """Columns as a `ColumnTransformer` of it is told of them: names, or positions."""
        if self.is_named:
            return list(names)
        at = {name: place for place, name in enumerate(self.inputs(table).names)}
        return [at[name] for name in names]

    @property
    def begins_anew(self) -> bool:
        """Whether fitting forgets what it has learned."""
        return self.framework in FROM_SCRATCH

    def fit(self, obj: Any, rows: Rows, seed: int, epochs: int | None = None) -> Any:
        """Another object fitted as this one was: with names of columns, or without.

        InvalidInput: as `Framework.fit` does.
        """
        table = self.inputs(rows.inputs)
        if not self.is_named and self.framework == "sklearn" and _is_matrix(table):
            table = Table({"data": table.matrix()})
        return framework_of(obj).fit(obj, table, rows.target, epochs=epochs, seed=seed)

    def saved(self, obj: Any, model: Model, work: Work) -> Model:
        """A fitted object as a model that takes what `model` takes."""
        known = model.signature is not None
        example = None if known or work.train is None else self.inputs(work.train.inputs)
        return model_of_object(obj, work.folder(), like=model, example=example)


def learner_of(model: Model) -> Learner:
    """Load a model to fit it again.

    Raises:
        Denied: `untrusted`.
        Unsupported: `not-improvable`: its library does not fit.
    """
    obj = model.load()
    framework = framework_of(obj)
    if framework.NAME not in (*FROM_SCRATCH, *GOING_ON):
        raise Unsupported(
            "not-improvable", f"a {type(obj).__name__} is not fitted again by this pass",
            hint="it is for models of scikit-learn, XGBoost, LightGBM, PyTorch and Keras",
        )  # fmt: skip
    from modelyard.runtimes import runtime_of

    with closing(runtime_of(framework.NAME, obj, model.signature)) as runtime:
        features = runtime.about.features
    if framework.NAME == "sklearn":
        features = _names_of(obj)
    return Learner(obj, framework.NAME, features)


def _names_of(obj: Any) -> tuple[str, ...] | None:
    names = getattr(obj, "feature_names_in_", None)
    return None if names is None else tuple(str(name) for name in names)


def score(obj: Any, rows: Rows, task: Task, metric: str | None = None) -> float:
    """How right an object is; higher is better.

    Args:
        metric: `accuracy` (default of classes), `balanced_accuracy`: the mean over classes of the
            share that is found; `rmse` (default of numbers), given as its negative.
    """
    found = hits(obj, rows, task)
    if task != "classification":
        return -float(np.sqrt(np.mean(-found)))
    assert rows.target is not None
    return rightness(found, rows.target, metric)


def hits(obj: Any, rows: Rows, task: Task, signature: Any = None) -> Array:
    """How right an object is about each row, shape (rows,), float64.

    Of classes 1 or 0, of numbers the negative squared error.
    """
    from modelyard.runtimes import runtime_of

    assert rows.target is not None, "nothing to compare with"
    with closing(runtime_of(framework_of(obj).NAME, obj, signature)) as runtime:
        outputs = runtime.predict(rows.inputs).outputs
        classes = runtime.about.classes
    first = np.asarray(outputs.get("prediction", next(iter(outputs.values()))))
    if task != "classification":
        off = first.astype(np.float64).reshape(rows.target.shape) - rows.target.astype(np.float64)
        return np.asarray(-np.square(off))
    if "label" in outputs:
        said = np.asarray(outputs["label"])
    else:  # a score for each class
        scores = np.asarray(outputs.get("probability", first)).reshape(len(rows), -1)
        if scores.shape[1] == 1:
            limit = 0.5 if scores.min() >= 0 and scores.max() <= 1 else 0.0
            scores = np.column_stack([limit - scores, scores - limit])
        known = np.unique(rows.target) if classes is None else classes
        at = scores.argmax(axis=1)
        fits = len(known) == scores.shape[1]
        said = np.asarray(known)[at] if fits else at
    return _same(said, rows.target).astype(np.float64)


def probabilities(obj: Any, rows: Rows, classes: Array) -> Array | None:
    """How likely an object finds each class, shape (rows, classes); None if it does not tell.

    Args:
        classes: Their names, `str` of the values; one that it does not know has 0.
    """
    from modelyard.runtimes import runtime_of

    with closing(runtime_of(framework_of(obj).NAME, obj, None)) as runtime:
        outputs = runtime.predict(rows.inputs).outputs
        known = runtime.about.classes
    found = outputs.get("probability")
    if found is None or known is None or found.ndim != 2 or found.shape[1] != len(known):
        return None
    names = [str(each) for each in np.asarray(known).tolist()]
    at = {name: place for place, name in enumerate(names)}
    if not set(map(str, classes)) <= at.keys():
        at |= {f"{name}.0": place for name, place in at.items() if name.isdigit()}
    made = np.zeros((len(rows), len(classes)))
    for place, name in enumerate(map(str, classes)):
        if name in at:
            made[:, place] = found[:, at[name]]
    return made


def rightness(right: Array, target: Array, metric: str | None = None) -> float:
    """Accuracy of answers that are right or not; `balanced_accuracy`: of each class alike."""
    if metric != "balanced_accuracy":
        return float(np.mean(right))
    _, codes = np.unique(np.asarray(target).astype(str), return_inverse=True)
    found = np.bincount(codes, np.asarray(right, np.float64)) / np.bincount(codes)
    return float(np.mean(found))


def _same(said: Array, truth: Array) -> Array:
    if said.dtype.kind in "biuf" and truth.dtype.kind in "biuf":
        return np.asarray(said == truth)
    return np.asarray(said.astype(str) == truth.astype(str))


def _is_matrix(table: Table) -> bool:
    return all(column.dtype.kind in "biuf" for column in table.columns.values())


def last_of(obj: Any) -> Any:
    """The estimator at the end of a pipeline, or the object itself."""
    return obj.steps[-1][1] if hasattr(obj, "steps") else obj


def why_not_tables(
    subject: Subject, *, in_model: bool = False, going_on: bool = False
) -> str | None:
    """Why a data pass can't help; None if it may.

    Args:
        in_model: What it makes has to be saved with the model: then scikit-learn is asked for.
        going_on: Networks that learn on are fine too.
    """
    if not subject.has_target:
        return "it learns again, and no target is known"
    if subject.task == "other":
        return "it is for classification and regression"
    if subject.serializer == "onnx":
        return "a converted model can't be fitted again"
    if in_model and subject.framework != "sklearn":
        return "only models of scikit-learn can keep such steps"
    if going_on and subject.framework in GOING_ON:
        return None
    if subject.framework not in FROM_SCRATCH:
        return "only models of scikit-learn, XGBoost and LightGBM are fitted anew"
    return None


def chosen(params: Mapping[str, Any], name: str, known: Sequence[str]) -> str:
    """The value of an option, the first if it is not given. InvalidInput: `bad-pass-option`."""
    value = params.get(name, known[0])
    if value not in known:
        raise InvalidInput(
            "bad-pass-option", f"{name}={str(value)[:40]!r} is none of {', '.join(known)}"
        )
    return str(value)


def require_target(work: Work) -> Rows:
    """The rows to learn from. InvalidInput: `no-target`."""
    if work.train is None or work.train.target is None:
        raise InvalidInput(
            "no-target", "this pass learns, and has no target to learn",
            hint="give data and the column that is predicted: --data FILE --target COL",
        )  # fmt: skip
    return work.train
