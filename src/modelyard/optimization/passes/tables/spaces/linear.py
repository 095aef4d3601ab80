"""Linear models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.optimization.passes.interface import Choice, Range
from modelyard.optimization.passes.tables.spaces.bounds import count, log

if TYPE_CHECKING:
    from modelyard.optimization.passes.interface import Option
    from modelyard.optimization.passes.tables.spaces.bounds import Spaces

__all__ = ["SPACES"]


def _logistic(_columns: int, _rows: int) -> dict[str, Option]:
    return {
        "C": log(1e-4, 1e3, 1.0, 10.0, 0.1, 100.0),
        "class_weight": Choice((None, "balanced"), also=("balanced", None, None)),
    }


def _linear_svm(_columns: int, _rows: int) -> dict[str, Option]:
    return {"C": log(1e-4, 1e3, 1.0, 0.1, 0.01)}


def _ridge(_columns: int, _rows: int) -> dict[str, Option]:
    return {"alpha": log(1e-4, 1e4, 1.0, 10.0, 100.0)}


def _lasso(_columns: int, _rows: int) -> dict[str, Option]:
    return {"alpha": log(1e-5, 1e2, 1.0, 0.1, 0.01)}


def _elastic(_columns: int, _rows: int) -> dict[str, Option]:
    return {"alpha": log(1e-5, 1e2, 1.0, 0.1, 0.01), "l1_ratio": Range(0.02, 1.0, 0.5)}


def _huber(_columns: int, _rows: int) -> dict[str, Option]:
    return {"epsilon": Range(1.01, 3.0, 1.35), "alpha": log(1e-6, 1e1, 1e-4)}


def _sgd(_columns: int, _rows: int) -> dict[str, Option]:
    return {
        "alpha": log(1e-6, 1e-1, 1e-4),
        "penalty": Choice(("l2", "l1", "elasticnet")),
        "average": Choice((False, True)),
    }


def _perceptron(_columns: int, _rows: int) -> dict[str, Option]:
    return {"alpha": log(1e-6, 1e-1, 1e-4), "penalty": Choice((None, "l2", "l1"))}


def _poisson(_columns: int, _rows: int) -> dict[str, Option]:
    return {"alpha": log(1e-4, 1e2, 1.0)}


def _bayes_ridge(_columns: int, _rows: int) -> dict[str, Option]:
    return {"lambda_1": log(1e-8, 1e-1, 1e-6), "alpha_1": log(1e-8, 1e-1, 1e-6)}


def _pls(columns: int, _rows: int) -> dict[str, Option]:
    return {"n_components": count(1, min(columns, 20), 2)}


SPACES: dict[str, Spaces] = {
    "LogisticRegression": _logistic,
    "LinearSVC": _linear_svm,
    "LinearSVR": _linear_svm,
    "Ridge": _ridge,
    "RidgeClassifier": _ridge,
    "Lasso": _lasso,
    "LassoLars": _lasso,
    "ElasticNet": _elastic,
    "HuberRegressor": _huber,
    "QuantileRegressor": _poisson,
    "BayesianRidge": _bayes_ridge,
    "ARDRegression": _bayes_ridge,
    "PoissonRegressor": _poisson,
    "GammaRegressor": _poisson,
    "TweedieRegressor": _poisson,
    "SGDClassifier": _sgd,
    "SGDRegressor": _sgd,
    "Perceptron": _perceptron,
    "PLSRegression": _pls,
}
