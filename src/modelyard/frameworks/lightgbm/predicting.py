"""What a LightGBM model says of rows, with the words of every runtime."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidInput
from modelyard.formats.reading import bad
from modelyard.frameworks.boosting import example_matrix, signature_of
from modelyard.frameworks.lightgbm.objects import (
    booster_of,
    head_of,
    is_booster,
    library,
    names_of,
    reason,
)

if TYPE_CHECKING:
    from modelyard.frameworks.interface import Json

__all__ = ["Facts", "answers", "facts_of", "signature"]

Array = np.ndarray[Any, Any]

_AT_PREDICTION = ("pred_early_stop", "pred_early_stop_freq", "pred_early_stop_margin")
_NUMBERS = ("regression", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a model before it is asked."""

    objective: str | None
    """None if it was a function of the user."""
    features: int
    names: list[str] | None
    classes: Array | None
    options: dict[str, Any]
    """What LightGBM is told at each prediction."""

    @property
    def task(self) -> str | None:
        if self.classes is not None:
            return "classification"
        return "regression" if (self.objective or "").startswith(_NUMBERS) else None


def facts_of(obj: Any) -> Facts:
    """InvalidInput: `not-fitted`."""
    booster = booster_of(obj)
    head = head_of(booster)
    words = head.get("objective", "").split(" ")
    objective = words[0] or None
    classes = None
    if objective is not None:
        classes = _classes(obj, objective, int(head["num_class"]))
    return Facts(objective, booster.num_feature(), names_of(obj), classes, _options(obj))


def _classes(obj: Any, objective: str, count: int) -> Array | None:
    if not is_booster(obj):
        known = getattr(obj, "classes_", None)
        return known if known is None else np.asarray(known)
    if objective == "binary":
        return np.arange(2)
    return np.arange(count) if count > 1 else None


def _options(obj: Any) -> dict[str, Any]:
    """Parameters of an estimator that count at prediction; threads as joblib counts them."""
    if is_booster(obj):
        return {}
    params = obj.get_params(deep=False)
    found = {name: params[name] for name in _AT_PREDICTION if name in params}
    jobs = params.get("n_jobs")
    if isinstance(jobs, int) and jobs:
        found["num_threads"] = jobs if jobs > 0 else max((os.cpu_count() or 1) + 1 + jobs, 1)
    return found


def answers(obj: Any, facts: Facts, rows: Array) -> dict[str, Array]:
    """`label` and `probability` of classifiers, `prediction` of others.

    Raises:
        InvalidInput: `bad-inputs`: LightGBM can't take these rows.
    """
    if rows.shape[1] != facts.features:
        raise InvalidInput(
            "bad-inputs", f"the model takes {facts.features} features, not {rows.shape[1]}"
        )
    if not len(rows):
        raise InvalidInput("bad-inputs", "LightGBM takes no empty table")
    lightgbm = library()
    try:
        said = booster_of(obj).predict(rows, **facts.options)
    except (lightgbm.basic.LightGBMError, ValueError, TypeError) as error:
        raise bad("bad-inputs", f"LightGBM can't take these rows: {reason(error)}") from None
    if facts.classes is None:
        return {"prediction": said}
    if said.ndim == 1:
        said = np.vstack((1.0 - said, said)).transpose()
    return {"label": facts.classes[np.argmax(said, axis=1)], "probability": said}


def signature(obj: Any, example: Any) -> Json | None:
    """Inputs by name, if the example or the model has names; outputs by predicting."""
    if example is None:
        return None
    facts = facts_of(obj)
    outputs = answers(obj, facts, example_matrix(example, facts.names))
    return signature_of(example, facts.names, outputs)
