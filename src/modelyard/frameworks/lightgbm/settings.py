"""Parameters and the optimizer of LightGBM objects.

Trees that are grown stay: what says how to grow them takes effect when the object is fitted again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidInput
from modelyard.frameworks.boosting import check_keys, plain, with_numbers
from modelyard.frameworks.lightgbm.checking import FOREIGN
from modelyard.frameworks.lightgbm.objects import (
    copied,
    is_booster,
    library,
    loaded,
    parameters_of,
    quiet,
    reason,
    text_of,
    typed_parameters_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.frameworks.interface import Json

__all__ = ["fit_only", "optimizer", "params", "set_optimizer", "set_params"]

_GROWN = frozenset({"objective", "num_class"})
"""Parameters of a Booster that its trees depend on."""
_DART = ("drop_rate", "max_drop", "skip_drop", "uniform_drop", "xgboost_dart_mode")
_OPTIMIZER = ("name", "lr", "learning_rate", "eta", *_DART)
_KINDS = ("gbdt", "dart", "rf")
_MULTICLASS = frozenset({"multiclass", "softmax", "multiclassova", "multiclass_ova", "ova", "ovr"})
_WRAPPER = frozenset({"importance_type", "class_weight", "objective", "random_state"})
_EDGES = {"rf": {"bagging_freq": 1, "bagging_fraction": 0.5}}
"""What a kind of boosting can't do without."""


_AT_ONCE = frozenset({
    "importance_type", "n_jobs", "num_threads", "verbose", "verbosity", "pred_early_stop",
    "pred_early_stop_freq", "pred_early_stop_margin", "predict_disable_shape_check",
})  # fmt: skip
"""Parameters that count in predicting, or only for how it is computed."""


def params(obj: Any) -> dict[str, Json]:
    """`get_params` of an estimator; of a Booster what its text keeps of its training."""
    if is_booster(obj):
        typed = typed_parameters_of(obj)
        return {name: plain(typed.get(name, text)) for name, text in _own(obj).items()}
    return {name: plain(value) for name, value in sorted(obj.get_params(deep=False).items())}


def _own(booster: Any) -> dict[str, str]:
    return {n: text for n, text in sorted(parameters_of(booster).items()) if n not in FOREIGN}


def set_params(obj: Any, changes: Mapping[str, Json]) -> Any:
    """A copy with other parameters. Its trees stay. InvalidInput: `no-param`, `bad-param`."""
    if is_booster(obj):
        check_keys("no-param", changes, _own(obj).keys() - _GROWN, "the Booster")
        return _changed_booster(obj, changes, "bad-param")
    check_keys("no-param", changes, obj.get_params(deep=False), f"the {type(obj).__name__}")
    return _changed_estimator(obj, changes, "bad-param")


def _changed_booster(obj: Any, changes: Mapping[str, Json], kind: str) -> Any:
    """A Booster keeps its parameters as lines of its text."""
    _try_out({name: value for name, value in changes.items() if value != ""}, kind)
    head, mark, tail = text_of(obj).rpartition("\nparameters:\n")
    lines = tail.split("\n")
    for name, value in changes.items():
        at = next(index for index, line in enumerate(lines) if line.startswith(f"[{name}: "))
        lines[at] = f"[{name}: {_as_text(name, value, kind)}]"
    found = loaded(head + mark + "\n".join(lines))
    found.best_iteration, found.best_score = obj.best_iteration, obj.best_score
    return found


def _as_text(name: str, value: Json, kind: str) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, list):
        return ",".join(_as_text(name, item, kind) for item in value)
    if isinstance(value, dict) or (isinstance(value, str) and re.search(r'[\x00-\x1f"\\]', value)):
        raise InvalidInput(kind, f"{name} can't be {value!r:.60}")
    return "" if value is None else str(value)


