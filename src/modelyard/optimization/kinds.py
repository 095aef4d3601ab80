"""Whether a model predicts classes or numbers: as it says itself, or else as its target looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from modelyard.optimization.passes.tables.steps import steps_in
from modelyard.registry.classes import Coder, unnamed

if TYPE_CHECKING:
    from modelyard.optimization.state import Model, Task

    Array = np.ndarray[Any, Any]

__all__ = ["said_task", "scores_of", "task_of"]

_FEW: Final = 20
"""Different whole numbers that are classes rather than amounts."""
_CLASSIFIERS: Final = (
    "Classifier", "ClassifierCV", "ClassifierChain", "DiscriminantAnalysis", "LabelPropagation",
    "LabelSpreading", "LogisticRegression", "LogisticRegressionCV", "NB", "NearestCentroid",
    "Perceptron", "SVC",
)  # fmt: skip
"""How names of classes end that predict classes, in scikit-learn and what follows its example."""
_REGRESSORS: Final = (
    "CCA", "ElasticNet", "ElasticNetCV", "KernelRidge", "Lars", "LarsCV", "LarsIC", "Lasso",
    "LassoCV", "MatchingPursuit", "MatchingPursuitCV", "PLSCanonical", "Regression", "Regressor",
    "RegressorChain", "Ridge", "RidgeCV", "SVR",
)  # fmt: skip
"""The same of numbers."""


def said_task(source: Model) -> Literal["classification", "regression"] | None:
    """What a model predicts, as its class or its signature says."""
    name = _estimator(source)
    if name.endswith(_CLASSIFIERS):
        return "classification"
    if name.endswith(_REGRESSORS):
        return "regression"
    outputs = {str(each.get("name")) for each in (source.signature or {}).get("outputs", ())}
    if outputs & {"label", "probability", "logits"}:
        return "classification"
    return "regression" if "prediction" in outputs else None


def scores_of(source: Model) -> int:
    """How many scores a model gives each row, if it says that and has no other output; else 0."""
    shapes = [each.get("shape") for each in (source.signature or {}).get("outputs", ())]
    match shapes:
        case [[_, int(width)]] if width > 1:
            return width
    return 0


def task_of(target: Array | None, said: str | None = None, scores: int = 0) -> Task:
    """What is predicted, as the model says or else as the target looks.

    Args:
        said: As `said_task` gives it.
        scores: As `scores_of` does: a target that names one of so many places is a class.
    """
    if target is None:
        return "other"
    if said in ("classification", "regression"):
        return "classification" if said == "classification" else "regression"
    if scores and target.dtype.kind in "iuf":
        classes = np.unique(target).tolist()
        if len(classes) <= scores and unnamed([Coder.name(each) for each in classes], scores):
            return "classification"
    if target.dtype.kind not in "iuf":
        return "classification"
    if target.dtype.kind in "iu" and len(np.unique(target)) <= _FEW:
        return "classification"
    return "regression"


def _estimator(source: Model) -> str:
    """The class of a model, or of the last step of a pipeline."""
    lines = map(str, source.saved.details.get("structure", ()))
    steps = [step.class_name for step in steps_in(list(lines)) if step.depth == 1]
    name = source.saved.class_name
    return steps[-1] if steps and name.endswith(".Pipeline") else name
