"""The trees of a fitted estimator or booster, whichever library it is of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.frameworks.interface import bases_of
from modelyard.optimization.passes.trees.boosters import lightgbm_forest, xgboost_forest
from modelyard.optimization.passes.trees.forests import Forest, Link, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["forest_of"]

Array = np.ndarray[Any, Any]


def forest_of(obj: Any) -> Forest | None:
    """The trees of a fitted estimator or booster; None if there is no way to tell them.

    Known are decision trees, random forests, extra trees, gradient boosting and histogram gradient
    boosting of scikit-learn, and XGBoost's and LightGBM's; not with splits by category, linear
    leaves, several targets that are classified, or objectives that the user wrote.
    """
    bases = bases_of(obj)
    for name, reader in {
        "sklearn.ensemble._forest.ForestClassifier": _forest,
        "sklearn.ensemble._forest.ForestRegressor": _forest,
        "sklearn.tree._classes.BaseDecisionTree": _single,
        "sklearn.ensemble._gb.BaseGradientBoosting": _boosting,
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.BaseHistGradientBoosting":
            _histograms,
        "xgboost.sklearn.XGBModel": xgboost_forest,
        "xgboost.core.Booster": xgboost_forest,
        "lightgbm.sklearn.LGBMModel": lightgbm_forest,
        "lightgbm.basic.Booster": lightgbm_forest,
    }.items():  # fmt: skip
        if name in bases:
            found: Callable[[Any], Forest | None] = reader
            return found(obj)
    return None


def _sklearn_tree(tree: Any, values: Array, output: int = 0) -> Tree:
    leaf = tree.children_left == -1
    missing = getattr(tree, "missing_go_to_left", None)
    return Tree(
        feature=np.where(leaf, 0, tree.feature).astype(np.int64),
        threshold=np.where(leaf, 0.0, tree.threshold),
        left=np.where(leaf, 0, tree.children_left).astype(np.int64),
        right=np.where(leaf, 0, tree.children_right).astype(np.int64),
        leaf=leaf,
        missing_left=np.zeros(len(leaf), bool) if missing is None else missing.astype(bool),
        values=values,
        output=output,
    )


def _single(obj: Any) -> Forest | None:
    return _averaged(obj, [obj])


def _forest(obj: Any) -> Forest | None:
    return _averaged(obj, obj.estimators_)


def _averaged(obj: Any, estimators: Sequence[Any]) -> Forest | None:
    """Trees whose answers are averaged: shares of classes, or means."""
    classes = getattr(obj, "classes_", None)
    if classes is not None and obj.n_outputs_ > 1:
        return None
    trees = []
    for each in estimators:
        values = each.tree_.value
        values = values[:, 0, :] if classes is not None else values[:, :, 0]
        if classes is not None:
            values = values / values.sum(axis=1, keepdims=True)
        trees.append(_sklearn_tree(each.tree_, np.asarray(values, np.float64)))
    outputs = int(obj.n_outputs_) if classes is None else len(classes)
    return Forest(
        trees=tuple(trees), columns=int(obj.n_features_in_), outputs=outputs, classes=classes,
        base=np.zeros(outputs), mean=len(trees) > 1,
    )  # fmt: skip


def _boosting(obj: Any) -> Forest | None:
    """`GradientBoostingClassifier` and `...Regressor`: trees of one output, times a rate."""
    if not (obj.init_ == "zero" or type(obj.init_).__module__ == "sklearn.dummy"):
        return None
    columns = int(obj.n_features_in_)
    base = np.asarray(obj._raw_predict_init(np.zeros((1, columns), np.float32)), np.float64)[0]
    trees = tuple(
        _sklearn_tree(each.tree_, each.tree_.value[:, :, 0] * obj.learning_rate, output)
        for round_ in obj.estimators_
        for output, each in enumerate(round_)
    )
    classes = getattr(obj, "classes_", None)
    loss = type(obj._loss).__name__
    links: dict[str, Link] = {
        "HalfBinomialLoss": "logistic", "ExponentialLoss": "logistic",
        "HalfMultinomialLoss": "softmax",
    }  # fmt: skip
    if classes is not None and loss not in links:
        return None
    return Forest(
        trees=trees, columns=columns, outputs=len(base), classes=classes, base=base,
        link=links[loss] if classes is not None else "none",
        slope=2.0 if loss == "ExponentialLoss" else 1.0,
    )  # fmt: skip


def _histograms(obj: Any) -> Forest | None:
    """`HistGradientBoostingClassifier` and `...Regressor`: splits of float64, and NaN."""
    rounds = [[each.nodes for each in round_] for round_ in obj._predictors]
    if any(nodes["is_categorical"].any() for round_ in rounds for nodes in round_):
        return None
    if getattr(obj, "_preprocessor", None) is not None:  # categories, though no tree splits by one
        return None
    links: dict[str, Link] = {
        "HalfSquaredError": "none", "AbsoluteError": "none", "PinballLoss": "none",
        "HalfGammaLoss": "exp", "HalfPoissonLoss": "exp", "HalfBinomialLoss": "logistic",
        "HalfMultinomialLoss": "softmax",
    }  # fmt: skip
    loss = type(obj._loss).__name__
    if loss not in links:
        return None
    base = np.asarray(obj._baseline_prediction, np.float64).reshape(-1)
    return Forest(
        trees=tuple(
            _histogram_tree(nodes, output)
            for round_ in rounds
            for output, nodes in enumerate(round_)
        ),
        columns=int(obj.n_features_in_), outputs=len(base), classes=getattr(obj, "classes_", None),
        base=base, link=links[loss], double=True,
    )  # fmt: skip


def _histogram_tree(nodes: Array, output: int) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        feature=np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64),
        threshold=np.where(leaf, 0.0, nodes["num_threshold"]),
        left=np.where(leaf, 0, nodes["left"]).astype(np.int64),
        right=np.where(leaf, 0, nodes["right"]).astype(np.int64),
        leaf=leaf,
        missing_left=nodes["missing_go_to_left"].astype(bool),
        values=nodes["value"].astype(np.float64)[:, None],
        output=output,
    )
