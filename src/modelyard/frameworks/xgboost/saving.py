"""XGBoost objects to files and back."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats import inspect
from modelyard.formats.reading import bad, printable
from modelyard.frameworks.boosting import checked_names, decoded, encoded, history_of
from modelyard.frameworks.interface import Files, Json, Saved
from modelyard.frameworks.xgboost.checking import check_model
from modelyard.frameworks.xgboost.objects import (
    CLASSES,
    booster_of,
    filled,
    hyperparameters,
    is_booster,
    library,
    quiet,
)

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.core.trust import Trust

__all__ = ["claims", "load", "save"]

_HISTORY = 200_000
"""Characters of the history of evaluation that a manifest keeps."""


def save(obj: Any, folder: Path, serializer: str, example: Any = None) -> Saved:
    """Write `model.ubj` or `model.json`. InvalidInput: `not-savable`, `not-fitted`."""
    del example
    kind = type(obj)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if name not in CLASSES:
        raise InvalidInput(
            "not-savable", f"{name} is no class of XGBoost, and could not be made again",
            hint="commit its Booster: model.get_booster()",
        )  # fmt: skip
    booster = booster_of(obj)
    details: dict[str, Json] = {"file": f"model.{serializer}"}
    if is_booster(obj):
        changed = _beyond_file(booster)
        details |= {"params": changed} if changed else {}
    else:
        params = obj.get_params(deep=False)
        details["params"] = {key: encoded(key, value) for key, value in params.items()}
        history = history_of(getattr(obj, "evals_result_", None))
        if history and len(json.dumps(history)) <= _HISTORY:
            details["evals_result"] = encoded("evals_result", history)
    with quiet():
        obj.save_model(os.fspath(folder / f"model.{serializer}"))
    return Saved(framework="xgboost", serializer=serializer, class_name=name, details=details)


def _beyond_file(booster: Any) -> dict[str, str]:
    """Parameters that a Booster read from its own file would not have."""
    fresh = hyperparameters(_booster(bytes(booster.save_raw("ubj"))))
    ours = hyperparameters(booster)
    return {name: text for name, text in ours.items() if fresh.get(name) != text}


def claims(files: Files) -> Saved | None:
    """One file that is an XGBoost model, as UBJ or JSON."""
    found = [path for path in files.paths() if path.endswith((".ubj", ".json"))]
    models = [path for path in found if _is_model(files, path)]
    if len(models) != 1:
        return None
    path = models[0]
    serializer = path.rpartition(".")[2]
    return Saved(
        framework="xgboost", serializer=serializer, class_name="xgboost.core.Booster",
        details={"file": path},
    )  # fmt: skip


def _is_model(files: Files, path: str) -> bool:
    with files.open(path) as file:
        try:
            return inspect(file, path, scan=False).format == "xgboost"
        except InvalidInput:
            return False


def load(files: Files, saved: Saved, trust: Trust, into: Any = None) -> Any:
    """A Booster or an estimator. InvalidInput: `not-loadable`, `no-into`.

    Nothing in these files can be run, so no trust is asked for. The file is checked first; that
    is left out for what the caller trusts altogether.
    """
    if into is not None:
        raise InvalidInput("no-into", "XGBoost models are loaded into new objects")
    name = CLASSES.get(saved.class_name)
    path = saved.details.get("file", f"model.{saved.serializer}")
    params = saved.details.get("params", {})
    if name is None or not isinstance(path, str) or not isinstance(params, dict):
        raise bad("not-loadable", f"XGBoost has no class {printable(saved.class_name, 80)}")
    data = files.read(path)
    if not trust.everything:
        try:
            check_model(data)
        except InvalidInput as error:
            raise bad("not-loadable", f"{path}: {error.message}") from None
    booster = _booster(data)
    if name == "Booster":
        return _with_params(booster, params)
    return _estimator(name, booster, params, saved.details.get("evals_result"))


def _booster(data: bytes) -> Any:
    xgboost = library()
    try:
        with quiet():
            booster = xgboost.Booster(model_file=bytearray(data))
            booster.num_boosted_rounds()
            booster.save_config()
    except (xgboost.core.XGBoostError, ValueError, TypeError) as error:
        raise bad("not-loadable", f"XGBoost can't load it: {reason(error)}") from None
    return booster


def _with_params(booster: Any, params: dict[str, Json]) -> Any:
    known = hyperparameters(booster).keys() - {"booster", "objective", "multi_strategy"}
    wanted = {key: str(value) for key, value in params.items() if key in known}
    if wanted:
        try:
            with quiet():
                booster.set_param(wanted)
                booster.save_config()
        except (library().core.XGBoostError, ValueError) as error:
            raise bad("not-loadable", f"its parameters are wrong: {reason(error)}") from None
    return booster


def _estimator(name: str, booster: Any, params: dict[str, Json], history: Json) -> Any:
    cls = getattr(library(), name)
    wanted = {key: decoded(value) for key, value in params.items()}
    checked_names(cls, wanted, cls().get_params(deep=False), name)
    xgboost = library()
    try:
        estimator = filled(cls(**wanted), booster, wanted)
    except (xgboost.core.XGBoostError, ValueError, TypeError, AttributeError) as error:
        raise bad("not-loadable", f"{name} can't be made again: {reason(error)}") from None
    if history is not None:
        estimator.evals_result_ = decoded(history)
    return estimator


def reason(error: Exception) -> str:
    """The sentence in an error of XGBoost, without the place in its source."""
    text = str(error).strip().split("\n")[0]
    _, mark, rest = text.partition("] ")
    return printable(rest.partition(": ")[2] or rest if mark else text, 160)
