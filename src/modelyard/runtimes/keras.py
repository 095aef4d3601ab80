"""Predicting with Keras models and SavedModels.

The model is called (`training=False`) in batches of 1,024 rows; `Model.predict` would cost a
quarter of a second before its first row.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.frameworks.keras.tensors import answer, arrange, inputs_of, role_of
from modelyard.runtimes.interface import About, Prediction

if TYPE_CHECKING:
    from modelyard.core.table import Table

__all__ = ["KerasRuntime", "open"]

_TASKS = {"softmax": "classification", "sigmoid": "classification", "number": "regression"}


class KerasRuntime:
    """A loaded model that answers."""

    def __init__(self, model: Any, signature: Any) -> None:
        self._model = model
        role = role_of(model)
        classes = None
        if role in ("softmax", "sigmoid"):
            width = model.outputs[0].shape[-1]
            classes = np.arange(2 if role == "sigmoid" else width)
        self.about = About(
            "keras", _TASKS.get(role or ""), classes, _columns(model, signature), signature
        )

    def predict(self, inputs: Table) -> Prediction:
        arrays = arrange(self._model, inputs, self.about.features)
        begun = time.perf_counter()
        outputs = answer(self._model, arrays)
        return Prediction(outputs, time.perf_counter() - begun)

    def close(self) -> None:
        self._model = None

    def __enter__(self) -> KerasRuntime:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open(obj: Any, signature: Any) -> KerasRuntime:
    """Make a loaded model answer."""
    return KerasRuntime(obj, signature)


def _columns(model: Any, signature: Any) -> tuple[str, ...] | None:
    """Columns that the model was committed with, where its own inputs do not name them."""
    inputs = signature.get("inputs") if isinstance(signature, dict) else None
    names = tuple(str(entry["name"]) for entry in inputs or () if "name" in entry)
    specs = inputs_of(model)
    if len(specs) > 1:
        return tuple(spec.name for spec in specs)
    return names if names and names != tuple(spec.name for spec in specs) and specs else None
