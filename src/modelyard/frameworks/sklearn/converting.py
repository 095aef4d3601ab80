"""Estimators as ONNX models, with a measure of how far the two agree."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.extras import need
from modelyard.core.table import Table
from modelyard.errors import InvalidInput
from modelyard.formats.reading import printable
from modelyard.frameworks.sklearn.answers import answers
from modelyard.frameworks.sklearn.inputs import arranged, feature_names

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.frameworks.interface import Files, Json

__all__ = ["convert", "load_proto"]

_ROWS = 1000
_MADE_UP = 200
_OPSETS = {"": 18, "ai.onnx.ml": 3}
"""What onnxruntime has run since 2023, and the newest trees that every converter can write."""


def convert(obj: Any, place: Path, example: Any) -> Json:
    """Write an ONNX model and ask both for the same rows.

    Numbers become float32, as ONNX runtimes want them; a frame has one input for each column.
    What tells no probabilities has labels alone: a graph's scores would be taken for probabilities.
    Without `example`, rows of normally distributed numbers stand in for it, since an estimator
    does not keep what it was fitted on: `example` tells how the two agree on data like yours.

    Returns:
        `{"rows", "example": whether they were given, "max_difference": the largest of numbers and
        probabilities, "labels_equal": the share of equal labels, or None without labels}`.

    Raises:
        InvalidInput: `not-savable`, also where no rows can be made up.
    """
    skl2onnx = need("skl2onnx", "onnx")
    rows = _made_up(obj) if example is None else _given(obj, example)
    inputs = _inputs(rows)
    try:
        model = _converted(skl2onnx, obj, obj, inputs)
    except InvalidInput:
        if len(inputs) == 1:
            raise
        model = _converted(skl2onnx, obj, _joining_columns(obj, rows), inputs)
    _rename_inputs(model.graph, list(inputs))
    _only_what_it_tells(model.graph, obj)
    model.metadata_props.add(key="class", value=f"{type(obj).__module__}.{type(obj).__qualname__}")
    content = model.SerializeToString()
    parity = {"rows": len(rows), "example": example is not None, **_parity(obj, content, rows)}
    place.write_bytes(content)
    return parity


def _converted(skl2onnx: Any, obj: Any, whole: Any, inputs: dict[str, Any]) -> Any:
    """`whole` as ONNX: the estimator, or a pipeline around it."""
    types = [(name, _kind(column)) for name, column in inputs.items()]

    def asked(options: dict[int, dict[str, bool]]) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of converters about the libraries below them
            return skl2onnx.to_onnx(
                whole, initial_types=types, options=options, target_opset=_OPSETS
            )

    try:
        try:
            return asked(_options(obj))
        except NameError as error:
            if "'zipmap'" not in str(error):
                raise
            return asked({id(_last(obj)): {}})  # LinearSVC has no such option, nor maps
    except Exception as error:  # each converter raises as it likes
        raise _not_savable(obj, _first_line(error)) from error


def _last(obj: Any) -> Any:
    from modelyard.frameworks.sklearn.steps import is_pipeline

    while is_pipeline(obj) and len(obj.steps) > 0:
        obj = obj.steps[-1][1]
    return obj


def _only_what_it_tells(graph: Any, obj: Any) -> None:
    """Classifiers without probabilities give labels; skl2onnx adds scores, called probabilities."""
    from sklearn.base import is_classifier

    if is_classifier(obj) and not hasattr(obj, "predict_proba") and len(graph.output) == 2:
        del graph.output[1]


def _joining_columns(obj: Any, rows: Any) -> Any:
    """A pipeline that puts columns side by side first: most converters take one matrix."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    join = ColumnTransformer([("all", "passthrough", list(range(rows.shape[1])))]).fit(rows)
    return Pipeline([("join", join), ("model", obj)])


def _rename_inputs(graph: Any, names: list[str]) -> None:
    """The columns' own names again: skl2onnx spells them without `/` and spaces."""
    if len(graph.input) != len(names):
        return
    own = {entry.name: name for entry, name in zip(graph.input, names, strict=True)}
    for entry in graph.input:
        entry.name = own[entry.name]
    for node in graph.node:
        for at, name in enumerate(node.input):
            if name in own:
                node.input[at] = own[name]


