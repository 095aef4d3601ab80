"""`shrink`: branches that are not worth their size are cut off."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modelyard.optimization.making import model_of_object
from modelyard.optimization.passes.interface import Choice, Made, Option
from modelyard.optimization.passes.torch.networks import number
from modelyard.optimization.passes.trees.ensembles import (
    FORESTS,
    class_of,
    ensemble_in,
    rows_to_choose_by,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.lineage import LineageKind
    from modelyard.optimization.passes.trees.ensembles import Ensemble
    from modelyard.optimization.state import Model, Subject, Work

__all__ = ["PASS"]

Json = Any

TREES = ("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier",
         "ExtraTreeRegressor")  # fmt: skip
TOLERANCES = (0.002, 0.0, 0.005, 0.01, 0.02)
_TRIED = (0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 0.86, 0.9, 0.93, 0.96, 0.98, 0.99)
"""Shares of the branches whose cost lies below what is tried."""


class Shrink:
    """Options beyond `tolerance`: `alpha` (what a leaf has to be worth: `ccp_alpha`), `leaves`
    (share of the leaves to keep)."""

    NAME = "shrink"
    KIND: Literal["model"] = "model"
    LINEAGE: LineageKind = "pruned-from"
    SUMMARY = "Cuts the branches of trees that are not worth their size, without learning again"

    def why_not(self, subject: Subject) -> str | None:
        """It takes decision trees, random forests and extra trees of scikit-learn."""
        name = class_of(subject)
        if subject.serializer == "onnx":
            return "a converted model does not keep what its branches are worth"
        if subject.framework != "sklearn" or (name is not None and name not in (*FORESTS, *TREES)):
            return "it takes decision trees, random forests and extra trees of scikit-learn"
        return None if subject.rows else "what is cut is chosen by rows, and there are none"

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`tolerance`: the accuracy, or R squared, that may be lost."""
        del subject
        return {"tolerance": Choice(TOLERANCES)}

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        """Minimal cost-complexity pruning (Breiman et al. 1984) of fitted trees.

        A fit with the same `ccp_alpha` on the same rows gives the same trees.

        Raises:
            InvalidInput: `bad-pass-option`, `no-rows`.
            Unsupported: `not-improvable`.
        """
        ensemble = ensemble_in(model, work.task, (*FORESTS, *TREES))
        before = leaves(ensemble)
        alpha = _alpha(ensemble, params, work)
        found = pruned(ensemble, alpha)
        after = leaves(found)
        if after >= before:
            return Made(model=None, why=f"all {before} leaves are needed", params={"alpha": alpha})
        example = work.train.inputs if work.train is not None else None
        return Made(
            model=model_of_object(found.obj, work.folder(), like=model, example=example),
            notes=(f"{after:,} of {before:,} leaves are left (ccp_alpha {alpha:.3g})",),
            params={"alpha": alpha},
            changed=({"layer": "leaves", "change": 1 - after / before, "shape": [after]},),
        )


def pruned(ensemble: Ensemble, alpha: float) -> Ensemble:
    """The same with smaller trees; the parameter `ccp_alpha` tells it."""
    found = copy.copy(ensemble.trees)
    found.ccp_alpha = alpha
    if ensemble.is_forest:
        found.estimators_ = [_smaller(each, alpha) for each in ensemble.trees.estimators_]
        for stale in ("oob_score_", "oob_decision_function_", "oob_prediction_"):
            found.__dict__.pop(stale, None)
    else:
        found = _smaller(found, alpha)
    return ensemble.with_trees(found)


def _smaller(tree: Any, alpha: float) -> Any:
    found = copy.copy(tree)
    found.ccp_alpha = alpha
    found._prune_tree()  # makes another tree_: the one that is shared stays as it is
    return found


def leaves(ensemble: Ensemble) -> int:
    """Of all trees together."""
    return sum(int(each.tree_.n_leaves) for each in _members(ensemble))


def _members(ensemble: Ensemble) -> list[Any]:
    return list(ensemble.trees.estimators_) if ensemble.is_forest else [ensemble.trees]


def _alpha(ensemble: Ensemble, params: Mapping[str, Json], work: Work) -> float:
    if "alpha" in params:
        return number(params, "alpha", 0.0, 0.0, 1e30)
    worth = _worths(ensemble)
    if not len(worth):
        return 0.0
    if "leaves" in params:
        return _alpha_for(ensemble, worth, number(params, "leaves", 1.0, 0.0, 1.0))
    rows = rows_to_choose_by(ensemble, work)
    tolerance = number(params, "tolerance", TOLERANCES[0], 0.0, 1.0)
    whole = float(ensemble.hits(rows).mean())
    chosen = 0.0
    for share in _TRIED:
        alpha = float(np.quantile(worth, share))
        right = float(pruned(ensemble, alpha).hits(rows).mean())
        work.tell(f"ccp_alpha {alpha:.3g}: {right:.4f}, was {whole:.4f}", None)
        if right < whole - tolerance:
            break
        chosen = alpha
    return chosen


def _alpha_for(ensemble: Ensemble, worth: Any, share: float) -> float:
    """The smallest of about a thousand that leaves no more leaves than wanted."""
    wanted = share * leaves(ensemble)
    low, high = 0, 1000
    while low < high:
        middle = (low + high) // 2
        if leaves(pruned(ensemble, float(np.quantile(worth, middle / 1000)))) <= wanted:
            high = middle
        else:
            low = middle + 1
    return float(np.quantile(worth, min(low, 1000) / 1000))


def _worths(ensemble: Ensemble) -> Any:
    """What the branches of the first trees are worth by leaf; those of others are alike."""
    from sklearn.tree._tree import ccp_pruning_path

    found = [ccp_pruning_path(each.tree_)["ccp_alphas"] for each in _members(ensemble)[:20]]
    together = np.sort(np.concatenate(found))
    return together[together > 0]


PASS = Shrink()
