"""`modelyard.optimize`: what it is asked for is looked at before anything begins."""

from __future__ import annotations

import os
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from modelyard.core.optimization import Recipe
from modelyard.errors import InvalidInput
from modelyard.optimization import running

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

__all__ = ["check_resumed", "optimize"]

P = ParamSpec("P")
R = TypeVar("R")

_SETTLED = ("recipe", "data", "target", "budget", "trials", "alias", "seed")
"""What an optimization keeps from its beginning to its end."""


def check_resumed(given: Collection[str]) -> None:
    """InvalidInput `resumed-as-begun` if anything is given that was settled at the beginning.

    Args:
        given: What was given, in the words of whoever gave it.
    """
    if given:
        raise InvalidInput(
            "resumed-as-begun",
            f"what has begun goes on as it began: {', '.join(sorted(given))} can't be changed",
            hint="leave that out, or begin a new one of the model",
        )


def _check_kinds(asked: Mapping[str, Any]) -> None:
    data, recipe = asked.get("data"), asked.get("recipe", "auto")
    if data is not None and not isinstance(data, str | os.PathLike):
        raise InvalidInput(
            "bad-data", f"a {type(data).__name__} can't be handed to the processes of trials",
            hint="name a file or a committed dataset; a DataFrame is written with to_parquet first",
        )  # fmt: skip
    if not isinstance(recipe, Recipe | str | os.PathLike):
        raise InvalidInput(
            "wrong-recipe", f"a {type(recipe).__name__} is no recipe",
            hint="a name (yard recipes), a file, YAML, or modelyard.Recipe",
        )  # fmt: skip


def _checked(function: Callable[P, R]) -> Callable[P, R]:
    @wraps(function)
    def asked(*args: P.args, **kwargs: P.kwargs) -> R:
        _check_kinds(kwargs)
        if kwargs.get("resume") is not None:
            check_resumed([name for name in _SETTLED if kwargs.get(name) is not None])
        return function(*args, **kwargs)

    return asked


optimize = _checked(running.optimize)
