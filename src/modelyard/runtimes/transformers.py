"""Predicting with models of transformers: texts in, labels, numbers or embeddings out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from modelyard.errors import Unsupported
from modelyard.frameworks.transformers.calls import labels_of, predicted, task_of
from modelyard.frameworks.transformers.kinds import model_of, tokenizer_of
from modelyard.runtimes.interface import About, Prediction

if TYPE_CHECKING:
    from modelyard.core.table import Table

__all__ = ["TransformersRuntime", "open"]


def open(obj: Any, signature: Any) -> TransformersRuntime:
    """Make a model answer. Unsupported `no-predict`: it is a tokenizer alone."""
    if model_of(obj) is None:
        raise Unsupported(
            "no-predict", "a tokenizer alone predicts nothing", hint="commit (model, tokenizer)"
        )
    return TransformersRuntime(obj, signature)


class TransformersRuntime:
    """A model, and its tokenizer if it was committed with one.

    With a tokenizer it takes the column `text`, or the only column of texts; else `input_ids`
    and `attention_mask`, shape (rows, tokens). Texts are cut at the longest that the model takes.
    """

    def __init__(self, obj: Any, signature: Any) -> None:
        self._obj = obj
        model = model_of(obj)
        task = task_of(model)
        classes = labels_of(model) if task == "classification" else None
        extra = {"takes": "text" if tokenizer_of(obj) is not None else "input_ids"}
        self.about = About("transformers", task, classes, None, signature, extra)

    def predict(self, inputs: Table) -> Prediction:
        """`probability` and `label`, `prediction`, `embedding`, or the model's own outputs."""
        begun = time.perf_counter()
        found = predicted(self._obj, inputs)
        return Prediction(found, time.perf_counter() - begun)

    def close(self) -> None:
        """Forget the model."""
        self._obj = None
