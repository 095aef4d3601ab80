"""Predicting with scikit-learn's estimators; those that became ONNX answer through its runtime."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from modelyard.frameworks.sklearn.answers import answers, classes_of, task_of
from modelyard.frameworks.sklearn.inputs import arranged, feature_names
from modelyard.runtimes.interface import About, Prediction, Runtime

if TYPE_CHECKING:
    from modelyard.core.table import Table

__all__ = ["open"]

_TASKS = ("classification", "regression", "embedding")


def open(obj: Any, signature: Any) -> Runtime:
    """An estimator made to answer. Clusterers and detectors of outliers give `label`."""
    if type(obj).__name__ == "ModelProto":
        from modelyard.runtimes import runtime_of

        return runtime_of("onnx", obj, signature)
    return _Estimator(obj, signature)


class _Estimator:
    def __init__(self, obj: Any, signature: Any) -> None:
        self._obj = obj
        task = task_of(obj)
        self.about = About(
            framework="sklearn", task=task if task in _TASKS else None,
            classes=classes_of(obj) if task == "classification" else None,
            features=feature_names(obj), signature=signature, extra={"kind": task} if task else {},
        )  # fmt: skip

    def predict(self, inputs: Table) -> Prediction:
        rows = arranged(self._obj, inputs)
        begun = time.perf_counter()
        outputs = answers(self._obj, rows)
        return Prediction(outputs, time.perf_counter() - begun)

    def close(self) -> None:
        self._obj = None

    def __enter__(self) -> Runtime:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
