"""What an optimization is asked for is looked at before anything begins."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from modelyard.core.optimization import Recipe
from modelyard.errors import InvalidInput
from modelyard.optimization.recipes import recipe_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

__all__ = ["asked", "check_resumed"]


def asked(
    recipe: Recipe | Path | str,
    data: str | Path | None,
    target: str | None,
    budget: float | None,
    trials: int | None,
    seed: int | None,
) -> Recipe:
    """The recipe with what was said beside it.

    Raises:
        InvalidInput: `bad-data`, `wrong-recipe`, `bad-budget`, `bad-seed`.
        NotFound: `no-recipe`.
    """
    _check_kinds(recipe, data)
    if budget is not None and not 0 < budget < 1e8:
        raise InvalidInput("bad-budget", f"{budget} seconds can't be a budget", hint="--budget 10m")
    if trials is not None and not 0 < trials <= 100_000:
        raise InvalidInput("bad-budget", f"{trials} trials can't be a budget", hint="--trials 20")
    if seed is not None and not 0 <= seed < 2**32:
        raise InvalidInput("bad-seed", f"{seed} is no seed", hint="0 to 4294967295")
    said: dict[str, Any] = {
        "data": None if data is None else str(data), "target": target, "seconds": budget,
        "trials": trials, "seed": seed,
    }  # fmt: skip
    given = {name: value for name, value in said.items() if value is not None}
    return replace(recipe_of(recipe), **given)


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


def _check_kinds(recipe: object, data: object) -> None:
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
