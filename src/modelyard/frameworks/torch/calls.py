"""Calling a module with rows: what goes in, and what its outputs are called."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.table import Table
from modelyard.errors import InvalidInput, Unsupported
from modelyard.formats.reading import printable
from modelyard.frameworks.torch.kinds import kind_of, module_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "call", "callable_of", "input_tensor", "last_layer", "named_outputs", "quiet", "signature",
    "traced_inputs",
]  # fmt: skip

Json = Any
Array = np.ndarray[Any, Any]

_INDEXED = ("Embedding", "EmbeddingBag")
_PROBABILITIES = ("Softmax", "LogSoftmax", "Sigmoid")


def signature(obj: Any, example: Any) -> Json | None:
    """Inputs and outputs, found by predicting the example; None for a dict of tensors."""
    if kind_of(obj) == "state":
        return None
    module = callable_of(obj)
    outputs = named_outputs(module, call(module, *inputs_of(module, example)))
    return {
        "inputs": [_told(name, value) for name, value in _named_inputs(example)],
        "outputs": [_told(name, value) for name, value in outputs.items()],
    }


def callable_of(obj: Any) -> Any:
    """The module to call. Unsupported `no-predict` for a dict of tensors."""
    kind = kind_of(obj)
    if kind == "state":
        raise Unsupported(
            "no-predict", "a dict of tensors can't predict",
            hint="load(into=Net()) fills a module; commit the module itself to predict with it",
        )  # fmt: skip
    return obj.module() if kind == "program" else module_of(obj)


def call(module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """What the module says, in evaluation mode; it is left as it was.

    Raises:
        InvalidInput: `bad-inputs`: it can't take them.
    """
    import torch

    modes = {path: part.training for path, part in module.named_modules()}
    try:
        _evaluate(module)
        with torch.inference_mode(), quiet():
            return module(*args, **kwargs)
    except (InvalidInput, MemoryError):
        raise
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InvalidInput(
            "bad-inputs", f"the module can't take these inputs: {printable(reason)}"
        ) from error
    finally:
        for path, part in module.named_modules():
            part.training = modes[path]


def inputs_of(module: Any, example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments out of rows: a table or frame, an array or tensor, or several by place or name."""
    import torch

    if isinstance(example, Table):
        return (input_tensor(module, example.matrix()),), {}
    if hasattr(example, "columns") and hasattr(example, "to_numpy"):
        return (input_tensor(module, example.to_numpy()),), {}
    if isinstance(example, Mapping):
        return (), {name: input_tensor(module, value) for name, value in example.items()}
    if isinstance(example, tuple) or (
        isinstance(example, list) and example and isinstance(example[0], torch.Tensor | np.ndarray)
    ):
        return tuple(input_tensor(module, value) for value in example), {}
    return (input_tensor(module, example),), {}


