"""What a model takes and gives: rows arranged as its inputs, answers named by what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.table import Table
from modelyard.errors import InvalidInput
from modelyard.frameworks.keras.library import keras
from modelyard.frameworks.keras.savedmodel import SavedGraph

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.frameworks.interface import Json

__all__ = ["BATCH", "Spec", "answer", "arrange", "inputs_of", "role_of", "signature_of"]

BATCH = 1024
"""Rows that a model is asked for at once. It never varies: floating point sums may differ in the
last bits between sizes of a batch."""

_NUMBERS = ("linear", "relu", "softplus", "exponential")

_LACKING = ("bfloat16", "float8_e4m3fn", "float8_e5m2")

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Spec:
    """One input: its name, dtype, and the shape of a row (None: any length)."""

    name: str
    dtype: str
    row: tuple[int | None, ...]


def inputs_of(model: Any) -> tuple[Spec, ...]:
    """The inputs in the model's order; none for a model that learns its inputs when called."""
    if isinstance(model, SavedGraph):
        return tuple(
            Spec(name, spec.dtype.name, tuple(spec.shape)[1:]) for name, spec in model.specs.items()
        )
    tensors = getattr(model, "inputs", None) or ()
    return tuple(
        Spec(tensor._keras_history.operation.name, str(tensor.dtype), tuple(tensor.shape)[1:])
        for tensor in tensors
    )


def arrange(model: Any, table: Table, columns: Sequence[str] | None = None) -> list[Array]:
    """The rows as arrays, one for each input, in the model's order.

    A single input takes all columns (or `columns`) side by side, or the column of its name; several
    inputs take the columns of their names.

    Raises:
        InvalidInput: `no-column`, `not-numeric`, `bad-inputs`.
    """
    specs = inputs_of(model)
    if len(specs) > 1:
        chosen = table.select([spec.name for spec in specs])
        return [_fitted(chosen.select([spec.name]), spec) for spec in specs]
    if not specs:
        array = table.matrix()
        return [array.astype(np.float32) if array.dtype.kind == "f" else array]
    (spec,) = specs
    if columns is not None:
        table = table.select(columns)
    elif spec.name in table.names:
        table = table.select([spec.name])
    return [_fitted(table, spec)]


def _fitted(table: Table, spec: Spec) -> Array:
    """Columns as one array of the input's shape and dtype."""
    if spec.dtype == "string" and len(table.names) == 1:
        array = table.column(table.names[0])
    else:
        array = table.matrix()
    if array.ndim == 2 and len(table.names) == 1 and not spec.row:
        array = array[:, 0]
    if not _fits(array, spec):
        width = prod(array.shape[1:])
        if None in spec.row or prod(side or 0 for side in spec.row) != width:
            wanted = " x ".join("any" if side is None else str(side) for side in spec.row) or "1"
            raise InvalidInput(
                "bad-inputs",
                f"the input {spec.name!r} takes {wanted} values a row, the data has {width}",
                hint=f"columns given: {', '.join(table.names[:12])}",
            )
        array = array.reshape(len(array), *(side or 1 for side in spec.row))
    return _typed(array, spec)


def _fits(array: Array, spec: Spec) -> bool:
    row = array.shape[1:]
    return len(row) == len(spec.row) and all(
        side in (None, given) for side, given in zip(spec.row, row, strict=True)
    )


def _typed(array: Array, spec: Spec) -> Array:
    if spec.dtype == "string":
        return array.astype(object)
    wanted = np.dtype("float32" if spec.dtype == "bfloat16" else spec.dtype)
    if wanted.kind in "iu" and array.dtype.kind == "f" and (array != np.trunc(array)).any():
        raise InvalidInput("bad-inputs", f"the input {spec.name!r} takes whole numbers")
    return array.astype(wanted, copy=False)


def answer(model: Any, arrays: Sequence[Array]) -> dict[str, Array]:
    """Ask in batches of `BATCH` rows, and name what comes.

    One softmax output gives `probability` (rows x classes) and `label`, one sigmoid of width one
    the same of two classes, one number of a dense layer `prediction` (rows,). Anything else is
    called as the model's output layers are.

    Raises:
        InvalidInput: `bad-inputs`: the model refuses the rows.
    """
    rows = len(arrays[0])
    try:
        parts = [
            _asked(model, [array[start : start + BATCH] for array in arrays])
            for start in range(0, max(rows, 1), BATCH)
        ]
    except MemoryError:  # is not the rows' fault
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InvalidInput(
            "bad-inputs", f"the model refuses these rows: {lines[0][:300]}"
        ) from None
    outputs = {
        name: parts[0][name] if len(parts) == 1 else np.concatenate([part[name] for part in parts])
        for name in parts[0]
    }
    return _meant(outputs, role_of(model))


