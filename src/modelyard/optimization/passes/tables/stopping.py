"""Early stopping of boosting: how many rounds are enough, by rows that it did not learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.frameworks import framework_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.optimization.state import Rows, Task

__all__ = ["best_rounds", "rounds_name"]

Array = np.ndarray[Any, Any]

_NAMES = {
    "GradientBoostingClassifier": "n_estimators",
    "GradientBoostingRegressor": "n_estimators",
    "HistGradientBoostingClassifier": "max_iter",
    "HistGradientBoostingRegressor": "max_iter",
    "XGBClassifier": "n_estimators",
    "XGBRegressor": "n_estimators",
    "LGBMClassifier": "n_estimators",
    "LGBMRegressor": "n_estimators",
}


def rounds_name(class_name: str) -> str | None:
    """The parameter that tells how many rounds a class of boosting learns; None for others."""
    return _NAMES.get(class_name.rpartition(".")[2])


def best_rounds(obj: Any, rows: Rows, task: Task) -> int | None:
    """With how many of its rounds a fitted object predicts these rows best; None: nothing known.

    Classes are judged by the log loss, which tells more of few rows than the accuracy does (as the
    libraries' own early stopping has it); numbers by the square error. The fewest rounds within a
    thousandth of the best are taken.
    """
    target = rows.target
    if target is None or not len(rows) or rounds_name(type(obj).__name__) is None:
        return None
    losses = []
    if task == "classification":
        places = {str(value): at for at, value in enumerate(obj.classes_)}
        truth = np.array([places.get(str(value), -1) for value in target.tolist()])
        if (truth < 0).any():
            return None
        for chances in _staged(obj, rows, proba=True):
            right = chances[np.arange(len(truth)), truth]
            losses.append(float(-np.log(np.clip(right, 1e-12, 1.0)).mean()))
    else:
        wanted = target.astype(np.float64)
        losses = [
            float(((np.ravel(each) - wanted) ** 2).mean())
            for each in _staged(obj, rows, proba=False)
        ]
    if not losses:
        return None
    enough = min(losses) * 1.001 + 1e-12
    return 1 + next(at for at, loss in enumerate(losses) if loss <= enough)


def _staged(obj: Any, rows: Rows, *, proba: bool) -> Iterator[Array]:
    """Predictions with the first round, the first two, and so on."""
    name = framework_of(obj).NAME
    if name == "sklearn":
        from modelyard.frameworks.sklearn.inputs import arranged

        yield from (obj.staged_predict_proba if proba else obj.staged_predict)(
            arranged(obj, rows.inputs)
        )
        return
    from modelyard.frameworks.boosting import matrix_of

    booster = obj.get_booster() if name == "xgboost" else obj.booster_
    if name == "xgboost":
        import xgboost

        given: Any = xgboost.DMatrix(
            matrix_of(rows.inputs, booster.feature_names), feature_names=booster.feature_names
        )
        rounds = booster.num_boosted_rounds()
    else:
        given = matrix_of(rows.inputs, booster.feature_name())
        rounds = booster.current_iteration()
    for count in range(1, rounds + 1):
        if name == "xgboost":
            found = booster.predict(given, iteration_range=(0, count))
        else:
            found = booster.predict(given, num_iteration=count)
        found = np.asarray(found)
        yield np.column_stack([1 - found, found]) if proba and found.ndim == 1 else found
