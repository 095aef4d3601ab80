"""LightGBM objects to text and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from modelyard.core.extras import need
from modelyard.errors import InvalidInput
from modelyard.formats import inspect
from modelyard.formats.reading import bad, printable
from modelyard.frameworks.boosting import checked_names, decoded, encoded, history_of
from modelyard.frameworks.interface import Files, Json, Saved
from modelyard.frameworks.lightgbm.checking import FOREIGN, check_model
from modelyard.frameworks.lightgbm.objects import (
    CLASSES,
    booster_of,
    is_booster,
    library,
    loaded,
    text_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.core.trust import Trust

__all__ = ["claims", "fill", "load", "save"]

_FILE = "model.txt"


def save(obj: Any, folder: Path, serializer: str, example: Any = None) -> Saved:
    """Write `model.txt`. InvalidInput: `not-savable`, `not-fitted`."""
    del example
    kind = type(obj)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if name not in CLASSES:
        raise InvalidInput(
            "not-savable", f"{name} is no class of LightGBM, and could not be made again",
            hint="commit its Booster: model.booster_",
        )  # fmt: skip
    booster = booster_of(obj)
    details: dict[str, Json] = {"file": _FILE}
    if booster.best_iteration > 0:
        details["best_iteration"] = booster.best_iteration
        details["best_score"] = encoded("best_score", history_of(booster.best_score))
    if not is_booster(obj):
        details |= _of_estimator(obj)
    (folder / _FILE).write_text(text_of(booster), encoding="utf-8", newline="\n")
    return Saved(framework="lightgbm", serializer=serializer, class_name=name, details=details)


def _of_estimator(obj: Any) -> dict[str, Json]:
    params = obj.get_params(deep=False)
    found: dict[str, Json] = {
        "params": {key: encoded(key, value) for key, value in params.items()},
        "objective": encoded("objective", obj.objective_),
        "features": obj.n_features_in_,
        "named": hasattr(obj, "feature_names_in_"),
    }
    if hasattr(obj, "classes_") and obj.classes_ is not None:
        found["classes"] = encoded("classes", obj.classes_)
    history = history_of(obj.evals_result_)
    if history and len(json.dumps(history)) <= 200_000:
        found["evals_result"] = encoded("evals_result", history)
    return found


def claims(files: Files) -> Saved | None:
    """One file that is a LightGBM model."""
    models = [path for path in files.paths() if path.endswith(".txt") and _is_model(files, path)]
    if len(models) != 1:
        return None
    return Saved(
        framework="lightgbm", serializer="text", class_name="lightgbm.basic.Booster",
        details={"file": models[0]},
    )  # fmt: skip


def _is_model(files: Files, path: str) -> bool:
    with files.open(path) as file:
        try:
            return inspect(file, path, scan=False).format == "lightgbm"
        except InvalidInput:
            return False


def load(files: Files, saved: Saved, trust: Trust, into: Any = None) -> Any:
    """A Booster or an estimator.

    The file is checked first; that is left out for what the caller trusts altogether.

    Raises:
        Denied: `untrusted`: an estimator has parameters that name files or other machines, which
            its `fit` would use: `lightgbm.machines`, `lightgbm.forcedsplits_filename`, ...
        InvalidInput: `not-loadable`, `no-into`.
    """
    if into is not None:
        raise InvalidInput("no-into", "LightGBM models are loaded into new objects")
    name = CLASSES.get(saved.class_name)
    path = saved.details.get("file", _FILE)
    params = saved.details.get("params", {})
    if name is None or not isinstance(path, str) or not isinstance(params, dict):
        raise bad("not-loadable", f"LightGBM has no class {printable(saved.class_name, 80)}")
    foreign = [f"lightgbm.{key}" for key, value in params.items() if key in FOREIGN and value]
    trust.require(path, foreign, why="would use the parameters")
    data = files.read(path)
    if not trust.everything:
        try:
            check_model(data)
        except InvalidInput as error:
            raise bad("not-loadable", f"{path}: {error.message}") from None
    booster = loaded(data.decode("utf-8", "replace"))
    _set_best(booster, saved.details)
    return booster if name == "Booster" else _estimator(name, booster, saved.details)


def _set_best(booster: Any, details: Any) -> None:
    best = details.get("best_iteration", -1)
    if type(best) is not int or not (best == -1 or 0 < best <= booster.current_iteration()):
        raise bad("not-loadable", "the best round of the saved object is malformed")
    booster.best_iteration = best
    if best > 0:
        booster.best_score = decoded(details.get("best_score", {"dict": []}))


def _estimator(name: str, booster: Any, details: Any) -> Any:
    cls = getattr(library(), name)
    params = {key: decoded(value) for key, value in details.get("params", {}).items()}
    checked_names(cls, params, cls().get_params(deep=False), name)
    try:
        estimator = cls(**params)
        return fill(estimator, booster, {key: decoded(details.get(key)) for key in _KEPT})
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise bad("not-loadable", f"{name} can't be made again: {printable(str(error))}") from None


_KEPT = ("objective", "features", "named", "classes", "evals_result")


def fill(estimator: Any, booster: Any, kept: dict[str, Any]) -> Any:
    """An estimator that holds a Booster, as `fit` would have left it.

    LightGBM offers no way in, so its own attributes are set.
    """
    features = booster.num_feature()
    if kept["features"] not in (None, features):
        raise ValueError("another number of features")
    estimator._Booster = booster
    estimator._n_features = estimator._n_features_in = features
    estimator._fitted_with_feature_names = kept["named"] is True
    estimator._objective = kept["objective"]
    estimator._best_iteration = booster.best_iteration
    estimator._best_score = booster.best_score
    estimator._evals_result = kept["evals_result"] or {}
    estimator._class_weight = estimator.class_weight
    if kept["classes"] is not None:
        _fill_classes(estimator, kept["classes"], booster)
    estimator.fitted_ = True
    return estimator


def _fill_classes(estimator: Any, classes: Any, booster: Any) -> None:
    count = booster.num_model_per_iteration()
    if getattr(classes, "ndim", 0) != 1 or count not in (1, len(classes)) or not len(classes):
        raise ValueError("another number of classes")
    if count == 1 and len(classes) > 2:
        raise ValueError("another number of classes")
    encoder = need("sklearn.preprocessing", "lightgbm").LabelEncoder()
    encoder.classes_ = classes
    estimator._le = encoder
    estimator._classes = classes
    estimator._n_classes = len(classes)
    estimator._class_map = {label: index for index, label in enumerate(classes)}
    if isinstance(estimator.class_weight, dict):
        weights = estimator.class_weight.items()
        estimator._class_weight = {estimator._class_map[label]: w for label, w in weights}
