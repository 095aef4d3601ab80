"""Parameters and the optimizer of XGBoost objects.

Trees that are grown stay: what says how to grow them takes effect when the object is fitted again.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.frameworks.boosting import check_keys, plain, with_numbers
from modelyard.frameworks.xgboost.objects import (
    booster_of,
    config_of,
    hyperparameters,
    is_booster,
    library,
    number,
    quiet,
)
from modelyard.frameworks.xgboost.saving import reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.frameworks.interface import Json

__all__ = ["fit_only", "optimizer", "params", "set_optimizer", "set_params"]

_GROWN = frozenset({
    "booster", "objective", "multi_strategy", "num_class", "num_target",
    "disable_default_eval_metric",
})  # fmt: skip
"""Parameters of a Booster that its trees depend on."""
_DART = ("rate_drop", "skip_drop", "one_drop", "sample_type", "normalize_type")
_OPTIMIZER = ("name", "lr", "learning_rate", "eta", *_DART)
_KINDS = ("gbtree", "dart", "gblinear")
_RUNNING = ("n_jobs", "device", "verbosity")
"""Parameters of estimators that take effect at once."""


_AT_ONCE = frozenset({
    "device", "enable_categorical", "importance_type", "missing", "n_jobs", "nthread", "verbosity",
})  # fmt: skip
"""Parameters that count in predicting, or only for how it is computed."""


def params(obj: Any) -> dict[str, Json]:
    """`get_params` of an estimator; of a Booster what XGBoost keeps of its training."""
    if is_booster(obj):
        return {name: number(text) for name, text in sorted(hyperparameters(obj).items())}
    return {name: plain(value) for name, value in sorted(obj.get_params(deep=False).items())}


def set_params(obj: Any, changes: Mapping[str, Json]) -> Any:
    """A copy with other parameters. Its trees stay. InvalidInput: `no-param`, `bad-param`."""
    if is_booster(obj):
        known = hyperparameters(obj).keys() - _GROWN
        check_keys("no-param", changes, known, "the Booster")
        return _changed_booster(obj, changes, "bad-param")
    check_keys("no-param", changes, obj.get_params(deep=False), f"the {type(obj).__name__}")
    return _changed_estimator(obj, changes, "bad-param")


def _changed_booster(obj: Any, changes: Mapping[str, Json], kind: str) -> Any:
    found = obj.copy()
    _apply(found, changes, kind)
    return found


def _apply(booster: Any, changes: Mapping[str, Any], kind: str) -> None:
    """Set them where XGBoost says what it thinks of them."""
    wrong = [name for name, value in changes.items() if isinstance(value, dict)]
    if wrong:
        raise InvalidInput(kind, f"{wrong[0]} can't be an object")
    try:
        with quiet():
            booster.set_param({k: v for k, v in changes.items() if v is not None})
            booster.save_config()
    except (library().core.XGBoostError, ValueError, TypeError, AttributeError) as error:
        shown = ", ".join(f"{name}={value!r:.60}" for name, value in changes.items())
        raise InvalidInput(kind, f"XGBoost refuses {shown}: {reason(error)}") from None


def _changed_estimator(obj: Any, changes: Mapping[str, Json], kind: str) -> Any:
    found = copy.deepcopy(obj)
    changes = with_numbers(changes, obj.get_params(deep=False))
    _try_out(obj, changes, kind)
    extra = getattr(found, "kwargs", {})
    for name, value in changes.items():
        if name in extra:
            extra[name] = value
        else:
            setattr(found, name, value)
    if found.__sklearn_is_fitted__():
        running = {name: value for name, value in changes.items() if name in _RUNNING}
        if running:
            _apply(found.get_booster(), running, kind)
    return found


def _try_out(obj: Any, changes: Mapping[str, Json], kind: str) -> None:
    """A throw-away Booster tells what the next training would say."""
    with quiet():
        trial = library().Booster({"num_feature": 1})
    counts = {name: value for name, value in changes.items() if name in ("n_estimators",)}
    for name, value in counts.items():
        if value is not None and (type(value) is not int or value < 1):
            raise InvalidInput(kind, f"{name} is {value!r:.60}, not a whole number from 1")
    inner = obj._wrapper_params() | {"eval_metric", "monotone_constraints", "num_class"}
    native = {k: v for k, v in changes.items() if k not in inner and v is not None}
    if native:
        _apply(trial, native, kind)


def fit_only(obj: Any, changes: Mapping[str, Json]) -> tuple[str, ...]:
    """Those of the changed parameters that change nothing before it is fitted again."""
    return tuple(name for name in changes if name not in _AT_ONCE)


def optimizer(obj: Any) -> dict[str, Json]:
    """The kind of booster, the learning rate, and how DART drops trees."""
    if is_booster(obj):
        known = hyperparameters(obj)
        rate = known.get("learning_rate")
        found: dict[str, Json] = {"name": config_of(obj)["gradient_booster"]["name"]}
        found |= {"learning_rate": number(rate)} if rate is not None else {}
        return found | {name: number(known[name]) for name in _DART if name in known}
    values = obj.get_params(deep=False)
    found = {"name": values.get("booster") or "gbtree"}
    found["learning_rate"] = plain(values.get("learning_rate"))
    return found | {name: plain(values[name]) for name in _DART if name in values}


def set_optimizer(obj: Any, changes: Mapping[str, Json]) -> Any:
    """A copy that will be trained otherwise. InvalidInput: `bad-optimizer`."""
    check_keys("bad-optimizer", changes, _OPTIMIZER, "the optimizer of XGBoost")
    wanted = dict(changes)
    rates = [wanted.pop(name) for name in ("lr", "learning_rate", "eta") if name in wanted]
    if len(rates) > 1:
        raise InvalidInput("bad-optimizer", "the learning rate is given twice")
    kind = wanted.pop("name", None)
    if kind is not None and kind not in _KINDS:
        raise InvalidInput(
            "bad-optimizer", f"XGBoost has no booster {kind!r:.60}", hint=f"one of {_KINDS}"
        )
    if rates:
        wanted["learning_rate"] = rates[0]
    if is_booster(obj):
        own = config_of(booster_of(obj))["gradient_booster"]["name"]
        if kind not in (None, own):
            raise InvalidInput(
                "bad-optimizer", f"a trained Booster stays {own}",
                hint="an estimator (XGBClassifier, ...) can change it, for the next fit",
            )  # fmt: skip
        return _changed_booster(obj, wanted, "bad-optimizer")
    if kind is not None:
        wanted["booster"] = kind
    return _with_extra(obj, wanted)


def _with_extra(obj: Any, wanted: Mapping[str, Json]) -> Any:
    """Parameters of DART are none that the estimator lists before they are set."""
    own = obj.get_params(deep=False)
    found = _changed_estimator(obj, {k: v for k, v in wanted.items() if k in own}, "bad-optimizer")
    extra = {name: value for name, value in wanted.items() if name not in own}
    if extra:
        _try_out(obj, {"booster": "dart", **extra}, "bad-optimizer")
        found.kwargs = getattr(found, "kwargs", {}) | extra
    return found
