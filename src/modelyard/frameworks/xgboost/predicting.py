"""What an XGBoost model says of rows, with the words of every runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidInput
from modelyard.formats.reading import bad
from modelyard.frameworks.boosting import example_matrix, signature_of
from modelyard.frameworks.xgboost.objects import (
    booster_of,
    config_of,
    is_booster,
    library,
    names_of,
    quiet,
)
from modelyard.frameworks.xgboost.saving import reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.frameworks.interface import Json

__all__ = ["Facts", "answers", "facts_of", "signature"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a model before it is asked."""

    objective: str
    linear: bool
    """Of `gblinear`, which can't be asked in place."""
    features: int
    names: list[str] | None
    classes: Array | None
    several: bool
    """Whether each row has several labels."""

    @property
    def task(self) -> str | None:
        if self.classes is not None or self.several:
            return "classification"
        return "regression" if self.objective.startswith(("reg:", "count:")) else None


def facts_of(obj: Any) -> Facts:
    """InvalidInput: `not-fitted`."""
    booster = booster_of(obj)
    config = config_of(booster)
    objective = config["objective"]["name"]
    model = config["learner_model_param"]
    targets = int(model.get("num_target", "1"))
    binary = objective in ("binary:logistic", "binary:hinge")
    count = max(int(model["num_class"]), 2 if binary else 0)
    classifier = hasattr(obj, "classes_") or (is_booster(obj) and count > 1)
    return Facts(
        objective=objective,
        linear=config["gradient_booster"]["name"] == "gblinear",
        features=int(model["num_feature"]),
        names=names_of(obj),
        classes=np.arange(count) if classifier and targets == 1 else None,
        several=classifier and targets > 1,
    )


def answers(obj: Any, facts: Facts, rows: Array) -> dict[str, Array]:
    """`label` and `probability` of classifiers, `prediction` of others.

    Raises:
        InvalidInput: `bad-inputs`: XGBoost can't take these rows.
    """
    if rows.shape[1] != facts.features:
        raise InvalidInput(
            "bad-inputs", f"the model takes {facts.features} features, not {rows.shape[1]}"
        )
    xgboost = library()
    try:
        with quiet():
            if is_booster(obj):
                return _of_booster(obj, facts, rows)
            return _of_estimator(obj, facts, rows)
    except (xgboost.core.XGBoostError, ValueError, TypeError) as error:
        raise bad("bad-inputs", f"XGBoost can't take these rows: {reason(error)}") from None


def _of_estimator(obj: Any, facts: Facts, rows: Array) -> dict[str, Array]:
    if facts.classes is None and not facts.several:
        return {"prediction": obj.predict(rows)}
    if facts.several or facts.objective in ("multi:softmax", "binary:hinge"):
        found = {"label": obj.predict(rows)}
        return found if facts.objective == "binary:hinge" else found | {
            "probability": obj.predict_proba(rows)
        }  # fmt: skip
    probability = obj.predict_proba(rows)
    return {"label": _likeliest(probability), "probability": probability}


def _likeliest(probability: Array) -> Array:
    """The class as XGBClassifier chooses it: of two equal ones the first."""
    if probability.shape[1] == 2:
        return (probability[:, 1] > 0.5).astype(np.int64)
    found: Array = np.argmax(probability, axis=1)
    return found


def _of_booster(booster: Any, facts: Facts, rows: Array) -> dict[str, Array]:
    if facts.linear:
        said = booster.predict(library().DMatrix(rows, feature_names=facts.names))
    else:
        said = booster.inplace_predict(rows)
    if facts.several and facts.objective == "binary:logistic":
        return {"label": (said > 0.5).astype(np.int64), "probability": said}
    if facts.classes is None:
        return {"prediction": said}
    if facts.objective in ("multi:softmax", "binary:hinge"):
        return {"label": said.astype(np.int64)}
    if said.ndim == 1:
        said = np.vstack((1.0 - said, said)).transpose()
    return {"label": _likeliest(said), "probability": said}


def signature(obj: Any, example: Any) -> Json | None:
    """Inputs by name, if the example or the model has names; outputs by predicting."""
    if example is None:
        return None
    facts = facts_of(obj)
    outputs: Mapping[str, Array] = answers(obj, facts, example_matrix(example, facts.names))
    return signature_of(example, facts.names, outputs)
