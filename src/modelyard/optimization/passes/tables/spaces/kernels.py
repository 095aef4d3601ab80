"""Kernels, neighbours and Bayes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelyard.optimization.passes.interface import Choice, Range
from modelyard.optimization.passes.tables.spaces.bounds import count, log

if TYPE_CHECKING:
    from modelyard.optimization.passes.interface import Option
    from modelyard.optimization.passes.tables.spaces.bounds import Spaces

__all__ = ["SPACES"]


def _svm(columns: int, _rows: int) -> dict[str, Option]:
    return {
        "C": log(1e-2, 1e3, 1.0, 10.0, 1.0, 1.0, 100.0),
        "gamma": replace(
            log(1e-4, 1e1, 1 / columns, 0.3 / columns, 1 / columns, 3 / columns, 0.3 / columns),
            where=("kernel", ("rbf", "poly")),
        ),
        "kernel": Choice(("rbf", "poly", "linear"), also=("rbf", "linear", "poly", "rbf")),
    }


def _svr(columns: int, _rows: int) -> dict[str, Option]:
    return {
        "C": log(1e-2, 1e3, 1.0, 10.0, 1.0, 0.1),
        "gamma": replace(
            log(1e-4, 1e1, 1 / columns, 0.3 / columns, 0.3 / columns, 1 / columns),
            where=("kernel", ("rbf", "poly")),
        ),
        "kernel": Choice(("rbf", "poly", "linear"), also=("rbf", "rbf", "linear")),
        "epsilon": log(1e-3, 1.0, 0.1, 0.1, 0.3, 0.1),
    }


def _nu_svm(columns: int, _rows: int) -> dict[str, Option]:
    return {
        "nu": Range(0.02, 0.8, 0.5, also=(0.2, 0.1)),
        "gamma": log(1e-4, 1e1, 1 / columns, 0.3 / columns, 0.1 / columns),
    }


def _kernel_ridge(columns: int, _rows: int) -> dict[str, Option]:
    return {
        "alpha": log(1e-4, 1e2, 1.0, 0.1, 0.1),
        "gamma": replace(
            log(1e-4, 1e1, 1 / columns, 0.3 / columns, 0.1 / columns),
            where=("kernel", ("rbf", "laplacian")),
        ),
        "kernel": Choice(("linear", "rbf", "laplacian"), also=("rbf", "laplacian")),
    }


def _neighbours(_columns: int, rows: int) -> dict[str, Option]:
    return {
        "n_neighbors": count(1, min(60, max(rows // 3, 1)), 5, 10, 1, 20),
        "weights": Choice(("uniform", "distance"), also=("distance", "uniform", "uniform")),
        "p": Choice((2, 1), also=(1, 1, 2)),
    }


def _gaussian_bayes(_columns: int, _rows: int) -> dict[str, Option]:
    return {"var_smoothing": log(1e-12, 1.0, 1e-9, 0.01, 0.1)}


def _counting_bayes(_columns: int, _rows: int) -> dict[str, Option]:
    return {"alpha": log(1e-3, 1e1, 1.0, 0.1, 0.01), "fit_prior": Choice((True, False))}


def _quadratic(_columns: int, _rows: int) -> dict[str, Option]:
    return {"reg_param": Range(0.0, 1.0, 0.0, also=(0.1, 0.5))}


def _discriminant(_columns: int, _rows: int) -> dict[str, Option]:
    return {"solver": Choice(("lsqr", "eigen")), "shrinkage": Range(0.0, 1.0, 0.0, also=(0.1, 0.5))}


SPACES: dict[str, Spaces] = {
    "SVC": _svm,
    "SVR": _svr,
    "NuSVC": _nu_svm,
    "NuSVR": _nu_svm,
    "KernelRidge": _kernel_ridge,
    "KNeighborsClassifier": _neighbours,
    "KNeighborsRegressor": _neighbours,
    "GaussianNB": _gaussian_bayes,
    "MultinomialNB": _counting_bayes,
    "ComplementNB": _counting_bayes,
    "BernoulliNB": _counting_bayes,
    "CategoricalNB": _counting_bayes,
    "QuadraticDiscriminantAnalysis": _quadratic,
    "LinearDiscriminantAnalysis": _discriminant,
}
