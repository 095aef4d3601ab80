"""Training LightGBM objects on rows."""

from __future__ import annotations

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
from modelyard.frameworks.lightgbm.checking import FOREIGN
from modelyard.frameworks.lightgbm.objects import (
    booster_of,
    head_of,
    is_booster,
    library,
    names_of,
    quiet,
    reason,
    typed_parameters_of,
)

if TYPE_CHECKING:
    from modelyard.core.table import Table

__all__ = ["fit"]

Array = np.ndarray[Any, Any]

_STOPPING = ("early_stopping_round", "early_stopping_rounds", "early_stopping", "n_iter_no_change")
_SEEDS = (
    "bagging_seed", "data_random_seed", "drop_seed", "extra_seed", "feature_fraction_seed",
    "objective_seed",
)  # fmt: skip


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
    queries = None
    if _ranks(obj):
        queries = inputs.column("qid")
        inputs = inputs.without("qid")
    fitted = is_booster(obj) or obj.__sklearn_is_fitted__()
    known = names_of(obj) if fitted else None
    names = known or _names(inputs)
    rows = fit_matrix(inputs, known)
    wanted = target_of(target, len(rows))
    groups = None
    if queries is not None:
        order, groups = by_query(queries)
        rows, wanted = rows[order], wanted[order]
    lightgbm = library()
    train = _booster if is_booster(obj) else _estimator
    more = fitted and epochs is not None
    try:
        with quiet():
            return train(obj, rows, wanted, groups, names or "auto", epochs, more, seed)
    except (lightgbm.basic.LightGBMError, ValueError, TypeError) as error:
        raise InvalidInput(
            "bad-target", f"LightGBM can't be fitted to this: {reason(error)}"
        ) from None


def _names(inputs: Table) -> list[str] | None:
    """Names that LightGBM can keep; it makes spaces underscores, and wants no name twice."""
    names = column_names(inputs, '"\\,:[]{}\t\n')
    spelled = [name.replace(" ", "_") for name in names or ()]
    return spelled if names and len(set(spelled)) == len(names) else None


def _ranks(obj: Any) -> bool:
    if is_booster(obj):
        return head_of(obj).get("objective", "").startswith(("lambdarank", "rank_xendcg"))
    return isinstance(obj, library().LGBMRanker)


def _estimator(
    obj: Any, rows: Array, target: Array, groups: Array | None, names: Any,
    epochs: int | None, more: bool, seed: int,
) -> Any:  # fmt: skip
    params = obj.get_params(deep=False)
    kept = {name: params[name] for name in _STOPPING if name in params}  # without data to stop by
    used = {name: value for name, value in params.items() if name not in kept}
    if used["random_state"] is None:
        kept["random_state"] = None
        used["random_state"] = seed
    if epochs:
        used["n_estimators"] = epochs
    found = type(obj)(**used)
    known = getattr(obj, "classes_", None) if more else None
    if known is not None and not np.array_equal(np.unique(target), known):
        raise ValueError("more rounds need the same classes as before")
    extra = {} if groups is None else {"group": groups}
    found.fit(
        rows, target, feature_name=names, init_model=booster_of(obj) if more else None, **extra
    )
    if epochs:
        kept["n_estimators"] = found.booster_.current_iteration()
    return found.set_params(**kept)


def _booster(
    obj: Any, rows: Array, target: Array, groups: Array | None, names: Any,
    epochs: int | None, more: bool, seed: int,
) -> Any:  # fmt: skip
    lightgbm = library()
    drop = {*FOREIGN, *_STOPPING, *_SEEDS, "num_iterations", "categorical_feature"}
    own = typed_parameters_of(obj)
    params: dict[str, Any] = {name: value for name, value in own.items() if name not in drop}
    params["seed"] = seed
    objective = head_of(obj).get("objective")
    if objective is None:
        raise InvalidInput(
            "bad-target", "the Booster was trained with a function that it does not hold",
            hint="train it yourself, and commit it",
        )  # fmt: skip
    data = lightgbm.Dataset(rows, target, group=groups, feature_name=names, params=params)
    rounds = epochs or obj.current_iteration()
    found = lightgbm.train(params, data, rounds, init_model=obj if more else None)
    return found.free_dataset()
