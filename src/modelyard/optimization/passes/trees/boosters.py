"""The trees of XGBoost and LightGBM as plain arrays."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.frameworks.interface import bases_of
from modelyard.optimization.passes.trees.forests import Forest, Tree

if TYPE_CHECKING:
    from modelyard.optimization.passes.trees.forests import Link

__all__ = ["lightgbm_forest", "xgboost_forest"]

Json = Any
Array = np.ndarray[Any, Any]


# --- XGBoost ---------------------------------------------------------------------------------

_XGBOOST: dict[str, Link] = {
    "binary:logistic": "logistic", "multi:softprob": "softmax", "multi:softmax": "softmax",
    "reg:squarederror": "none", "reg:absoluteerror": "none", "reg:quantileerror": "none",
    "reg:squaredlogerror": "none", "reg:pseudohubererror": "none", "reg:logistic": "logistic-each",
    "count:poisson": "exp", "reg:gamma": "exp", "reg:tweedie": "exp",
    "rank:pairwise": "none", "rank:ndcg": "none", "rank:map": "none",
}  # fmt: skip
_ROOT = 2147483647
"""The feature of a node that pruning took away."""


def xgboost_forest(obj: Any) -> Forest | None:
    """Trees of a Booster or an estimator; XGBoost compares and adds in float32.

    None for linear boosters, categories, several targets, a value that stands for missing ones.
    """
    estimator = "xgboost.core.Booster" not in bases_of(obj)
    booster = obj.get_booster() if estimator else obj
    if estimator and not np.isnan(obj.missing):
        return None
    learner: Json = json.loads(bytes(booster.save_raw("json")))["learner"]
    parameters, boosting = learner["learner_model_param"], learner["gradient_booster"]
    objective = learner["objective"]["name"]
    weights = boosting.get("weight_drop")
    boosting = boosting.get("gbtree", boosting)
    if "trees" not in boosting.get("model", {}) or objective not in _XGBOOST:
        return None
    if int(parameters.get("num_target", "1")) > 1:
        return None
    classes = max(int(parameters["num_class"]), 2 if objective == "binary:logistic" else 0)
    if not estimator and objective == "multi:softmax":
        return None  # a Booster gives labels then, and nothing else
    outputs = classes if classes > 2 or objective.startswith("multi:") else 1
    model = boosting["model"]
    trees = []
    for number, (tree, output) in enumerate(zip(model["trees"], model["tree_info"], strict=True)):
        found = _xgboost_tree(tree, output, 1.0 if weights is None else weights[number])
        if found is None:
            return None
        trees.append(found)
    trees = _up_to_the_best(trees, booster, model) if estimator else trees
    return Forest(
        trees=tuple(trees), columns=int(parameters["num_feature"]), outputs=outputs,
        classes=np.arange(classes) if classes else None,
        base=_margins(parameters["base_score"], _XGBOOST[objective], outputs),
        link=_XGBOOST[objective], strict=True,
    )  # fmt: skip


def _up_to_the_best(trees: list[Tree], booster: Any, model: Json) -> list[Tree]:
    """Estimators predict with the rounds up to the best one, if training stopped early."""
    best = booster.attr("best_iteration")
    starts = model.get("iteration_indptr")
    if best is None or starts is None or int(best) + 1 >= len(starts):
        return trees
    return trees[: starts[int(best) + 1]]


def _margins(text: str, link: Link, outputs: int) -> Array:
    """Scores to begin with, which XGBoost keeps as predictions."""
    found = np.array([float(part) for part in str(text).strip("[]").split(",")], np.float64)
    found = np.broadcast_to(found, (outputs,)).astype(np.float64)
    if link in ("logistic", "logistic-each"):
        return np.log(found / (1 - found))
    return np.log(found) if link == "exp" else found


def _xgboost_tree(tree: Json, output: int, weight: float) -> Tree | None:
    if tree["categories_nodes"] or int(tree["tree_param"]["size_leaf_vector"]) > 1:
        return None
    left = np.array(tree["left_children"], np.int64)
    feature = np.array(tree["split_indices"], np.int64)
    leaf = (left == -1) | (feature == _ROOT)
    # float32 numbers in decimal: float64 would not have the same ones
    conditions = np.array(tree["split_conditions"], np.float32).astype(np.float64)
    return Tree(
        feature=np.where(leaf, 0, feature),
        threshold=np.where(leaf, 0.0, conditions),
        left=np.where(leaf, 0, left),
        right=np.where(leaf, 0, np.array(tree["right_children"], np.int64)),
        leaf=leaf,
        missing_left=np.array(tree["default_left"], bool),
        values=np.where(leaf, conditions * weight, 0.0)[:, None],
        output=output,
    )


# --- LightGBM --------------------------------------------------------------------------------

_LIGHTGBM: dict[str, Link] = {
    "binary": "logistic", "multiclass": "softmax", "cross_entropy": "logistic-each",
    "regression": "none", "regression_l1": "none", "huber": "none", "fair": "none",
    "quantile": "none", "mape": "none", "poisson": "exp", "gamma": "exp", "tweedie": "exp",
    "lambdarank": "none", "rank_xendcg": "none",
}  # fmt: skip
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_NONE, _NAN = 0, 2
"""What counts as missing; 1 is zero."""


def lightgbm_forest(obj: Any) -> Forest | None:
    """Trees of a Booster or an estimator, up to its best round; LightGBM compares in float64.

    None for categories, linear leaves, zero as a missing value, and `multiclassova`.
    """
    from modelyard.frameworks.lightgbm.objects import booster_of, head_of
    from modelyard.frameworks.lightgbm.predicting import facts_of

    booster = booster_of(obj)
    head, facts = head_of(booster), facts_of(obj)
    words = head.get("objective", "").split(" ")
    if words[0] not in _LIGHTGBM:
        return None
    options = dict(word.split(":") for word in words[1:] if ":" in word)
    outputs = int(head["num_tree_per_iteration"])
    told = booster.dump_model(num_iteration=None)
    rounds = len(told["tree_info"]) // outputs
    rate = 1.0 / rounds if "average_output" in _lines(booster) else 1.0
    trees = []
    for number, tree in enumerate(told["tree_info"]):
        found = _lightgbm_tree(tree, number % outputs)
        if found is None:
            return None
        trees.append(replace(found, values=found.values * rate))
    link: Link = "signed-square" if "sqrt" in words else _LIGHTGBM[words[0]]
    return Forest(
        trees=tuple(trees), columns=int(head["max_feature_idx"]) + 1, outputs=outputs,
        classes=facts.classes, base=np.zeros(outputs), link=link,
        slope=float(options.get("sigmoid", 1.0)), double=True,
    )  # fmt: skip


def _lines(booster: Any) -> frozenset[str]:
    """Lines of the text before the trees, as they are."""
    text: str = booster.model_to_string(num_iteration=1)
    return frozenset(text.partition("\n\n")[0].split("\n"))


def _lightgbm_tree(tree: Json, output: int) -> Tree | None:
    rows: list[tuple[int, float, int, int, bool, bool, float]] = []
    waiting: list[tuple[Json, int, int]] = [(tree["tree_structure"], -1, 0)]
    children: dict[int, list[int]] = {}
    while waiting:
        node, parent, side = waiting.pop()
        place = len(rows)
        if parent >= 0:
            children[parent][side] = place
        if "split_feature" not in node:
            if "leaf_coeff" in node:
                return None
            rows.append((0, 0.0, 0, 0, True, False, float(node["leaf_value"])))
            continue
        missing = str(node["missing_type"])
        threshold = node["threshold"]
        if node["decision_type"] != "<=" or missing == "Zero":
            return None
        # where nothing was missing in training, NaN counts as 0
        goes_left = bool(node["default_left"]) if missing == "NaN" else float(threshold) >= 0.0
        rows.append((int(node["split_feature"]), float(threshold), 0, 0, False, goes_left, 0.0))
        children[place] = [0, 0]
        waiting += [(node["right_child"], place, 1), (node["left_child"], place, 0)]
    columns = list(zip(*rows, strict=True))
    left, right = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
    for place, (low, high) in children.items():
        left[place], right[place] = low, high
    return Tree(
        feature=np.array(columns[0], np.int64), threshold=np.array(columns[1], np.float64),
        left=left, right=right, leaf=np.array(columns[4], bool),
        missing_left=np.array(columns[5], bool), values=np.array(columns[6], np.float64)[:, None],
        output=output,
    )  # fmt: skip