def _changed_estimator(obj: Any, changes: Mapping[str, Json], kind: str) -> Any:
    now = obj.get_params(deep=False)
    changes = with_numbers(changes, now)
    _check_objective(obj, changes, kind)
    random = changes.get("random_state")
    if random is not None and (type(random) is not int or not 0 <= random < 1 << 31):
        raise InvalidInput(kind, f"random_state is {random!r:.60}, not a whole number from 0")
    weight = changes.get("class_weight")
    if not (weight is None or weight == "balanced" or isinstance(weight, dict)):
        raise InvalidInput(kind, f"class_weight is {weight!r:.60}", hint="'balanced' or an object")
    _try_out({k: v for k, v in changes.items() if k not in _WRAPPER and v is not None}, kind)
    return copied(obj).set_params(**changes)


def _check_objective(obj: Any, changes: Mapping[str, Json], kind: str) -> None:
    if "objective" not in changes:
        return
    wanted = changes["objective"]
    if wanted is not None and not isinstance(wanted, str):
        raise InvalidInput(kind, f"the objective is {wanted!r:.60}, not a name")
    fitted = obj.__sklearn_is_fitted__() and hasattr(obj, "classes_")
    several = obj.n_classes_ > 2 if fitted else None
    if fitted and wanted is not None and (wanted in _MULTICLASS) != several:
        raise InvalidInput(
            kind, f"{obj.n_classes_} classes were learnt, which {wanted!r:.60} is not for",
            hint="fit a new estimator with that objective, and commit it",
        )  # fmt: skip
    if wanted is not None and wanted not in _MULTICLASS:
        _try_out({"objective": wanted}, kind)


def _try_out(changes: Mapping[str, Json], kind: str) -> None:
    """A throw-away Booster tells what the next training would say."""
    foreign = sorted(FOREIGN & changes.keys())
    if foreign:
        raise InvalidInput(kind, f"{foreign[0]} names files or machines, which no version keeps")
    lightgbm = library()
    boosting = changes.get("boosting", changes.get("boosting_type"))
    extra = _EDGES.get(boosting, {}) if isinstance(boosting, str) else {}
    rows = np.arange(40.0).reshape(20, 2)
    given = {**extra, **changes, "verbosity": -1, "num_threads": 1}
    given.pop("n_jobs", None)
    try:
        with quiet():
            data = lightgbm.Dataset(rows, rows[:, 0], params=given)
            lightgbm.Booster(given, data)
    except (lightgbm.basic.LightGBMError, ValueError, TypeError) as error:
        if "objective" in changes and "Unknown objective" not in str(error):
            return  # rankers need groups, which only their data has
        shown = ", ".join(f"{name}={value!r:.60}" for name, value in changes.items())
        raise InvalidInput(kind, f"LightGBM refuses {shown}: {reason(error)}") from None


def fit_only(obj: Any, changes: Mapping[str, Json]) -> tuple[str, ...]:
    """Those of the changed parameters that change nothing before it is fitted again."""
    return tuple(name for name in changes if name not in _AT_ONCE)


def optimizer(obj: Any) -> dict[str, Json]:
    """The kind of boosting, the learning rate, and how DART drops trees."""
    values = params(obj)
    kind = values.get("boosting_type", values.get("boosting"))
    found: dict[str, Json] = {"name": kind, "learning_rate": values.get("learning_rate")}
    if kind == "dart" or not is_booster(obj):
        found |= {name: values[name] for name in _DART if name in values}
    return found


def set_optimizer(obj: Any, changes: Mapping[str, Json]) -> Any:
    """A copy that will be trained otherwise. InvalidInput: `bad-optimizer`."""
    check_keys("bad-optimizer", changes, _OPTIMIZER, "the optimizer of LightGBM")
    wanted = dict(changes)
    rates = [wanted.pop(name) for name in ("lr", "learning_rate", "eta") if name in wanted]
    if len(rates) > 1:
        raise InvalidInput("bad-optimizer", "the learning rate is given twice")
    kind = wanted.pop("name", None)
    if kind is not None and kind not in _KINDS:
        raise InvalidInput(
            "bad-optimizer", f"LightGBM has no boosting {kind!r:.60}", hint=f"one of {_KINDS}"
        )
    if rates:
        wanted["learning_rate"] = rates[0]
    if kind is not None:
        wanted["boosting" if is_booster(obj) else "boosting_type"] = kind
    if is_booster(obj):
        return _changed_booster(obj, wanted, "bad-optimizer")
    return _changed_estimator(obj, wanted, "bad-optimizer")
