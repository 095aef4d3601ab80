"""Predicting with modules of torch: numpy in, numpy out, in evaluation and inference mode."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidInput
from modelyard.frameworks.torch.calls import call, callable_of, input_tensor, last_layer
from modelyard.frameworks.torch.calls import named_outputs as outputs_of
from modelyard.runtimes.interface import About, Prediction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.table import Table
    from modelyard.runtimes.interface import Array

__all__ = ["BATCH", "TorchRuntime", "open"]

BATCH = 256
"""Rows at a time: always cut so, that the same rows give the same bits."""

_CLASSIFIERS = ("Softmax", "LogSoftmax")


def open(obj: Any, signature: Any) -> TorchRuntime:
    """Make a module or an exported program answer. Unsupported `no-predict`: it is neither."""
    return TorchRuntime(callable_of(obj), signature)


class TorchRuntime:
    """A module that answers for rows."""

    def __init__(self, module: Any, signature: Any) -> None:
        self._module = module
        self._inputs = _inputs_of(signature)
        task = "classification" if _classifies(module, signature) else None
        by_column = self._inputs and all(len(shape) == 1 for shape in self._inputs.values())
        features = tuple(self._inputs) if by_column else None
        classes = _classes(signature) if task else None
        self.about = About("torch", task, classes, features, signature)

    def predict(self, inputs: Table) -> Prediction:
        """Outputs as `named_outputs` calls them; columns as the signature says, else all."""
        args, kwargs = self.arguments(inputs)
        begun = time.perf_counter()
        parts = [
            outputs_of(self._module, call(self._module, *_cut(args, kwargs, start)))
            for start in range(0, max(len(inputs), 1), BATCH)
        ]
        seconds = time.perf_counter() - begun
        found = {name: _joined([part[name] for part in parts]) for name in parts[0]}
        for name, values in found.items():
            if values.ndim == 0 or len(values) != len(inputs):
                raise InvalidInput(
                    "bad-inputs", f"{name} has shape {list(values.shape)} for {len(inputs)} rows",
                    hint="the first axis of every output must be the row",
                )  # fmt: skip
        return Prediction(found, seconds)

    def close(self) -> None:
        """Forget the module."""
        self._module = None

    def arguments(self, table: Table) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What the module is called with for these rows: by place, and by name."""
        names = list(self._inputs)
        if self.about.features:
            here = all(name in table.columns for name in names)
            rows = table.select(names) if here or len(table.names) > len(names) else table
            return (input_tensor(self._module, rows.matrix()),), {}
        if len(names) == 1 or not names:
            only = names[0] if names and names[0] in table.columns else None
            rows = table.select([only]) if only else table
            return (input_tensor(self._module, rows.matrix()),), {}
        values = {name: input_tensor(self._module, table.column(name)) for name in names}
        if all(name == f"input_{place}" for place, name in enumerate(names)):
            return tuple(values.values()), {}
        return (), values


def _cut(
    args: tuple[Any, ...], kwargs: dict[str, Any], start: int
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    rows = slice(start, start + BATCH)
    return tuple(arg[rows] for arg in args), {name: arg[rows] for name, arg in kwargs.items()}


def _joined(parts: list[Array]) -> Array:
    if len(parts) == 1 or parts[0].ndim == 0:
        return parts[0]
    return np.concatenate(parts)


def _inputs_of(signature: Any) -> dict[str, list[int]]:
    """Names and shapes of a signature; nothing where there is none."""
    inputs = signature.get("inputs") if isinstance(signature, dict) else None
    if not isinstance(inputs, list):
        return {}
    return {str(entry["name"]): list(entry["shape"]) for entry in inputs}


def _classifies(module: Any, signature: Any) -> bool:
    """Whether the module says so; one number for each row may be a value as well as a logit."""
    last = last_layer(module)
    return last in _CLASSIFIERS or (last == "Sigmoid" and _classes(signature) is not None)


def _classes(signature: Mapping[str, Any] | None) -> Array | None:
    """As many as `probability` has columns."""
    for output in (signature or {}).get("outputs", ()):
        if output["name"] == "probability":
            return np.arange(output["shape"][-1])
    return None