def load_proto(files: Files, path: str) -> Any:
    """The `onnx.ModelProto`, which can't run anything by itself. InvalidInput: `not-loadable`."""
    onnx = need("onnx", "onnx")
    content = files.read(path)
    try:
        return onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's DecodeError is a class of its C library
        raise InvalidInput(
            "not-loadable", f"{path} is no ONNX model: {_first_line(error)}",
            hint="it was damaged before it was committed",
        ) from error  # fmt: skip


# --- rows ------------------------------------------------------------------------------------


def _given(obj: Any, example: Any) -> Any:
    rows = arranged(obj, example) if isinstance(example, Table) else example
    if isinstance(rows, list | tuple):
        rows = np.asarray(rows)
    return rows[:_ROWS]


def _made_up(obj: Any) -> Any:
    count = getattr(obj, "n_features_in_", None)
    if count is None or (_takes_text(obj) and feature_names(obj) is not None):
        raise _not_savable(obj, "its columns can't be made up: give example= with a few rows")
    rows = np.random.default_rng(0).normal(size=(_MADE_UP, count)).astype(np.float32)
    names = feature_names(obj)
    return rows if names is None else Table(dict(zip(names, rows.T, strict=True))).frame()


def _takes_text(obj: Any) -> bool:
    from modelyard.frameworks.sklearn.steps import children

    return any(
        hasattr(child, "categories_") or _takes_text(child) for _, child, _ in children(obj)
    ) or bool(hasattr(obj, "categories_"))


def _inputs(rows: Any) -> dict[str, Any]:
    """By the name of each ONNX input: columns of a frame as (rows, 1), else all as one."""
    if hasattr(rows, "iloc"):
        return {str(name): _typed(rows[name].to_numpy()[:, None]) for name in rows.columns}
    rows = _typed(np.asarray(rows))
    return {"input": rows[:, None] if rows.ndim == 1 else rows}


def _typed(values: Any) -> Any:
    return values.astype(np.float32) if values.dtype.kind in "biuf" else values.astype(str)


def _kind(values: Any) -> Any:
    types = need("skl2onnx.common.data_types", "onnx")
    kind = types.FloatTensorType if values.dtype.kind == "f" else types.StringTensorType
    return kind([None, *values.shape[1:]])


def _options(obj: Any) -> dict[int, dict[str, bool]]:
    """Probabilities as one array instead of a list of dicts."""
    from sklearn.base import is_classifier

    return {id(obj): {"zipmap": False}} if is_classifier(obj) else {}


# --- parity ----------------------------------------------------------------------------------


def _parity(obj: Any, content: bytes, rows: Any) -> Json:
    onnxruntime = need("onnxruntime", "onnx")
    feeds = {name: _fed(values) for name, values in _inputs(rows).items()}
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            content, settings, providers=["CPUExecutionProvider"]
        )
        found = session.run(None, feeds)
    except Exception as error:  # onnxruntime's own classes, one for each status
        raise _not_savable(obj, f"onnxruntime refuses it: {_first_line(error)}") from error
    wanted = list(answers(obj, rows).values())
    largest, equal = 0.0, None
    for ours, theirs in zip(wanted, found, strict=False):
        theirs = np.asarray(theirs).reshape(ours.shape)
        if ours.dtype.kind == "f":
            difference = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
            largest = max(largest, float(np.nan_to_num(difference, nan=0.0).max(initial=0.0)))
        else:
            equal = float(np.mean(ours.astype(str) == theirs.astype(str)))
    return {"max_difference": largest, "labels_equal": equal}


def _fed(values: Any) -> Any:
    return values if values.dtype.kind == "f" else values.astype(object)


def _not_savable(obj: Any, reason: str) -> InvalidInput:
    return InvalidInput(
        "not-savable", f"a {type(obj).__name__} can't be converted to ONNX: {reason}",
        hint="serializer='skops' keeps any estimator, and is the default",
    )  # fmt: skip


def _first_line(error: BaseException) -> str:
    text = (str(error) or type(error).__name__).strip()
    return printable(text.splitlines()[0], 300)
