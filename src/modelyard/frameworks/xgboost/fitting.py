"""Training XGBoost objects on rows."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidInput
from modelyard.frameworks.boosting import (
    by_query,
    check_rounds,
    column_names,
    fit_matrix,
    target_of,
)
from modelyard.frameworks.xgboost.objects import (
    booster_of,
    config_of,
    hyperparameters,
    is_booster,
    library,
    names_of,
    quiet,
)
from modelyard.frameworks.xgboost.saving import reason

if TYPE_CHECKING:
    from modelyard.core.table import Table

__all__ = ["fit"]

Array = np.ndarray[Any, Any]

_FIXED = frozenset({
    "base_score", "boost_from_average", "fail_on_invalid_gpu_id", "num_trees", "seed",
    "random_state", "seed_per_iteration", "validate_parameters", "num_feature",
})  # fmt: skip
"""What a new training finds out by itself."""


def fit(obj: Any, inputs: Table, target: Any, *, epochs: int | None, seed: int) -> Any:
    """The object trained on rows.

    With `epochs` that many rounds are added to the trees that are there; without it all trees are
    grown anew, as many rounds as before (estimators: their `n_estimators`). What was fitted with
    names takes its own columns, and leaves others out. They must be numbers, NaN is missing. A
    ranker takes the column `qid`: the query that a row belongs to.

    Raises:
        InvalidInput: `not-numeric`, `no-column`, `bad-target`, `bad-epochs`.
    """
    check_rounds(epochs)
    xgboost = library()
    queries = None
    if _ranks(obj):
        queries = inputs.column("qid")
        inputs = inputs.without("qid")
    known = _known_names(obj)
    names = known or column_names(inputs, "[]<")
    rows = fit_matrix(inputs, known)
    wanted = target_of(target, len(rows))
    if queries is not None:
        order, _ = by_query(queries)
        rows, wanted, queries = rows[order], wanted[order], queries[order]
    try:
        with quiet():
            if is_booster(obj):
                return _booster(obj, rows, wanted, queries, names, epochs, seed)
            return _estimator(obj, rows, wanted, queries, names, epochs, seed)
    except (xgboost.core.XGBoostError, ValueError, TypeError) as error:
        raise InvalidInput(
            "bad-target", f"XGBoost can't be fitted to this: {reason(error)}",
            hint="classes are numbers 0, 1, 2, ...; encode labels of text",
        ) from None  # fmt: skip


def _known_names(obj: Any) -> list[str] | None:
    fitted = is_booster(obj) or obj.__sklearn_is_fitted__()
    return names_of(obj) if fitted else None


def _ranks(obj: Any) -> bool:
    if is_booster(obj):
        return str(config_of(obj)["objective"]["name"]).startswith("rank:")
    return isinstance(obj, library().XGBRanker)


def _estimator(
    obj: Any, rows: Array, target: Array, queries: Array | None, names: list[str] | None,
    epochs: int | None, seed: int,
) -> Any:  # fmt: skip
    found = copy.deepcopy(obj)
    forest = type(obj).__name__.startswith("XGBRF")
    if epochs and forest:
        raise InvalidInput("bad-epochs", "a random forest has no rounds", hint="set n_estimators")
    before = None
    if epochs and obj.__sklearn_is_fitted__():
        before = _nameless(booster_of(obj))
    kept = {
        "early_stopping_rounds": found.early_stopping_rounds
    }  # there is no other data to stop by
    found.early_stopping_rounds = None
    if found.random_state is None:
        kept["random_state"] = None
        found.random_state = seed
    if epochs:
        found.n_estimators = epochs
    extra = {} if queries is None else {"qid": queries}
    found.fit(rows, target, verbose=False, xgb_model=before, **extra)
    booster = found.get_booster()
    if epochs:
        found.n_estimators = booster.num_boosted_rounds()
    for name, value in kept.items():
        setattr(found, name, value)
    booster.feature_names = names
    return found


def _nameless(booster: Any) -> Any:
    """Rows come without names here; they are set again after the training."""
    found = booster.copy()
    found.feature_names = found.feature_types = None
    return found


def _booster(
    obj: Any, rows: Array, target: Array, queries: Array | None, names: list[str] | None,
    epochs: int | None, seed: int,
) -> Any:  # fmt: skip
    xgboost = library()
    data = xgboost.DMatrix(rows, target, qid=queries)
    params: dict[str, Any] = {k: v for k, v in hyperparameters(obj).items() if k not in _FIXED}
    model = config_of(obj)
    inner = model["learner_model_param"]
    if int(inner["num_class"]):
        params["num_class"] = inner["num_class"]
    params |= {"seed": seed, "num_parallel_tree": _parallel(model)}
    rounds = epochs or obj.num_boosted_rounds()
    found = xgboost.train(
        params, data, rounds, xgb_model=_nameless(obj) if epochs else None, verbose_eval=False
    )
    found.feature_names = names
    return found


def _parallel(model: dict[str, Any]) -> int:
    booster = model["gradient_booster"]
    forest = booster.get("gbtree", booster).get("gbtree_model_param", {})
    return int(forest.get("num_parallel_tree", "1"))
