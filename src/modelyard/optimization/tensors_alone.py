"""Tensors without a module that could answer: samples of their values stand for its answers.

So a change of weights alone is proved like any other: the cosine of the samples before and after.
Files are read where the samples lie, however large they are.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.table import Table
from modelyard.optimization.weights import weights_of
from modelyard.runtimes.interface import About, Prediction

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.optimization.state import Model

__all__ = ["TensorsRuntime", "is_tensors_alone", "places"]

Array = np.ndarray[Any, Any]

_STATES = ("builtins.dict", "collections.OrderedDict")
_COLUMN = "place"
_ROWS = 96
_RUNS, _RUN = 16, 64
"""Each row is made of so many runs of so many values that lie side by side."""


def is_tensors_alone(model: Model) -> bool:
    """Whether a model is a dict of tensors."""
    return model.saved.framework == "torch" and model.saved.class_name in _STATES


def places() -> Table:
    """What to ask such a model: the numbers of samples."""
    return Table({_COLUMN: np.arange(_ROWS)})


class TensorsRuntime:
    """Gives the same places of all models whose tensors have the same names and shapes."""

    def __init__(self, folder: Path) -> None:
        self.about = About("torch", features=(_COLUMN,))
        self._tensors = sorted(
            (t for t in weights_of(folder) if t.dtype.startswith(("float", "bfloat"))),
            key=lambda tensor: tensor.name,
        )
        self._ends = np.cumsum([t.info.elements for t in self._tensors], dtype=np.int64)

    def predict(self, inputs: Table) -> Prediction:
        """`values`, shape (rows, 1024): of each number a sample, float32."""
        begun = time.perf_counter()
        rows = [self._sample(int(number)) for number in inputs.column(_COLUMN)]
        values = np.stack(rows) if rows else np.zeros((0, _RUNS * _RUN), np.float32)
        return Prediction({"values": values}, time.perf_counter() - begun)

    def close(self) -> None:
        """Nothing is held open."""

    def _sample(self, number: int) -> Array:
        found = np.zeros((_RUNS, _RUN), np.float32)
        if not self._tensors or not self._ends[-1]:
            return found.reshape(-1)
        for run, at in enumerate(np.random.default_rng(number).integers(0, self._ends[-1], _RUNS)):
            place = int(np.searchsorted(self._ends, at, side="right"))
            tensor = self._tensors[place]
            inside = int(at) - int(self._ends[place] - tensor.info.elements)
            start = max(min(inside, tensor.info.elements - _RUN), 0)
            values = tensor.flat(start, min(_RUN, tensor.info.elements))
            if values is not None:
                found[run, : len(values)] = values
        return found.reshape(-1)
