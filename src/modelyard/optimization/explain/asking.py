"""A runtime as a function from a table to numbers: what explanations need of a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.core.table import Table
    from modelyard.runtimes import Prediction, Runtime

__all__ = ["Asked"]

Array = np.ndarray[Any, Any]

_CLASSES = 20


@dataclass(slots=True)
class Asked:
    """Asks a model, and says what its answers mean."""

    runtime: Runtime
    truth: Array | None = None
    """The target of the rows, if it is known."""
    names: tuple[str, ...] = field(default=())
    """Names of the numbers that `numbers` gives."""

    def numbers(self, table: Table) -> Array:
        """Shape (rows, outputs): probabilities by class, or predictions.

        Unsupported: `not-explainable`: the model gives neither.
        """
        outputs = self.runtime.predict(table).outputs
        for name in ("probability", "prediction", *outputs):
            values = outputs.get(name)
            if values is not None and values.dtype.kind in "iuf" and values.ndim <= 2:
                flat = values.reshape(len(values), -1)
                self.names = self._names(name, flat.shape[1])
                return flat.astype(np.float64, copy=False)
        raise Unsupported(
            "not-explainable", "the model gives no numbers by row",
            hint="explanations need a classifier with probabilities, or a regression",
        )  # fmt: skip

    def _names(self, output: str, count: int) -> tuple[str, ...]:
        classes = self.runtime.about.classes
        if output == "probability" and classes is not None and len(classes) == count:
            return tuple(str(label) for label in classes)
        return (output,) if count == 1 else tuple(f"{output}[{i}]" for i in range(count))

    def scorer(self, table: Table) -> tuple[str, Callable[[Table], Array]]:
        """What importance is measured by: its name, and a score for each row, higher is better."""
        prediction = self.runtime.predict(table)
        if self.truth is None:
            before = self.numbers(table)
            return "output", lambda changed: -self._distance(changed, before)
        if "label" in prediction.outputs:
            return "accuracy", self._right
        return "r2", self._explained

    def _distance(self, table: Table, before: Array) -> Array:
        """How far the outputs of changed rows are from those of the rows as they were."""
        after = self.numbers(table)
        times = len(after) // len(before)
        change: Array = np.abs(after - np.tile(before, (times, 1))).mean(axis=1)
        return change

    def _right(self, table: Table) -> Array:
        return np.asarray(_texts(self._label(self.runtime.predict(table)))
                          == _texts(self._truths(table)), np.float64)  # fmt: skip

    def _label(self, prediction: Prediction) -> Array:
        return prediction.outputs["label"]

    def _explained(self, table: Table) -> Array:
        """Each row's part of R squared: their mean is R squared itself."""
        truth = self._truths(table).astype(np.float64)
        error = (self.numbers(table)[:, 0] - truth) ** 2
        variance = float(np.var(truth)) or 1.0
        return 1.0 - error / variance

    def _truths(self, table: Table) -> Array:
        assert self.truth is not None
        return np.tile(self.truth, len(table) // len(self.truth))


def _texts(values: Array) -> Array:
    """Labels as they compare: 1, 1.0 and '1' are one class, in a file as in a model."""
    if values.dtype.kind == "f" and np.all(np.mod(values, 1) == 0):
        values = values.astype(np.int64)
    return values.astype(str)