def traced_inputs(module: Any, example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The same with at least two rows: a single one would be taken for a constant."""
    import torch

    def grown(value: Any) -> Any:
        value = value.contiguous().clone()
        return torch.cat([value, value]) if value.ndim and len(value) == 1 else value

    args, kwargs = inputs_of(module, example)
    return tuple(map(grown, args)), {name: grown(value) for name, value in kwargs.items()}


def input_tensor(module: Any, value: Any) -> Any:
    """Rows as a tensor that the module's first layer takes.

    Whole numbers stay so for an embedding; all other numbers get the dtype of its weights.

    Raises:
        InvalidInput: `not-numeric`, `bad-inputs`.
    """
    import torch

    if isinstance(value, torch.Tensor):
        tensor = value.detach()
    else:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise InvalidInput(
                "not-numeric", "a torch module takes numbers",
                hint="encode texts before they come here",
            )  # fmt: skip
        native = array.astype(array.dtype.newbyteorder("="), copy=False)
        tensor = torch.from_numpy(np.array(native))
    if _takes_indices(module):
        if tensor.is_floating_point() and not bool((tensor == tensor.round()).all()):
            raise InvalidInput("bad-inputs", "the module looks up rows: it takes whole numbers")
        return tensor.long()
    if isinstance(value, torch.Tensor) and not tensor.is_floating_point():
        return tensor
    return tensor.to(_dtype(module))


def named_outputs(module: Any, raw: Any) -> dict[str, Array]:
    """Outputs by name: `output`, `output_0`, ..., or the keys of a dict.

    The one output of a module whose last layer is Softmax, LogSoftmax or Sigmoid becomes
    `probability` and `label`. Any other output with one number for a row is `prediction`, shape
    (rows,): a value or a logit, which the module alone does not tell apart.
    """
    last = last_layer(module)
    if last in _PROBABILITIES and hasattr(raw, "ndim"):
        values = raw.reshape(-1, 1) if last == "Sigmoid" and raw.ndim == 1 else raw
        if values.ndim == 2:
            return _classified(_array(values), last)
    if isinstance(raw, Mapping):
        found = {str(name): _array(value) for name, value in raw.items() if value is not None}
    elif isinstance(raw, tuple | list):
        flat = list(_flat(raw))
        names = ["output"] if len(flat) == 1 else [f"output_{i}" for i in range(len(flat))]
        found = {name: _array(value) for name, value in zip(names, flat, strict=True)}
    else:
        found = {"output": _array(raw)}
    if not isinstance(raw, Mapping) and len(found) == 1 and _is_column(found["output"]):
        return {"prediction": found["output"].reshape(-1)}
    return found


def last_layer(module: Any) -> str | None:
    """The class of the layer that a Sequential ends with; else None."""
    while type(module).__name__ == "Sequential" and len(module):
        module = module[-1]
        if not type(module).__module__.startswith("torch.nn.modules."):
            return None
    name = type(module).__name__
    return name if type(module).__module__.startswith("torch.nn.modules.") else None


@contextmanager
def quiet(places: str = r"torch\.") -> Iterator[None]:
    """torch's advice to whoever wrote a module is not for those who use it."""
    with warnings.catch_warnings():
        for category in (UserWarning, FutureWarning, DeprecationWarning):
            warnings.filterwarnings("ignore", category=category, module=places)
        warnings.filterwarnings("ignore", message=".*nested_tensor.*", category=UserWarning)
        yield


def _evaluate(module: Any) -> None:
    """Like `eval()`, which exported modules do not have."""
    for part in module.modules():
        part.training = False


def _classified(values: Array, last: str) -> dict[str, Array]:
    probability = np.exp(values) if last == "LogSoftmax" else values
    if last == "Sigmoid":
        if probability.shape[1] != 1:
            return {"output": values}
        probability = np.concatenate([1 - probability, probability], axis=1)
    return {"probability": probability, "label": probability.argmax(axis=1).astype(np.int64)}


def _is_column(values: Array) -> bool:
    """One number for each row."""
    one = values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)
    return one and values.dtype.kind == "f"


def _flat(raw: Any) -> Iterator[Any]:
    for value in raw:
        if isinstance(value, tuple | list):
            yield from _flat(value)
        elif value is not None:
            yield value


def _array(value: Any) -> Array:
    import torch

    if not isinstance(value, torch.Tensor):
        raise Unsupported(
            "no-predict", f"the module gives a {type(value).__name__}, no tensors by name"
        )
    plain = value.detach().cpu()
    if plain.dtype in (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2):
        plain = plain.float()
    found: Array = plain.numpy()
    return found


def _takes_indices(module: Any) -> bool:
    """Whether the first layer with weights looks up rows of a table."""
    for part in module.modules():
        if part._parameters:
            return type(part).__name__ in _INDEXED
    return False


def _dtype(module: Any) -> Any:
    import torch

    for parameter in module.parameters():
        if parameter.is_floating_point():
            return parameter.dtype
    return torch.float32


def _named_inputs(example: Any) -> list[tuple[str, Array]]:
    if isinstance(example, Table):
        return list(example.columns.items())
    if hasattr(example, "columns") and hasattr(example, "to_numpy"):
        return [(str(name), example[name].to_numpy()) for name in example.columns]
    if isinstance(example, Mapping):
        return [(str(name), np.asarray(value)) for name, value in example.items()]
    if isinstance(example, tuple):
        return [(f"input_{i}", np.asarray(value)) for i, value in enumerate(example)]
    return [("input", np.asarray(example))]


def _told(name: str, value: Array) -> dict[str, Json]:
    return {"name": name, "dtype": value.dtype.name, "shape": [-1, *value.shape[1:]]}
