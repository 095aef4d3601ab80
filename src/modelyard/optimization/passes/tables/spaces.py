"""Hyper-parameters that are worth a search, by class: what people tune, in sensible bounds.

The first value of each is the library's own default, or as near to it as a number comes. What is
named after it (`Range.also`) goes together: settings that many people begin with, which cover what
is far from the default (each kernel, small trees, balanced classes). They come from experience, and
from what they add on data that come with R's packages (glass, Pima, crabs, Boston, Caschool).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from modelyard.optimization.passes.interface import Choice, Range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from modelyard.optimization.passes.interface import Option

__all__ = ["space_of", "spaces_in"]

_LINE = re.compile(r"( *)(?:([^:]+): )?([A-Za-z_][A-Za-z0-9_]*)")
_DEEP = 32
"""A tree of this depth is as good as one without bounds."""


def space_of(class_name: str, *, columns: int, rows: int) -> dict[str, Option]:
    """Options of one class by the names of its parameters; empty if none are known.

    Args:
        class_name: With or without its module.
        columns, rows: Of the data to learn from; 0 if that is not known.
    """
    name = class_name.rpartition(".")[2]
    if name == "Booster":
        name = class_name.partition(".")[0]
    found = _SPACES.get(name)
    return dict(found(max(columns, 1), rows or 1000)) if found else {}


def spaces_in(structure: Sequence[str], *, columns: int, rows: int) -> dict[str, Option]:
    """Options of every step: `clf__C`, `prep__num__imputer__strategy`.

    Args:
        structure: Lines as scikit-learn's framework gives them.
    """
    found: dict[str, Option] = {}
    for path, cls in _steps(structure):
        for name, option in space_of(cls, columns=columns, rows=rows).items():
            found["__".join([*path, name])] = option
    return found


def _steps(structure: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    path: list[str] = []
    searched: int | None = None
    for line in structure:
        match = _LINE.match(line)
        if match is None:
            continue
        depth = len(match[1]) // 2
        if searched is not None and depth > searched:
            continue  # what a search holds it tunes itself
        searched = depth if match[3].endswith("SearchCV") else None
        path = path[: max(depth - 1, 0)] + ([match[2]] if depth and match[2] else [])
        yield tuple(path), match[3]


# --- bounds that several share --------------------------------------------------------------------


def _range(
    low: float, high: float, first: float, *also: float, log: bool = False, whole: bool = False
) -> Range:
    """With the numbers to begin with, as far as the bounds allow."""
    first, *others = (
        float(f"{min(max(each, low), high):.4g}") if not whole else int(min(max(each, low), high))
        for each in (first, *also)
    )
    return Range(low, high, first, log=log, whole=whole, also=tuple(others))


def _log(low: float, high: float, first: float, *also: float) -> Range:
    return _range(low, high, first, *also, log=True)


def _count(low: int, high: int, first: int, *also: int, log: bool = True) -> Range:
    return _range(low, max(low, high), first, *also, log=log, whole=True)


def _share(low: float, *also: float) -> Range:
    return _range(low, 1.0, 1.0, *also)


_BALANCE = Choice((None, "balanced"))


# --- linear models --------------------------------------------------------------------------------


def _logistic(_columns: int, _rows: int) -> dict[str, Option]:
    return {
        "C": _log(1e-4, 1e3, 1.0, 10.0, 0.1, 100.0),
        "class_weight": Choice((None, "balanced"), also=("balanced", None, None)),
    }


def _linear_svm(_columns: int, _rows: int) -> dict[str, Option]:
    return {"C": _log(1e-4, 1e3, 1.0, 0.1, 0.01)}


def _ridge(_columns: int, _rows: int) -> dict[str, Option]:
    return {"alpha": _log(1e-4, 1e4, 1.0, 10.0, 100.0)}


def _lasso(_columns: int, _rows: int) -> dict[str, Option]:
    return {"alpha": _log(1e-5, 1e2, 1.0, 0.1, 0.01)}


def _elastic(_columns: int, _rows: int) -> dict[str, Option]:
    return {"alpha": _log(1e-5, 1e2, 1.0, 0.1, 0.01), "l1_ratio": Range(0.02, 1.0, 0.5)}


def _huber(_columns: int, _rows: int) -> dict[str, Option]:
    return {"epsilon": Range(1.01, 3.0, 1.35), "alpha": _log(1e-6, 1e1, 1e-4)}


def _sgd(_columns: int, _rows: int) -> dict[str, Option]:
    return {
        "alpha": _log(1e-6, 1e-1, 1e-4),
        "penalty": Choice(("l2", "l1", "elasticnet")),
        "average": Choice((False, True)),
    }


def _perceptron(_columns: int, _rows: int) -> dict[str, Option]:
    return {"alpha": _log(1e-6, 1e-1, 1e-4), "penalty": Choice((None, "l2", "l1"))}


def _poisson(_columns: int, _rows: int) -> dict[str, Option]:
    return {"alpha": _log(1e-4, 1e2, 1.0)}


def _bayes_ridge(_columns: int, _rows: int) -> dict[str, Option]:
    return {"lambda_1": _log(1e-8, 1e-1, 1e-6), "alpha_1": _log(1e-8, 1e-1, 1e-6)}


def _pls(columns: int, _rows: int) -> dict[str, Option]:
    return {"n_components": _count(1, min(columns, 20), 2)}


# --- kernels, neighbours, Bayes -------------------------------------------------------------------


def _svm(columns: int, _rows: int) -> dict[str, Option]:
    return {
        "C": _log(1e-2, 1e3, 1.0, 10.0, 1.0, 1.0, 100.0),
        "gamma": replace(
            _log(1e-4, 1e1, 1 / columns, 0.3 / columns, 1 / columns, 3 / columns, 0.3 / columns),
            where=("kernel", ("rbf", "poly")),
        ),
        "kernel": Choice(("rbf", "poly", "linear"), also=("rbf", "linear", "poly", "rbf")),
    }


def _svr(columns: int, _rows: int) -> dict[str, Option]:
    return {
        "C": _log(1e-2, 1e3, 1.0, 10.0, 1.0, 0.1),
        "gamma": replace(
            _log(1e-4, 1e1, 1 / columns, 0.3 / columns, 0.3 / columns, 1 / columns),
            where=("kernel", ("rbf", "poly")),
        ),
        "kernel": Choice(("rbf", "poly", "linear"), also=("rbf", "rbf", "linear")),
        "epsilon": _log(1e-3, 1.0, 0.1, 0.1, 0.3, 0.1),
    }


def _nu_svm(columns: int, _rows: int) -> dict[str, Option]:
    return {
        "nu": Range(0.02, 0.8, 0.5, also=(0.2, 0.1)),
        "gamma": _log(1e-4, 1e1, 1 / columns, 0.3 / columns, 0.1 / columns),
    }


def _kernel_ridge(columns: int, _rows: int) -> dict[str, Option]:
    return {
        "alpha": _log(1e-4, 1e2, 1.0, 0.1, 0.1),
        "gamma": replace(
            _log(1e-4, 1e1, 1 / columns, 0.3 / columns, 0.1 / columns),
            where=("kernel", ("rbf", "laplacian")),
        ),
        "kernel": Choice(("linear", "rbf", "laplacian"), also=("rbf", "laplacian")),
    }


def _neighbours(_columns: int, rows: int) -> dict[str, Option]:
    return {
        "n_neighbors": _count(1, min(60, max(rows // 3, 1)), 5, 10, 1, 20),
        "weights": Choice(("uniform", "distance"), also=("distance", "uniform", "uniform")),
        "p": Choice((2, 1), also=(1, 1, 2)),
    }


def _gaussian_bayes(_columns: int, _rows: int) -> dict[str, Option]:
    return {"var_smoothing": _log(1e-12, 1.0, 1e-9, 0.01, 0.1)}


def _counting_bayes(_columns: int, _rows: int) -> dict[str, Option]:
    return {"alpha": _log(1e-3, 1e1, 1.0, 0.1, 0.01), "fit_prior": Choice((True, False))}


def _quadratic(_columns: int, _rows: int) -> dict[str, Option]:
    return {"reg_param": Range(0.0, 1.0, 0.0, also=(0.1, 0.5))}


def _discriminant(_columns: int, _rows: int) -> dict[str, Option]:
    return {"solver": Choice(("lsqr", "eigen")), "shrinkage": Range(0.0, 1.0, 0.0, also=(0.1, 0.5))}


# --- trees ----------------------------------------------------------------------------------------


def _tree(_columns: int, rows: int) -> dict[str, Option]:
    return {
        "max_depth": _count(1, _DEEP, _DEEP, 4, _DEEP, 8),
        "min_samples_leaf": _count(1, min(64, max(rows // 8, 1)), 1, 5, 1, 20),
        "max_features": _share(0.1, 1.0, 0.5, 1.0),
        "ccp_alpha": Range(0.0, 0.05, 0.0, also=(0.005, 0.0, 0.005)),
    }


def _forest(columns: int, rows: int, default: float | None = None) -> dict[str, Option]:
    share = min(max(default or columns**-0.5, 0.05), 1.0)
    return {
        "n_estimators": _count(30, 400, 100, 300, 300, 300),
        "max_features": _range(0.05, 1.0, share, 0.5 * (share + 0.4), share, 0.5 * share),
        "min_samples_leaf": _count(1, min(32, max(rows // 10, 1)), 1, 1, 3, 1),
        "max_depth": _count(2, _DEEP, _DEEP),
    }


def _forest_classes(columns: int, rows: int) -> dict[str, Option]:
    return _forest(columns, rows) | {"class_weight": _BALANCE}


def _forest_values(columns: int, rows: int) -> dict[str, Option]:
    return _forest(columns, rows, 1.0)


def _boosting(_columns: int, rows: int) -> dict[str, Option]:
    return {
        "learning_rate": _log(0.01, 0.5, 0.1, 0.03, 0.1, 0.1),
        "n_estimators": _count(20, 600, 100, 500, 300, 200),
        "max_depth": _count(1, 8, 3, 3, 1, 5, log=False),
        "subsample": _share(0.4, 0.7, 0.8, 0.8),
        "max_features": _share(0.1, 0.5, 0.5, 0.5),
        "min_samples_leaf": _count(1, min(64, max(rows // 10, 1)), 1, 1, 1, 5),
    }


def _histograms(_columns: int, rows: int) -> dict[str, Option]:
    return {
        "learning_rate": _log(0.01, 0.5, 0.1, 0.05, 0.05, 0.1),
        "max_iter": _count(20, 500, 100, 200, 300, 100),
        "max_leaf_nodes": _count(3, 128, 31, 15, 6, 15),
        "min_samples_leaf": _count(2, min(100, max(rows // 5, 2)), 20, 10, 10, 5),
        "l2_regularization": _log(1e-6, 1e2, 1e-6, 1.0, 1.0, 10.0),
        "max_features": _share(0.2, 0.6, 0.6, 0.4),
    }


def _xgboost(_columns: int, _rows: int) -> dict[str, Option]:
    return {
        "learning_rate": _log(0.01, 0.5, 0.3, 0.03, 0.1, 0.1),
        "n_estimators": _count(20, 600, 100, 500, 300, 200),
        "max_depth": _count(1, 10, 6, 3, 1, 4, log=False),
        "min_child_weight": _log(0.1, 30.0, 1.0),
        "subsample": _share(0.4, 0.7, 0.8, 0.8),
        "colsample_bytree": _share(0.3, 0.7, 0.8, 0.8),
        "reg_lambda": _log(1e-3, 1e2, 1.0),
    }


def _lightgbm(_columns: int, rows: int) -> dict[str, Option]:
    return {
        "learning_rate": _log(0.01, 0.5, 0.1, 0.05, 0.05, 0.1),
        "n_estimators": _count(20, 600, 100, 200, 400, 100),
        "num_leaves": _count(3, 128, 31, 15, 6, 63),
        "min_child_samples": _count(2, min(100, max(rows // 5, 2)), 20, 10, 10, 5),
        "colsample_bytree": _share(0.3, 0.8, 0.6, 0.5),
        "reg_lambda": _log(1e-6, 1e2, 1e-6, 1.0, 1.0, 3.0),
    }


def _xgboost_booster(_columns: int, _rows: int) -> dict[str, Option]:
    return {
        "learning_rate": _log(0.01, 0.5, 0.3),
        "max_depth": _count(1, 10, 6, log=False),
        "min_child_weight": _log(0.1, 30.0, 1.0),
        "subsample": _share(0.4),
        "colsample_bytree": _share(0.3),
    }


def _lightgbm_booster(_columns: int, _rows: int) -> dict[str, Option]:
    return {
        "learning_rate": _log(0.01, 0.5, 0.1),
        "num_leaves": _count(3, 128, 31),
        "min_data_in_leaf": _count(2, 100, 20),
        "feature_fraction": _share(0.3),
    }


def _adaboost(_columns: int, _rows: int) -> dict[str, Option]:
    return {"n_estimators": _count(20, 400, 50), "learning_rate": _log(0.01, 2.0, 1.0)}


def _bagging(_columns: int, _rows: int) -> dict[str, Option]:
    return {
        "n_estimators": _count(5, 200, 10),
        "max_samples": _share(0.2),
        "max_features": _share(0.2),
    }


# --- networks -------------------------------------------------------------------------------------


def _perceptrons(_columns: int, _rows: int) -> dict[str, Option]:
    return {
        "alpha": _log(1e-6, 1.0, 1e-4),
        "learning_rate_init": _log(1e-4, 3e-2, 1e-3),
        "hidden_layer_sizes": Choice(([100], [50], [200], [100, 50], [30])),
        "activation": Choice(("relu", "tanh")),
    }


# --- steps before the model -----------------------------------------------------------------------


def _vectorizer(_columns: int, _rows: int) -> dict[str, Option]:
    return {
        "ngram_range": Choice(([1, 1], [1, 2])),
        "min_df": Choice((1, 2, 4)),
        "max_df": Choice((1.0, 0.7)),
    }


def _tfidf(columns: int, rows: int) -> dict[str, Option]:
    return _vectorizer(columns, rows) | {"sublinear_tf": Choice((False, True))}


def _select_best(columns: int, _rows: int) -> dict[str, Option]:
    return {"k": _count(1, columns, min(10, columns))}


def _percentile(_columns: int, _rows: int) -> dict[str, Option]:
    return {"percentile": _count(5, 100, 10, log=False)}


_SPACES: Mapping[str, Callable[[int, int], Mapping[str, Option]]] = {
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
    "DecisionTreeClassifier": _tree,
    "DecisionTreeRegressor": _tree,
    "ExtraTreeClassifier": _tree,
    "ExtraTreeRegressor": _tree,
    "RandomForestClassifier": _forest_classes,
    "ExtraTreesClassifier": _forest_classes,
    "RandomForestRegressor": _forest_values,
    "ExtraTreesRegressor": _forest_values,
    "GradientBoostingClassifier": _boosting,
    "GradientBoostingRegressor": _boosting,
    "HistGradientBoostingClassifier": _histograms,
    "HistGradientBoostingRegressor": _histograms,
    "AdaBoostClassifier": _adaboost,
    "AdaBoostRegressor": _adaboost,
    "BaggingClassifier": _bagging,
    "BaggingRegressor": _bagging,
    "MLPClassifier": _perceptrons,
    "MLPRegressor": _perceptrons,
    "XGBClassifier": _xgboost,
    "XGBRegressor": _xgboost,
    "LGBMClassifier": _lightgbm,
    "LGBMRegressor": _lightgbm,
    "xgboost": _xgboost_booster,
    "lightgbm": _lightgbm_booster,
    "CountVectorizer": _vectorizer,
    "TfidfVectorizer": _tfidf,
    "SelectKBest": _select_best,
    "SelectPercentile": _percentile,
}
