"""What scikit-learn has for an optimizer: the solver of the last step, with its step sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.frameworks.sklearn.parameters import params, set_params
from modelyard.frameworks.sklearn.steps import is_estimator, is_pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.frameworks.interface import Json

__all__ = ["last_step", "optimizer", "set_optimizer"]

_NAMES = ("solver", "optimizer", "algorithm")
_RATES = ("learning_rate_init", "eta0")
_OTHERS = (
    "max_iter", "max_fun", "tol", "momentum", "nesterovs_momentum", "power_t", "beta_1", "beta_2",
    "epsilon", "batch_size", "n_iter_no_change", "early_stopping", "validation_fraction", "average",
)  # fmt: skip
_INNER = ("estimator", "final_estimator", "regressor")


def optimizer(obj: Any) -> dict[str, Json]:
    """`name`, and where it has them `learning_rate`, `schedule`, `max_iter`, `tol`, ...

    Of a pipeline or a search: that of the estimator inside. Empty if it has no solver.
    """
    inner = last_step(obj)
    keys = _keys(inner)
    given = params(inner) if keys else {}
    found = {name: given[key] for name, key in keys.items() if key in given}
    if keys and "name" not in found:
        found = {"name": "sgd", **found}
    return found


def set_optimizer(obj: Any, changes: Mapping[str, Json]) -> Any:
    """The estimator itself with another solver; it acts when it is fitted again.

    Args:
        changes: `name`, `lr` or `learning_rate`, `schedule`, `max_iter`, `tol`, ...: the keys that
            `optimizer` gives.

    Raises:
        InvalidInput: `no-optimizer`: it has none; `bad-optimizer`: no such key or value.
    """
    inner = last_step(obj)
    keys = _keys(inner)
    if not keys:
        raise InvalidInput(
            "no-optimizer", f"a {type(inner).__name__} has no solver to choose",
            hint="its parameters can be set: see params",
        )  # fmt: skip
    wanted = {}
    for given, value in changes.items():
        name = "learning_rate" if given == "lr" else given
        if name == "name" and "name" not in keys and value == "sgd":
            continue
        if name not in keys:
            raise _bad(f"a {type(inner).__name__} has no {given!r}", _valid(inner, keys))
        wanted[keys[name]] = value
    _refuse_unused_rate(inner, wanted)
    try:
        set_params(inner, wanted)
    except InvalidInput as error:
        raise _bad(error.message, _valid(inner, keys)) from None
    return obj


def last_step(obj: Any) -> Any:
    """The estimator that learns: the last step, or the one inside of a search or a wrapper."""
    while True:
        inner = None
        if is_pipeline(obj):
            inner = next((e for _, e in reversed(obj.steps) if is_estimator(e)), None)
        elif is_estimator(obj):
            given = obj.get_params(deep=False)
            inner = next((given[n] for n in _INNER if is_estimator(given.get(n))), None)
        if inner is None:
            return obj
        obj = inner


def _keys(inner: Any) -> dict[str, str]:
    """Our names for what this estimator calls its own way; empty if it has no solver."""
    if not is_estimator(inner):
        return {}
    there = inner.get_params(deep=False)
    name = next((key for key in _NAMES if key in there), None)
    rate = next((key for key in _RATES if key in there), None)
    if name == "algorithm" and "max_iter" not in there:
        name = None  # of neighbours: how they are looked up, not how something is learnt
    if name is None and rate is None:
        return {}
    keys = {"name": name, "learning_rate": rate}
    if rate is not None and "learning_rate" in there:
        keys["schedule"] = "learning_rate"
    keys |= {key: key for key in _OTHERS if key in there}
    return {ours: theirs for ours, theirs in keys.items() if theirs is not None}


def _refuse_unused_rate(inner: Any, wanted: Mapping[str, Json]) -> None:
    """SGD's own schedule `optimal` does not look at `eta0`: setting it would change nothing."""
    schedule = wanted.get("learning_rate", inner.get_params(deep=False).get("learning_rate"))
    if "eta0" in wanted and schedule == "optimal":
        raise _bad(
            "the schedule 'optimal' finds its own learning rates",
            "give schedule=constant, invscaling or adaptive with it",
        )


def _valid(inner: Any, keys: Mapping[str, str]) -> str:
    text = f"it has {', '.join(keys)}"
    constraints = getattr(inner, "_parameter_constraints", {})
    for name in ("name", "schedule"):
        options = _options(constraints.get(keys.get(name, "")))
        if options:
            text += f"; {name} is one of {', '.join(options)}"
    return text


def _options(constraints: Any) -> list[str]:
    """The texts that scikit-learn takes for a parameter."""
    if not isinstance(constraints, list):
        return []
    found = {str(o) for c in constraints for o in getattr(c, "options", ()) if isinstance(o, str)}
    return sorted(found)


def _bad(message: str, hint: str) -> InvalidInput:
    return InvalidInput("bad-optimizer", message, hint=hint)
