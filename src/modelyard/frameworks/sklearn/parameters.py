"""Parameters as scikit-learn spells them: `C`, `clf__C`, `outer__inner__C`."""

from __future__ import annotations

import difflib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import InvalidInput
from modelyard.frameworks.sklearn.steps import LISTS, children, is_estimator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from modelyard.frameworks.interface import Json

__all__ = ["params", "set_params"]

_LONGEST = 100
"""Elements of a list that is still a parameter; a vocabulary is not."""
_SHOWN = 12


def params(obj: Any) -> dict[str, Json]:
    """Everything that `get_params` gives and JSON can hold, steps by `step__param`.

    Estimators, functions, arrays, dicts, NaN and lists of more than 100 elements are left out.
    """
    found = {}
    for name, value in obj.get_params(deep=True).items():
        known, plain = _plain(value)
        if known and name.rpartition("__")[2] not in LISTS:
            found[name] = plain
    return found


def set_params(obj: Any, changes: Mapping[str, Json]) -> Any:
    """The estimator itself with other parameters; what it has learnt stays.

    What matters in predicting acts at once (`n_jobs`, `KNeighborsClassifier.n_neighbors`,
    `FixedThresholdClassifier.threshold`); what matters in learning (`C`, `max_depth`) acts when it
    is fitted again. Nothing is set unless all of it can be.

    Raises:
        InvalidInput: `no-param` names the parameters that there are, the closest first;
            `bad-param`: scikit-learn takes no such value.
    """
    given = obj.get_params(deep=True)
    unknown = [name for name in changes if name not in given]
    if unknown:
        raise InvalidInput(
            "no-param", f"{type(obj).__name__} has no parameter {unknown[0]!r}",
            hint=_those(unknown[0], given),
        )  # fmt: skip
    fitting = {name: _fitting(given[name], value) for name, value in changes.items()}
    for name, value in fitting.items():
        _check(obj, name, given[name], value)
    try:
        return obj.set_params(**fitting)
    except (AttributeError, TypeError, ValueError) as error:  # a step and its own parameter
        raise _bad(next(iter(fitting)), str(error)) from None


# --- what JSON can hold ----------------------------------------------------------------------


def _plain(value: Any) -> tuple[bool, Json]:
    """Whether JSON can hold it, and how it would."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | str | int):
        return True, value
    if isinstance(value, float):
        return math.isfinite(value), value
    if isinstance(value, list | tuple) and len(value) <= _LONGEST:
        parts = [_plain(item) for item in value]
        return all(known for known, _ in parts), [plain for _, plain in parts]
    return False, None


def _fitting(old: Any, new: Json) -> Any:
    """JSON has no tuples: a list that replaces one becomes one, at any depth."""
    if not isinstance(new, list | tuple):
        return new
    if isinstance(old, list | tuple) and len(old) == len(new):
        items = [_fitting(was, now) for was, now in zip(old, new, strict=True)]
    else:
        items = list(new)
    return tuple(items) if isinstance(old, tuple) else items


# --- what scikit-learn takes -----------------------------------------------------------------


def _check(obj: Any, name: str, old: Any, value: Any) -> None:
    """Ask the owner of a parameter whether it takes a value, as `fit` would."""
    owner, _, key = _owner(obj, name)
    if is_estimator(old) or key in LISTS or key in {child for child, *_ in children(owner)}:
        if key in LISTS or value not in ("passthrough", "drop", None):
            raise _bad(name, "steps are changed by their structure")
        return
    constraints = getattr(owner, "_parameter_constraints", None)
    if not isinstance(constraints, dict):
        return
    from sklearn.utils._param_validation import (
        InvalidParameterError,
        validate_parameter_constraints,
    )

    try:
        validate_parameter_constraints(constraints, {key: value}, type(owner).__name__)
    except InvalidParameterError as error:
        raise _bad(name, str(error)) from None


def _owner(obj: Any, name: str) -> tuple[Any, str, str]:
    """The estimator inside of `obj` that has a parameter, its path, and its name there."""
    path, _, key = name.rpartition("__")
    return (obj.get_params(deep=True)[path] if path else obj), path, key


def _bad(name: str, reason: str) -> InvalidInput:
    return InvalidInput("bad-param", f"{name}: {reason}", hint="nothing was changed")


def _those(wanted: str, names: Iterable[str]) -> str:
    names = sorted(names)
    close = difflib.get_close_matches(wanted, names, n=_SHOWN, cutoff=0.5)
    shown = [*close, *(name for name in names if name not in close)][:_SHOWN]
    more = ", ..." if len(names) > _SHOWN else ""
    return f"there are {', '.join(shown)}{more}"
