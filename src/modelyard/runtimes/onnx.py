"""Predicting with ONNX models by onnxruntime, on the CPU, without operators of others."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.extras import need
from modelyard.errors import InvalidInput
from modelyard.formats.reading import bad, printable
from modelyard.frameworks.onnx.reading import classes_of, named_outputs
from modelyard.frameworks.onnx.saving import write
from modelyard.frameworks.onnx.sizes import LIMIT, size_of
from modelyard.frameworks.onnx.walking import is_external, library, tensors
from modelyard.runtimes.interface import About, Array, Prediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.core.table import Table

__all__ = ["open"]

_DTYPES = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16",
    "tensor(int64)": "int64", "tensor(int32)": "int32", "tensor(int16)": "int16",
    "tensor(int8)": "int8", "tensor(uint64)": "uint64", "tensor(uint32)": "uint32",
    "tensor(uint16)": "uint16", "tensor(uint8)": "uint8", "tensor(bool)": "bool",
    "tensor(string)": "object",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Input:
    name: str
    dtype: str
    shape: tuple[int | None, ...] | None
    """None for a side that may vary."""


class _Runtime:
    def __init__(self, model: Any, signature: Any, threads: int | None) -> None:
        self._threads = threads
        self._folder: TemporaryDirectory[str] | None = None
        self._words = named_outputs(model)
        self._classes = classes_of(model)
        self._session = self._opened(_unzipped(model, self._words))
        self._inputs = [_input(given) for given in self._session.get_inputs()]
        self._outputs = [given.name for given in self._session.get_outputs()]
        self._columns = _columns(signature, self._inputs)
        words = self._words.values()
        self.about = About(
            framework="onnx",
            task="classification" if "label" in words
            else "regression" if "prediction" in words else None,
            classes=self._classes if "label" in words else None,
            features=self._columns, signature=signature,
        )  # fmt: skip

    def __enter__(self) -> _Runtime:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _opened(self, model: Any) -> Any:
        runtime = need("onnxruntime", "onnx")
        options = runtime.SessionOptions()
        options.log_severity_level = 4
        if self._threads is not None:
            options.intra_op_num_threads = self._threads
        if size_of(model) <= LIMIT:
            source: bytes | str = model.SerializeToString()
        else:
            self._folder = TemporaryDirectory(prefix="modelyard-onnx-")
            source = str(write(model, Path(self._folder.name), LIMIT))
        try:
            return runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no common class
            self.close()
            raise bad("not-loadable", f"onnxruntime can't load it: {_reason(error)}") from None

    def feeds(self, inputs: Table) -> dict[str, Array]:
        """Rows as the graph takes them, by the names of its inputs. InvalidInput as `predict`."""
        return _feeds(inputs, self._inputs, self._columns)

    def predict(self, inputs: Table) -> Prediction:
        feeds = self.feeds(inputs)
        begin = time.perf_counter()
        try:
            found = self._session.run(None, feeds)
        except Exception as error:  # the same
            message = f"onnxruntime can't take these rows: {_reason(error)}"
            raise InvalidInput("bad-inputs", message) from None
        seconds = time.perf_counter() - begin
        outputs = zip(self._outputs, found, strict=True)
        return Prediction({self._words.get(n, n): self._array(n, v) for n, v in outputs}, seconds)

    def _array(self, name: str, value: Any) -> Array:
        word = self._words.get(name)
        if not isinstance(value, np.ndarray):
            return _zipped_rows(value, self._classes)
        if word in ("label", "prediction") and value.ndim == 2 and value.shape[1] == 1:
            return value[:, 0]
        return value

    def close(self) -> None:
        self._session = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def open(obj: Any, signature: Any, threads: int | None = None) -> _Runtime:
    """Make a ModelProto answer.

    Args:
        threads: For one call; onnxruntime's own choice if None.

    Raises:
        InvalidInput: `not-loadable`: onnxruntime refuses it, or its weights were not loaded.
    """
    if any(map(is_external, tensors(obj))):
        raise bad("not-loadable", "weights of the model were not loaded")
    return _Runtime(obj, signature, threads)


def _unzipped(model: Any, words: dict[str, str]) -> Any:
    """The model giving probabilities as rows, not as a list of objects, which is slow.

    `words` follows the name of the output.
    """
    zips = [node for node in model.graph.node if node.op_type == "ZipMap" and len(node.input) == 1]
    ends = {node.output[0]: node.input[0] for node in zips if words.get(node.output[0])}
    if len(ends) != 1:
        return model
    ((end, begin),) = ends.items()
    onnx = library()
    found = onnx.ModelProto()
    found.CopyFrom(model)
    for index, node in enumerate(found.graph.node):
        if node.op_type == "ZipMap" and end in node.output:
            del found.graph.node[index]
            break
    for value in found.graph.output:
        if value.name == end:
            value.CopyFrom(onnx.helper.make_tensor_value_info(
                begin, onnx.TensorProto.FLOAT, None
            ))  # fmt: skip
    words[begin] = words.pop(end)
    return found


def _input(given: Any) -> _Input:
    sides = tuple(side if isinstance(side, int) else None for side in given.shape)
    return _Input(given.name, _DTYPES.get(given.type, given.type), sides)


def _columns(signature: Any, inputs: Sequence[_Input]) -> tuple[str, ...] | None:
    """Names of the columns: those of the signature where the graph takes them as one matrix."""
    if len(inputs) > 1:
        return tuple(given.name for given in inputs)
    try:
        names = tuple(str(entry["name"]) for entry in signature["inputs"])
    except (TypeError, KeyError):
        return None
    return names if len(names) > 1 else None


def _feeds(
    table: Table, inputs: Sequence[_Input], columns: tuple[str, ...] | None
) -> dict[str, Array]:
    if len(inputs) > 1 or inputs[0].name in table.names:
        chosen = table.select([given.name for given in inputs])
        return {given.name: _cast(chosen.columns[given.name], given) for given in inputs}
    only = inputs[0]
    flat = next(iter(table.columns.values())).ndim == 1 or len(table.names) > 1
    if columns is not None and flat:
        table = table.select(list(columns))
    if only.dtype == "object":
        texts = [np.asarray(column, object) for column in table.columns.values()]
        return {only.name: _cast(np.column_stack(texts), only)}
    return {only.name: _cast(table.matrix(), only)}


def _cast(column: Array, given: _Input) -> Array:
    """A column as the graph wants it, if that loses nothing but digits."""
    shape = given.shape
    if shape is not None and len(shape) == 2 and column.ndim == 1:
        column = column.reshape(-1, 1)
    if given.dtype == "object":
        if column.dtype.kind not in "OU":
            raise InvalidInput("bad-inputs", f"{given.name} takes text, not {column.dtype}")
        texts = ["" if item is None else str(item) for item in column.ravel()]
        return np.array(texts, object).reshape(column.shape)
    if column.dtype.kind not in "biuf":
        raise InvalidInput(
            "not-numeric", f"{given.name} takes {given.dtype}, not {column.dtype}",
            hint="drop or encode such columns",
        )  # fmt: skip
    if given.dtype not in _DTYPES.values():
        raise InvalidInput("bad-inputs", f"{given.name} takes {given.dtype}, which no table holds")
    with np.errstate(invalid="ignore", over="ignore"):
        found = column.astype(given.dtype)
    if found.dtype.kind != "f" and not np.array_equal(found, column):
        raise InvalidInput("bad-inputs", f"{given.name} takes {given.dtype}; values would change")
    return found


def _zipped_rows(value: Any, classes: Array | None) -> Array:
    """A list of objects, one for each row, as rows in the order of the classes."""
    try:
        keys = list(value[0]) if classes is None else classes.tolist()
        return np.array([[row[key] for key in keys] for row in value])
    except (TypeError, KeyError, IndexError, ValueError):
        raise InvalidInput(
            "bad-inputs", f"an output is a {type(value).__name__}, no array of rows"
        ) from None


def _reason(error: Exception) -> str:
    """The sentence of onnxruntime without its code and place."""
    text = str(error).strip().split("\n")[0]
    return printable(text.rpartition(" : ")[2] or text, 200)
