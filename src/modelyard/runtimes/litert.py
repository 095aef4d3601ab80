"""Predicting with LiteRT graphs, by the interpreter of ai-edge-litert or of TensorFlow."""

from __future__ import annotations

import time
import warnings
from contextlib import suppress
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.extras import need
from modelyard.errors import InvalidInput, Unsupported
from modelyard.formats.reading import bad, printable
from modelyard.runtimes.interface import About, Array, Prediction

if TYPE_CHECKING:
    from modelyard.core.table import Table

__all__ = ["open"]

_PREFIX, _SUFFIX = "serving_default_", ":0"


class _Runtime:
    def __init__(self, content: bytes, signature: Any) -> None:
        self._interpreter = _interpreter(content)
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()
        self._rows = 0
        self._meaning = _meaning(signature, self._outputs)
        self._columns = _columns(signature, self._inputs)
        classes = None
        if self._meaning == "probability":
            width = int(self._outputs[0]["shape"][-1])
            classes = np.arange(max(width, 2))
        tasks = {"probability": "classification", "prediction": "regression"}
        self.about = About(
            "litert", tasks.get(self._meaning or ""), classes, self._columns, signature
        )

    def __enter__(self) -> _Runtime:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def predict(self, inputs: Table) -> Prediction:
        arrays = [self._array(inputs, each) for each in self._inputs]
        begin = time.perf_counter()
        try:
            found = self._asked(arrays)
        except (RuntimeError, ValueError) as error:
            message = printable(str(error).strip().split("\n")[0], 200)
            raise InvalidInput("bad-inputs", f"LiteRT can't take these rows: {message}") from None
        return Prediction(self._named(found), time.perf_counter() - begin)

    def _asked(self, arrays: list[Array]) -> list[Array]:
        rows = len(arrays[0])
        if rows != self._rows:
            for each, array in zip(self._inputs, arrays, strict=True):
                self._interpreter.resize_tensor_input(each["index"], array.shape)
            self._interpreter.allocate_tensors()
            self._rows = rows
        for each, array in zip(self._inputs, arrays, strict=True):
            self._interpreter.set_tensor(each["index"], array)
        self._interpreter.invoke()
        return [
            _floats(self._interpreter.get_tensor(each["index"]), each) for each in self._outputs
        ]

    def _array(self, table: Table, given: Any) -> Array:
        """Columns as the input wants them: by its name, else all side by side."""
        name = _plain(given["name"])
        if len(self._inputs) > 1 or name in table.names:
            values = table.select([name]).matrix()
        else:
            values = table.matrix() if self._columns is None else (
                table.select(self._columns).matrix()
            )  # fmt: skip
        row = [int(side) for side in given["shape_signature"][1:]]
        if list(values.shape[1:]) != row and -1 not in row:
            if prod(values.shape[1:]) != prod(row):
                width = prod(values.shape[1:])
                raise InvalidInput(
                    "bad-inputs", f"the input {printable(name, 60)} takes {prod(row)} values a "
                    f"row, the data has {width}",
                )  # fmt: skip
            values = values.reshape(len(values), *row)
        return _counted(values, given)

    def _named(self, found: list[Array]) -> dict[str, Array]:
        if self._meaning == "prediction":
            return {"prediction": found[0][:, 0]}
        if self._meaning == "probability":
            values = found[0]
            if values.shape[1] == 1:
                values = np.concatenate([1 - values, values], axis=1)
            return {"label": values.argmax(axis=1), "probability": values}
        names = [_plain(each["name"]) for each in self._outputs]
        return dict(zip(names, found, strict=True))

    def close(self) -> None:
        self._interpreter = None


def open(obj: Any, signature: Any) -> _Runtime:
    """Make a LiteRT graph answer.

    Outputs have the names of the signature where it tells `label` and `probability`, or
    `prediction`, and the graph has one output.

    Raises:
        Unsupported: `no-extra`: there is no interpreter.
        InvalidInput: `not-loadable`: the interpreter refuses it.
    """
    return _Runtime(obj.content, signature)


def _interpreter(content: bytes) -> Any:
    library = _library()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of TensorFlow: that its interpreter moves elsewhere
            found = library.Interpreter(model_content=content, num_threads=1)
        found.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        message = printable(str(error).strip().split("\n")[0], 200)
        raise bad("not-loadable", f"LiteRT can't load it: {message}") from None
    return found


def _library() -> Any:
    """The small package if it is there, else TensorFlow's copy of it."""
    for module in ("ai_edge_litert.interpreter", "tensorflow"):
        with suppress(Unsupported):
            found = need(module, "keras")
            return found.lite if module == "tensorflow" else found
    raise Unsupported(
        "no-extra", "LiteRT graphs need an interpreter to predict",
        hint="pip install ai-edge-litert, or tensorflow",
    )  # fmt: skip


def _meaning(signature: Any, outputs: Any) -> str | None:
    """`probability` or `prediction`, if the signature says what the one output means."""
    try:
        names = [str(each["name"]) for each in signature["outputs"]]
    except (TypeError, KeyError):
        return None
    if len(outputs) != 1 or len(outputs[0]["shape"]) != 2:
        return None
    if set(names) == {"label", "probability"}:
        return "probability"
    return "prediction" if names == ["prediction"] else None


def _columns(signature: Any, inputs: Any) -> tuple[str, ...] | None:
    """Columns that the model was committed with, where its own inputs do not name them."""
    if len(inputs) > 1:
        return tuple(_plain(each["name"]) for each in inputs)
    try:
        names = tuple(str(each["name"]) for each in signature["inputs"])
    except (TypeError, KeyError):
        return None
    return None if len(names) == 1 else names


def _plain(name: str) -> str:
    """A name without what the converter puts around it."""
    return name.removeprefix(_PREFIX).removesuffix(_SUFFIX)


def _counted(values: Array, given: Any) -> Array:
    """Rows in the dtype of the input; of graphs in 8 bits also in its steps."""
    scale, zero = given["quantization"]
    dtype = np.dtype(given["dtype"])
    if dtype.kind in "iu" and scale and values.dtype.kind == "f":
        limits = np.iinfo(dtype)
        values = np.clip(np.round(values / scale) + zero, limits.min, limits.max)
    return np.ascontiguousarray(values.astype(dtype))


def _floats(values: Array, given: Any) -> Array:
    scale, zero = given["quantization"]
    if values.dtype.kind in "iu" and scale:
        return np.asarray((values.astype(np.float32) - zero) * np.float32(scale))
    return values
