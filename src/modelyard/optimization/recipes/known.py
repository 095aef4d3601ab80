"""The recipes that come with modelyard. `auto` and its sisters take the passes that fit a model."""

from __future__ import annotations

import difflib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelyard.core.optimization import Recipe
from modelyard.errors import Denied, InvalidInput, NotFound, Unavailable
from modelyard.optimization.recipes.reading import check_recipe, read_recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.core.optimization import Step
    from modelyard.optimization.state import Subject

__all__ = ["KNOWN", "LADDERS", "known_recipe", "recipe_of", "with_steps"]

_TEXTS: Final = {
    "auto": """
        description: Smaller and faster at the same quality, by whatever fits the model
        objective: [quality max, size min, latency_p50 min]
        constraints: [quality_drop<=0.005]
        budget: {trials: 20}
        passes: auto
    """,
    "small": """
        description: As small as can be, for half a point of quality at most
        objective: [size min, quality max]
        constraints: [quality_drop<=0.005]
        budget: {trials: 20}
        passes: auto
    """,
    "fast": """
        description: As quick as can be at one row, for half a point of quality at most
        objective: [latency_p50 min, quality max]
        constraints: [quality_drop<=0.005]
        budget: {trials: 20}
        passes: auto
    """,
    "better": """
        description: Better answers, by data that is clean and parameters that are searched for
        objective: [quality max]
        budget: {trials: 40}
        passes: [{clean: {optional: true}}, {features: {optional: true}}, tune]
    """,
    "tune": """
        description: The same algorithm with better parameters
        objective: [quality max]
        budget: {trials: 40}
        passes: [tune]
    """,
    "choose": """
        description: The best of all algorithms that suit the data, and their combinations
        objective: [quality max]
        budget: {trials: 40}
        passes: [choose, {combine: {optional: true}}]
    """,
    "data": """
        description: Better data, and the same model learned from it
        objective: [quality max]
        budget: {trials: 12}
        passes:
          - clean
          - {relabel: {optional: true}}
          - {encode: {optional: true}}
          - {features: {optional: true}}
          - {select: {optional: true}}
          - {balance: {optional: true}}
          - {augment: {optional: true}}
    """,
    "onnx": """
        description: As an ONNX graph, which gives the same answers sooner
        objective: [latency_p50 min, size min]
        constraints: [quality_drop<=0.001]
        budget: {trials: 2}
        passes: [to-onnx, {graph: {optional: true}}]
    """,
    "int8": """
        description: Weights and sums in 8 bits
        objective: [size min, latency_p50 min]
        constraints: [quality_drop<=0.005]
        budget: {trials: 8}
        passes: [to-onnx, {quantize: {kind: [static, dynamic]}}]
    """,
    "prune": """
        description: Weights that hardly count are left out, then everything in 8 bits
        objective: [stored min, quality max]
        constraints: [quality_drop<=0.005]
        budget: {trials: 6}
        passes: [{prune: {sparsity: [0.9, 0.8, 0.95]}}, to-onnx, {quantize: {kind: static}}]
    """,
    "distil": """
        description: A smaller network that learns from the large one, then everything in 8 bits
        objective: [size min, quality max]
        constraints: [quality_drop<=0.005]
        budget: {trials: 6}
        passes: [distil, to-onnx, {quantize: {kind: static}}]
    """,
    "trees": """
        description: Fewer and shorter trees, as a graph
        objective: [size min, latency_p50 min]
        constraints: [quality_drop<=0.005]
        budget: {trials: 8}
        passes: [{trim: {optional: true}}, {shrink: {optional: true}}, to-onnx]
    """,
}  # fmt: skip

LADDERS: Final = ("auto", "small", "fast")
"""Recipes whose passes are those that fit the model: `passes: auto`."""

KNOWN: Final = tuple(_TEXTS)
"""Their names."""


def known_recipe(name: str) -> Recipe:
    """One of `KNOWN`. NotFound: `no-recipe`."""
    if name not in _TEXTS:
        near = difflib.get_close_matches(name, KNOWN, 1)
        raise NotFound(
            "no-recipe", f"there is no recipe {name[:80]!r}, and no such file",
            hint=f"did you mean {near[0]}?" if near else f"one of {', '.join(KNOWN)}, or a file",
        )  # fmt: skip
    return replace(read_recipe(_dedented(_TEXTS[name])), name=name)


def recipe_of(given: Recipe | Path | str) -> Recipe:
    """A recipe as people name one: itself, a name, a file, or YAML.

    NotFound: `no-recipe`. InvalidInput: `wrong-recipe`.
    """
    if isinstance(given, Recipe):
        check_recipe(given)
        return given
    if isinstance(given, str) and "\n" in given:
        return read_recipe(given)
    path = Path(given).expanduser()
    if isinstance(given, str) and given in _TEXTS and not path.is_file():
        return known_recipe(given)
    if not path.is_file():
        return known_recipe(str(given))
    try:
        return read_recipe(path.read_text("utf-8"))
    except UnicodeDecodeError:
        raise InvalidInput("wrong-recipe", f"{path.name} is no text") from None
    except PermissionError:
        raise Denied("no-permission", f"{path} can't be read") from None
    except OSError as error:
        raise Unavailable("source-io", f"{path}: {error.strerror}") from error


def with_steps(
    recipe: Recipe, steps_for: Callable[[Subject], tuple[Step, ...]], subject: Subject
) -> Recipe:
    """A recipe of `passes: auto` with the passes that fit; others as they are."""
    return recipe if recipe.steps else replace(recipe, steps=steps_for(subject))


def _dedented(text: str) -> str:
    import textwrap

    return textwrap.dedent(text)