def _asked(model: Any, arrays: list[Array]) -> dict[str, Array]:
    if isinstance(model, SavedGraph):
        given = model(dict(zip(model.specs, arrays, strict=True)))
        return {name: _numpy(value) for name, value in sorted(given.items())}
    library = keras()
    packed = [library.ops.convert_to_tensor(array) for array in arrays]
    structure = getattr(model, "_inputs_struct", None)
    functional = getattr(model, "_functional", None)
    if functional is not None:
        structure = getattr(functional, "_inputs_struct", None)
    given = packed[0] if len(packed) == 1 else packed
    if structure is not None:
        given = library.tree.pack_sequence_as(structure, packed)
    result = model(given, training=False)
    values = library.tree.flatten(result)
    names = sorted(result) if isinstance(result, dict) else _output_names(model, len(values))
    return {name: _numpy(value) for name, value in zip(names, values, strict=True)}


def _output_names(model: Any, count: int) -> list[str]:
    """The names of the output layers; a layer with two outputs is numbered."""
    names: list[str] = []
    for tensor in getattr(model, "outputs", None) or ():
        name = tensor._keras_history.operation.name
        names.append(f"{name}_{len(names)}" if name in names else name)
    return names if len(names) == count else [f"output_{index}" for index in range(count)]


def _numpy(tensor: Any) -> Array:
    """A tensor as an array; small floats that numpy lacks as float32, which holds them exactly."""
    library = keras()
    if library.backend.standardize_dtype(tensor.dtype) in _LACKING:
        tensor = library.ops.cast(tensor, "float32")
    return np.asarray(library.ops.convert_to_numpy(tensor))


def role_of(model: Any) -> str | None:
    """What the single output means: `softmax`, `sigmoid`, `number`, or None if it can't be told."""
    tensors = [] if isinstance(model, SavedGraph) else getattr(model, "outputs", None) or []
    if len(tensors) != 1 or len(tensors[0].shape) != 2:
        return None
    layer = tensors[0]._keras_history.operation
    while getattr(layer, "outputs", None) and hasattr(layer, "layers"):
        layer = layer.outputs[0]._keras_history.operation
    last = type(layer).__name__
    activation = getattr(getattr(layer, "activation", None), "__name__", None)
    name = activation if last in ("Dense", "Activation") else last.lower()
    width = tensors[0].shape[-1]
    if name == "softmax" and width != 1:
        return "softmax"
    if width != 1:
        return None
    if name == "sigmoid":
        return "sigmoid"
    return "number" if last == "Dense" and name in _NUMBERS else None


def _meant(outputs: Mapping[str, Array], role: str | None) -> dict[str, Array]:
    if role is None:
        return dict(outputs)
    (values,) = outputs.values()
    if role == "number":
        return {"prediction": values[:, 0]}
    if role == "sigmoid":
        values = np.concatenate([1 - values, values], axis=1)
    return {"label": values.argmax(axis=1), "probability": values}


def signature_of(model: Any, example: Any) -> Json | None:
    """Inputs and outputs as the runtime takes and names them; -1 for rows and open sides.

    An example with columns (a data frame) gives an input for each column.
    """
    specs = inputs_of(model)
    inputs = [
        {"name": spec.name, "dtype": spec.dtype, "shape": _open(("rows", *spec.row))}
        for spec in specs
    ]
    if example is None:
        return None
    table, named = _table(example, specs)
    columns = None
    if (named and len(specs) <= 1) or not specs:
        columns = table.names if named else None
        inputs = [_described(name, column) for name, column in table.columns.items()]
    outputs = answer(model, arrange(model, table, columns))
    return {
        "inputs": inputs,
        "outputs": [_described(name, value) for name, value in outputs.items()],
    }


def _table(example: Any, specs: Sequence[Spec]) -> tuple[Table, bool]:
    """An example as columns, and whether it named them itself."""
    if isinstance(example, Table):
        return example, True
    if hasattr(example, "columns") and hasattr(example, "to_numpy"):
        columns = {str(name): example[name].to_numpy() for name in example.columns}
        return Table(columns), True
    if hasattr(example, "items"):
        return Table({str(name): np.asarray(value) for name, value in example.items()}), True
    if isinstance(example, list | tuple) and len(specs) == len(example) > 1:
        pairs = zip(specs, example, strict=True)
        return Table({spec.name: np.asarray(value) for spec, value in pairs}), False
    name = specs[0].name if specs else "input"
    return Table({name: np.asarray(example)}), False


def _described(name: str, array: Array) -> Json:
    dtype = "string" if array.dtype.kind in "OSU" else array.dtype.name
    return {"name": name, "dtype": dtype, "shape": [-1, *array.shape[1:]]}


def _open(shape: Sequence[Any]) -> list[int]:
    return [side if isinstance(side, int) else -1 for side in shape]
