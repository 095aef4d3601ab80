"""The optimizer of a compiled model: told, and exchanged."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats.reading import printable
from modelyard.frameworks.keras.allowed import CLASSES
from modelyard.frameworks.keras.library import keras
from modelyard.frameworks.keras.rebuilding import recompiled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.frameworks.interface import Json

__all__ = ["optimizer_of", "with_optimizer"]

_ABSTRACT = frozenset({"Optimizer", "OptimizerMap", "MultiOptimizer", "LossScaleOptimizer"})
_SCHEDULE = "schedule"


def optimizer_of(model: Any) -> dict[str, Json]:
    """Name, learning rate and every other set value; empty for a model that is not compiled.

    A schedule is told in place of the rate: `{"schedule": "ExponentialDecay", ...}`.
    """
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return {}
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    config = dict(optimizer.get_config())
    rate = config.pop("learning_rate", None)
    config.pop("name", None)
    plain = {
        name: value for name, value in config.items() if isinstance(value, bool | int | float | str)
    }
    return {"name": type(optimizer).__name__.lower(), "learning_rate": _rate(rate)} | plain


def _rate(rate: Json) -> Json:
    if isinstance(rate, dict):
        return {_SCHEDULE: rate.get("class_name")} | {
            name: value for name, value in rate.get("config", {}).items() if value is not None
        }
    return _short(float(rate)) if isinstance(rate, int | float) else rate


def _short(value: float) -> float:
    """0.001 for 0.0010000000474974513: the shortest number of the same float32."""
    import numpy as np

    return float(str(np.float32(value)))


def with_optimizer(model: Any, changes: Mapping[str, Json]) -> Any:
    """Compile the model with another optimizer, whose state starts anew; loss and metrics stay.

    Under the same name, values that are not given stay as they are; another optimizer begins with
    its own.

    Raises:
        InvalidInput: `no-optimizer`: not compiled, and no name is given. `bad-optimizer`.
    """
    changes = dict(changes)
    now = optimizer_of(model)
    names = _names()
    if "lr" in changes:
        if "learning_rate" in changes:
            raise InvalidInput("bad-optimizer", "lr and learning_rate are the same value")
        changes["learning_rate"] = changes.pop("lr")
    name = changes.pop("name", now.get("name"))
    if name is None:
        raise InvalidInput(
            "no-optimizer", "the model is not compiled: it has no optimizer to change",
            hint=f"name one: {', '.join(names)}",
        )  # fmt: skip
    if not isinstance(name, str) or name.lower() not in names:
        raise InvalidInput(
            "bad-optimizer", f"{str(name)[:80]!r} is no optimizer",
            hint=f"one of {', '.join(names)}",
        )  # fmt: skip
    cls = getattr(keras().optimizers, names[name.lower()])
    allowed = [key for key in inspect.signature(cls.__init__).parameters if key not in _UNUSED]
    for key in changes:
        if key not in allowed:
            raise InvalidInput(
                "bad-optimizer", f"{cls.__name__} has no value {key[:80]!r}",
                hint=f"it has {', '.join(allowed)} (or lr)",
            )  # fmt: skip
    values = {key: _checked(key, value) for key, value in changes.items()}
    config = _config(model) if now.get("name") == name.lower() else {}
    recompiled(model, model, _built(cls, config | values))
    return model


_UNUSED = ("self", "name", "kwargs", "args")


def _names() -> dict[str, str]:
    return {name.lower(): name for name in sorted(CLASSES["keras.optimizers"] - _ABSTRACT)}


def _config(model: Any) -> dict[str, Json]:
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    config = dict(optimizer.get_config())
    if isinstance(config.get("learning_rate"), float):
        config["learning_rate"] = _short(config["learning_rate"])
    return config


def _checked(key: str, value: Json) -> Json:
    if key == "learning_rate":
        if isinstance(value, dict):
            return _schedule(value)
        if not _is_number(value) or value <= 0:
            raise InvalidInput("bad-optimizer", f"learning_rate={value!r} is no positive number")
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput("bad-optimizer", f"{key}={value!r} is not finite")
    elif not (value is None or isinstance(value, bool | int | float)):
        raise InvalidInput("bad-optimizer", f"{key}={value!r} is neither a number nor a switch")
    return value


def _is_number(value: Json) -> bool:
    is_plain = isinstance(value, int | float) and not isinstance(value, bool)
    return is_plain and math.isfinite(value)


def _schedule(value: Mapping[str, Json]) -> Json:
    known = CLASSES["keras.optimizers.schedules"] - {"LearningRateSchedule"}
    name = value.get(_SCHEDULE)
    if name not in known:
        raise InvalidInput(
            "bad-optimizer", f"{name!r} is no learning-rate schedule",
            hint=f"{_SCHEDULE}: one of {', '.join(sorted(known))}",
        )  # fmt: skip
    return {
        "module": "keras.optimizers.schedules", "class_name": name,
        "config": {key: item for key, item in value.items() if key != _SCHEDULE},
        "registered_name": None,
    }  # fmt: skip


def _built(cls: Any, config: Mapping[str, Json]) -> Any:
    try:
        return cls.from_config(dict(config))
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InvalidInput(
            "bad-optimizer", f"{cls.__name__} refuses these values: {printable(lines[0])}"
        ) from None
