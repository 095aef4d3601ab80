"""Predicting with any Python object that has `predict`, or that can be called."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.frameworks.python import answers, arranged
from modelyard.runtimes.interface import About, Prediction, Runtime

if TYPE_CHECKING:
    from modelyard.core.table import Table

__all__ = ["open"]


def open(obj: Any, signature: Any) -> Runtime:
    """An object made to answer."""
    return _Object(obj, signature)


class _Object:
    def __init__(self, obj: Any, signature: Any) -> None:
        self._obj = obj
        classes = getattr(obj, "classes_", None)
        known = classes if isinstance(classes, np.ndarray) and classes.ndim == 1 else None
        task = "classification" if hasattr(obj, "predict_proba") else None
        self.about = About(framework="python", task=task, classes=known, signature=signature)

    def predict(self, inputs: Table) -> Prediction:
        rows = arranged(inputs)
        begun = time.perf_counter()
        outputs = answers(self._obj, rows)
        return Prediction(outputs, time.perf_counter() - begun)

    def close(self) -> None:
        self._obj = None

    def __enter__(self) -> Runtime:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
