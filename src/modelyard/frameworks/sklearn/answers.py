"""What an estimator says of rows, under the names that every runtime uses.

A classifier gives `label` and, where it can, `probability`; a regressor `prediction`; clusterers
and detectors of outliers `label`; what only transforms `embedding`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modelyard.core.table import Table
from modelyard.errors import InvalidInput, Unsupported
from modelyard.formats.reading import printable
from modelyard.frameworks.sklearn.inputs import arranged, feature_names
from modelyard.frameworks.sklearn.steps import is_estimator, is_pipeline

if TYPE_CHECKING:
    from modelyard.frameworks.interface import Json

__all__ = ["Task", "answers", "classes_of", "dtype_name", "signature_of", "task_of"]

Array = np.ndarray[Any, Any]
Task = Literal["classification", "regression", "clustering", "outliers", "embedding"]

_BY_PROBABILITY = frozenset({
    "sklearn.ensemble._forest.ForestClassifier", "sklearn.ensemble._bagging.BaggingClassifier",
    "sklearn.calibration.CalibratedClassifierCV", "sklearn.tree._classes.DecisionTreeClassifier",
})  # fmt: skip
"""Classes whose `predict` takes the largest of `predict_proba`: asking once answers both."""


def task_of(obj: Any) -> Task | None:
    """What it is for, by scikit-learn's own tags."""
    from sklearn import base

    for task, asks in (
        ("classification", base.is_classifier), ("regression", base.is_regressor),
        ("outliers", base.is_outlier_detector), ("clustering", base.is_clusterer),
    ):  # fmt: skip
        try:
            if asks(obj):
                return task  # type: ignore[return-value]
        except (AttributeError, TypeError, ValueError):  # classes of others need not have tags
            break
    return "embedding" if hasattr(obj, "transform") and not hasattr(obj, "predict") else None


def classes_of(obj: Any) -> Array | None:
    """The classes in the order of `probability`'s columns; None where there is no one order."""
    classes = getattr(obj, "classes_", None)
    return classes if isinstance(classes, np.ndarray) and classes.ndim == 1 else None


def answers(obj: Any, rows: Any) -> dict[str, Array]:
    """Predict rows that are arranged already. The first axis of every array is the row.

    What comes before the last step of a pipeline runs once, also where labels and probabilities
    are both asked for.

    Raises:
        InvalidInput: `not-fitted`; `bad-inputs`: it can't take such rows.
        Unsupported: `no-predict`: it can only be fitted (DBSCAN, t-SNE).
    """
    from sklearn.exceptions import NotFittedError

    try:
        return _answers(obj, rows, task_of(obj))
    except NotFittedError as error:
        raise InvalidInput(
            "not-fitted", f"{type(obj).__name__} is not fitted, or one of its steps is not",
            hint="fit it before it is committed, or update it with --fit DATA",
        ) from error  # fmt: skip
    except InvalidInput:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise _unfit(obj, error) from error


def signature_of(obj: Any, example: Any) -> Json | None:
    """`{"inputs": [...], "outputs": [...]}`; None without an example.

    Args:
        example: A frame or `Table` (an input for each column), or an array or list of rows (one
            input, `input`); a few rows are enough. Of a `Table` only those columns are listed
            that the estimator was fitted with, if it knows their names.

    Raises:
        InvalidInput: `bad-inputs`, `not-fitted`.
    """
    if example is None:
        return None
    if isinstance(example, list | tuple):
        example = np.asarray(example)
    rows = arranged(obj, example) if isinstance(example, Table) else example
    named = feature_names(obj)
    if isinstance(example, Table) and named is not None:
        example = example.select(named)
    inputs = [_described(name, column) for name, column in _columns(example)]
    outputs = [_described(name, found) for name, found in answers(obj, rows).items()]
    return {"inputs": inputs, "outputs": outputs}


def dtype_name(dtype: Any) -> str:
    """A dtype as signatures spell it: text of any width is `string`."""
    kind = getattr(dtype, "kind", "O")
    if kind in "OUST":
        return "string"
    return "datetime" if kind == "M" else str(dtype)


# --- asking ----------------------------------------------------------------------------------


def _answers(obj: Any, rows: Any, task: Task | None) -> dict[str, Array]:
    inner, rows = _past_the_steps(obj, rows)
    if task == "embedding" or not hasattr(inner, "predict"):
        if not hasattr(inner, "transform"):
            raise Unsupported(
                "no-predict", f"a {type(inner).__name__} can be fitted, but not asked for new rows",
                hint="commit an estimator with predict or transform",
            )  # fmt: skip
        return {"embedding": _dense(inner.transform(rows))}
    if task != "classification":
        name = "label" if task in ("clustering", "outliers") else "prediction"
        return {name: np.asarray(inner.predict(rows))}
    if not hasattr(inner, "predict_proba"):
        return {"label": np.asarray(inner.predict(rows))}
    chances = inner.predict_proba(rows)
    classes = classes_of(inner)
    if classes is not None and isinstance(chances, np.ndarray) and _labels_by_probability(inner):
        return {"label": classes.take(chances.argmax(axis=1)), "probability": chances}
    return {"label": np.asarray(inner.predict(rows)), **_probabilities(chances)}


def _past_the_steps(obj: Any, rows: Any) -> tuple[Any, Any]:
    """The last step of nested pipelines, and the rows as they reach it."""
    while is_pipeline(obj) and len(obj.steps) > 0 and is_estimator(obj.steps[-1][1]):
        if len(obj.steps) > 1:
            rows = obj[:-1].transform(rows)
        obj = obj.steps[-1][1]
    return obj, rows


def _labels_by_probability(inner: Any) -> bool:
    from modelyard.frameworks.interface import bases_of

    return not _BY_PROBABILITY.isdisjoint(bases_of(inner))


def _probabilities(chances: Any) -> dict[str, Array]:
    """Of several targets, an array each: they may differ in their classes."""
    if isinstance(chances, list):
        return {f"probability_{i}": np.asarray(each) for i, each in enumerate(chances)}
    return {"probability": np.asarray(chances)}


def _dense(found: Any) -> Array:
    return np.asarray(found.toarray() if hasattr(found, "toarray") else found)


def _unfit(obj: Any, error: Exception) -> InvalidInput:
    text = (str(error) or type(error).__name__).splitlines()[0]
    return InvalidInput(
        "bad-inputs", f"{type(obj).__name__} can't take these rows: {printable(text, 300)}",
        hint="give the columns that it was fitted with",
    )  # fmt: skip


# --- describing ------------------------------------------------------------------------------


def _columns(example: Any) -> list[tuple[str, Any]]:
    if isinstance(example, Table):
        return list(example.columns.items())
    if hasattr(example, "columns") and hasattr(example, "iloc"):
        return [(str(name), example.iloc[:, at]) for at, name in enumerate(example.columns)]
    return [(str(getattr(example, "name", None) or "input"), example)]


def _described(name: str, found: Any) -> Json:
    shape = getattr(found, "shape", (len(found),))
    return {"name": name, "dtype": dtype_name(found.dtype), "shape": [-1, *map(int, shape[1:])]}
