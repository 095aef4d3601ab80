"""Predicting with LightGBM, straight from rows in memory."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from modelyard.frameworks.boosting import matrix_of
from modelyard.frameworks.lightgbm.predicting import answers, facts_of
from modelyard.runtimes.interface import About, Prediction

if TYPE_CHECKING:
    from modelyard.core.table import Table

__all__ = ["open"]


class _Runtime:
    def __init__(self, obj: Any, signature: Any) -> None:
        self._obj = obj
        self._facts = facts_of(obj)
        names = self._facts.names
        self.about = About(
            framework="lightgbm", task=self._facts.task, classes=self._facts.classes,
            features=tuple(names) if names else None, signature=signature,
            extra={"objective": self._facts.objective},
        )  # fmt: skip

    def __enter__(self) -> _Runtime:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def predict(self, inputs: Table) -> Prediction:
        rows = matrix_of(inputs, self._facts.names)
        begin = time.perf_counter()
        outputs = answers(self._obj, self._facts, rows)
        return Prediction(outputs, time.perf_counter() - begin)

    def close(self) -> None:
        self._obj = None


def open(obj: Any, signature: Any) -> _Runtime:
    """Make a Booster or an estimator answer. InvalidInput: `not-fitted`."""
    return _Runtime(obj, signature)
