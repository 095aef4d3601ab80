"""Trees, forests and boosting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.optimization.passes.interface import Choice, Range
from modelyard.optimization.passes.tables.spaces.bounds import count, log, share, span

if TYPE_CHECKING:
    from modelyard.optimization.passes.interface import Option
    from modelyard.optimization.passes.tables.spaces.bounds import Spaces

__all__ = ["SPACES"]

_DEEP = 32
"""A tree of this depth is as good as one without bounds."""


def _tree(_columns: int, rows: int) -> dict[str, Option]:
    return {
        "max_depth": count(1, _DEEP, _DEEP, 4, _DEEP, 8),
        "min_samples_leaf": count(1, min(64, max(rows // 8, 1)), 1, 5, 1, 20),
        "max_features": share(0.1, 1.0, 0.5, 1.0),
        "ccp_alpha": Range(0.0, 0.05, 0.0, also=(0.005, 0.0, 0.005)),
    }


def _random_tree(columns: int, rows: int) -> dict[str, Option]:
    return _tree(columns, rows) | {"max_features": span(0.05, 1.0, columns**-0.5, 1.0, 0.5, 1.0)}


def _forest(columns: int, rows: int, default: float | None = None) -> dict[str, Option]:
    share = min(max(default or columns**-0.5, 0.05), 1.0)
    return {
        "n_estimators": count(30, 400, 100, 300, 300, 300),
        "max_features": span(0.05, 1.0, share, 0.5 * (share + 0.4), share, 0.5 * share),
        "min_samples_leaf": count(1, min(32, max(rows // 10, 1)), 1, 1, 3, 1),
        "max_depth": count(2, _DEEP, _DEEP),
    }


def _forest_classes(columns: int, rows: int) -> dict[str, Option]:
    return _forest(columns, rows) | {"class_weight": Choice((None, "balanced"))}


def _forest_values(columns: int, rows: int) -> dict[str, Option]:
    return _forest(columns, rows, 1.0)


def _boosting(_columns: int, rows: int) -> dict[str, Option]:
    return {
        "learning_rate": log(0.01, 0.5, 0.1, 0.03, 0.1, 0.1),
        "n_estimators": count(20, 600, 100, 500, 300, 200),
        "max_depth": count(1, 8, 3, 3, 1, 5, log=False),
        "subsample": share(0.4, 0.7, 0.8, 0.8),
        "max_features": share(0.1, 0.5, 0.5, 0.5),
        "min_samples_leaf": count(1, min(64, max(rows // 10, 1)), 1, 1, 1, 5),
    }


def _histograms(_columns: int, rows: int) -> dict[str, Option]:
    return {
        "learning_rate": log(0.01, 0.5, 0.1, 0.05, 0.05, 0.1),
        "max_iter": count(20, 500, 100, 200, 300, 100),
        "max_leaf_nodes": count(3, 128, 31, 15, 6, 15),
        "min_samples_leaf": count(2, min(100, max(rows // 5, 2)), 20, 10, 10, 5),
        "l2_regularization": log(1e-6, 1e2, 1e-6, 1.0, 1.0, 10.0),
        "max_features": share(0.2, 0.6, 0.6, 0.4),
    }


def _xgboost(_columns: int, _rows: int) -> dict[str, Option]:
    return {
        "learning_rate": log(0.01, 0.5, 0.3, 0.03, 0.1, 0.1),
        "n_estimators": count(20, 600, 100, 500, 300, 200),
        "max_depth": count(1, 10, 6, 3, 1, 4, log=False),
        "min_child_weight": log(0.1, 30.0, 1.0),
        "subsample": share(0.4, 0.7, 0.8, 0.8),
        "colsample_bytree": share(0.3, 0.7, 0.8, 0.8),
        "reg_lambda": log(1e-3, 1e2, 1.0),
    }


def _lightgbm(_columns: int, rows: int) -> dict[str, Option]:
    return {
        "learning_rate": log(0.01, 0.5, 0.1, 0.05, 0.05, 0.1),
        "n_estimators": count(20, 600, 100, 200, 400, 100),
        "num_leaves": count(3, 128, 31, 15, 6, 63),
        "min_child_samples": count(2, min(100, max(rows // 5, 2)), 20, 10, 10, 5),
        "colsample_bytree": share(0.3, 0.8, 0.6, 0.5),
        "reg_lambda": log(1e-6, 1e2, 1e-6, 1.0, 1.0, 3.0),
    }


def _xgboost_booster(_columns: int, _rows: int) -> dict[str, Option]:
    return {
        "learning_rate": log(0.01, 0.5, 0.3),
        "max_depth": count(1, 10, 6, log=False),
        "min_child_weight": log(0.1, 30.0, 1.0),
        "subsample": share(0.4),
        "colsample_bytree": share(0.3),
    }


def _lightgbm_booster(_columns: int, _rows: int) -> dict[str, Option]:
    return {
        "learning_rate": log(0.01, 0.5, 0.1),
        "num_leaves": count(3, 128, 31),
        "min_data_in_leaf": count(2, 100, 20),
        "feature_fraction": share(0.3),
    }


def _adaboost(_columns: int, _rows: int) -> dict[str, Option]:
    return {"n_estimators": count(20, 400, 50), "learning_rate": log(0.01, 2.0, 1.0)}


def _bagging(_columns: int, _rows: int) -> dict[str, Option]:
    return {
        "n_estimators": count(5, 200, 10),
        "max_samples": share(0.2),
        "max_features": share(0.2),
    }


SPACES: dict[str, Spaces] = {
    "DecisionTreeClassifier": _tree,
    "DecisionTreeRegressor": _tree,
    "ExtraTreeClassifier": _random_tree,
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
    "XGBClassifier": _xgboost,
    "XGBRegressor": _xgboost,
    "LGBMClassifier": _lightgbm,
    "LGBMRegressor": _lightgbm,
    "xgboost": _xgboost_booster,
    "lightgbm": _lightgbm_booster,
}
