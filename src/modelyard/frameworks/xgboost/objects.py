"""The objects of XGBoost: which classes there are, and what a Booster tells of itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from modelyard.core.extras import need
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

    from modelyard.frameworks.interface import Json

__all__ = [
    "CLASSES",
    "booster_of",
    "config_of",
    "filled",
    "hyperparameters",
    "is_booster",
    "library",
    "names_of",
    "number",
    "quiet",
]

CLASSES = {
    "xgboost.core.Booster": "Booster",
    **{
        f"xgboost.sklearn.{name}": name
        for name in (
            "XGBModel", "XGBClassifier", "XGBRegressor", "XGBRanker", "XGBRFClassifier",
            "XGBRFRegressor",
        )
    },
}  # fmt: skip
"""Public classes, by the names of their modules. No other class is ever made."""

_INNER = frozenset({"learner_model_param", "gbtree_model_param", "hist_train_param"})
_NOT_LEARNT = frozenset({"updater", "updater_seq", "process_type", "nthread", "n_jobs", "device"})
"""Where and how XGBoost computes: chosen anew by each process."""


def library() -> ModuleType:
    """XGBoost itself. Unsupported: `no-extra`."""
    return need("xgboost", "xgboost")


def quiet() -> Any:
    """XGBoost without its messages on parameters that a booster has no use for."""
    return library().config_context(verbosity=0)


def is_booster(obj: Any) -> bool:
    """A Booster, not an estimator."""
    return isinstance(obj, library().Booster)


def booster_of(obj: Any) -> Any:
    """The Booster of an estimator, or itself. InvalidInput: `not-fitted`."""
    if is_booster(obj):
        return obj
    if not obj.__sklearn_is_fitted__():
        raise InvalidInput("not-fitted", f"the {type(obj).__name__} is not fitted", hint="fit it")
    return obj.get_booster()


def names_of(obj: Any) -> list[str] | None:
    """Names of the features, if it was fitted with names."""
    names = booster_of(obj).feature_names
    return list(names) if names else None


def config_of(booster: Any) -> dict[str, Json]:
    """What a Booster is set to. InvalidInput `not-fitted`: it has seen no data."""
    try:
        with quiet():
            config = json.loads(booster.save_config())
    except library().core.XGBoostError:
        raise InvalidInput("not-fitted", "the Booster is not trained", hint="train it") from None
    learner: dict[str, Json] = config["learner"]
    return learner


def hyperparameters(booster: Any) -> dict[str, str]:
    """Parameters of training by name, as the texts that XGBoost keeps."""
    found: dict[str, str] = {}
    for section, values in _sections(config_of(booster)):
        if section not in _INNER:
            found.update(values)
    return {name: text for name, text in found.items() if name not in _NOT_LEARNT}


def _sections(config: Mapping[str, Json]) -> Iterator[tuple[str, dict[str, str]]]:
    for key, value in config.items():
        if key.endswith("_param") and isinstance(value, dict):
            yield key, {k: v for k, v in value.items() if isinstance(v, str)}
        elif isinstance(value, dict):
            yield from _sections(value)


def number(text: str) -> int | float | str:
    """A text of XGBoost as the number that it is."""
    for kind in (int, float):
        try:
            found = kind(text)
        except ValueError:
            continue
        return found if abs(found) < float("inf") else text
    return text


def filled(estimator: Any, booster: Any, params: Mapping[str, Any]) -> Any:
    """An estimator that holds a Booster. Its own parameters stand, whatever the file told."""
    with quiet():
        estimator.load_model(bytearray(booster.save_raw("ubj")))
    for name in ("best_iteration", "best_score"):
        if booster.attr(name) is not None:
            estimator.get_booster().set_attr(**{name: booster.attr(name)})
    extra = getattr(estimator, "kwargs", {})
    for name, value in params.items():
        if name not in extra:
            setattr(estimator, name, value)
    return estimator
