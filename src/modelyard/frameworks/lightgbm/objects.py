"""The objects of LightGBM: which classes there are, and what a Booster tells of itself."""

from __future__ import annotations

import copy
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from modelyard.core.extras import need
from modelyard.errors import InvalidInput
from modelyard.formats.reading import bad, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

__all__ = [
    "CLASSES",
    "booster_of",
    "copied",
    "head_of",
    "is_booster",
    "library",
    "loaded",
    "names_of",
    "parameters_of",
    "quiet",
    "reason",
    "text_of",
    "typed_parameters_of",
]

CLASSES = {
    "lightgbm.basic.Booster": "Booster",
    **{
        f"lightgbm.sklearn.{name}": name
        for name in ("LGBMModel", "LGBMClassifier", "LGBMRegressor", "LGBMRanker")
    },
}
"""Public classes, by the names of their modules. No other class is ever made."""


def library() -> ModuleType:
    """LightGBM itself. Unsupported: `no-extra`."""
    return need("lightgbm", "lightgbm")


class _Silence:
    """A logger that says nothing."""

    def info(self, message: str) -> None: ...

    def warning(self, message: str) -> None: ...


_LOCK = threading.Lock()
_KEPT: list[tuple[Any, str, str]] = []
"""The logger to return to, once for each that wants quiet."""


@contextmanager
def quiet() -> Iterator[None]:
    """LightGBM without its messages, which it would print where our own output goes."""
    basic = library().basic
    with _LOCK:
        _KEPT.append((basic._LOGGER, basic._INFO_METHOD_NAME, basic._WARNING_METHOD_NAME))
        library().register_logger(_Silence())
    try:
        yield
    finally:
        with _LOCK:
            before = _KEPT.pop()
            if not _KEPT:
                basic._LOGGER, basic._INFO_METHOD_NAME, basic._WARNING_METHOD_NAME = before


def is_booster(obj: Any) -> bool:
    """A Booster, not an estimator."""
    return isinstance(obj, library().Booster)


def booster_of(obj: Any) -> Any:
    """The Booster of an estimator, or itself. InvalidInput: `not-fitted`."""
    if is_booster(obj):
        return obj
    if not obj.__sklearn_is_fitted__():
        raise InvalidInput("not-fitted", f"the {type(obj).__name__} is not fitted", hint="fit it")
    return obj.booster_


def text_of(booster: Any) -> str:
    """All trees as text, also those after the best round."""
    found: str = booster.model_to_string(num_iteration=-1)
    return found


def loaded(text: str) -> Any:
    """A Booster of text that was checked. InvalidInput: `not-loadable`."""
    lightgbm = library()
    try:
        with quiet():
            return lightgbm.Booster(model_str=text)
    except (lightgbm.basic.LightGBMError, ValueError, TypeError) as error:
        raise bad("not-loadable", f"LightGBM can't load it: {reason(error)}") from None


def head_of(booster: Any) -> dict[str, str]:
    """`key=value` lines before the trees; the objective is missing if it was a function."""
    text = booster.model_to_string(num_iteration=1)
    lines = text.partition("\n\n")[0].split("\n")
    return {key: value for key, mark, value in (line.partition("=") for line in lines) if mark}


def parameters_of(booster: Any) -> dict[str, str]:
    """Parameters of training as the text keeps them."""
    text = booster.model_to_string(num_iteration=1)
    _, _, rest = text.rpartition("\nparameters:\n")
    lines = rest.partition("\nend of parameters")[0].split("\n")
    inner = (line[1:-1].partition(": ") for line in lines if line[:1] == "[")
    return {name: value for name, _, value in inner}


def typed_parameters_of(booster: Any) -> dict[str, Any]:
    """The same with their types; those that are empty are left out."""
    found = loaded(booster.model_to_string(num_iteration=1)).params
    return {name: value for name, value in found.items() if value not in (None, "", [])}


def names_of(obj: Any) -> list[str] | None:
    """Names of the features, if it was fitted with names."""
    names: list[str] = booster_of(obj).feature_name()
    given = [f"Column_{index}" for index in range(len(names))]
    return None if names == given else names


def copied(estimator: Any) -> Any:
    """An estimator whose parameters can be changed alone; deepcopy would lose the best round."""
    found = copy.copy(estimator)
    found._other_params = dict(estimator._other_params)
    return found


def reason(error: Exception) -> str:
    """The sentence in an error of LightGBM, without the place in its source."""
    return printable(str(error).strip().split("\n")[0].partition(" at /")[0], 160)
