"""Recipes as people write them, in YAML: docs/spec/recipe-1.md.

```yaml
name: small
objective: [quality max, size min]
constraints: [quality_drop<=0.005]
budget: {trials: 20, minutes: 10}
passes:
  - to-onnx
  - quantize: {kind: [static, dynamic], optional: true}
```
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, Final, Literal, TypeGuard

from modelyard.core.optimization import Constraint, Goal, Recipe, Step
from modelyard.core.plain_yaml import NotPlain, plain_yaml
from modelyard.errors import InvalidInput
from modelyard.optimization.passes import NAMES
from modelyard.optimization.passes.takes import (
    BY_MODEL,
    TAKES,
    check_name,
    check_value,
    text_hint,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_recipe", "read_recipe", "recipe_from", "written"]

Json = Any

_AUTO: Final = "auto"
"""Passes that fit the model, chosen when it is known."""
_LONGEST: Final = 100_000
_MOST: Final = 50
_DEEPEST: Final = 8
_LARGEST: Final = 1e150
_MOST_SECONDS: Final = 1e8
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}\Z")
_KEYS: Final = (
    "name", "description", "objective", "constraints", "data", "target", "seed", "budget",
    "split", "nested", "publish", "baseline", "passes",
)  # fmt: skip
_EXAMPLES: Final = {
    "a recipe": "objective: [quality max], and so on: yard recipes small shows one",
    "budget": "budget: {minutes: 10}", "split": "split: {holdout: 0.3}",
}  # fmt: skip
_OF_PASS: Final = "passes: [{quantize: {kind: static}}]"
_RANGE: Final = frozenset({"low", "high", "log", "step"})


def read_recipe(text: str) -> Recipe:
    """A recipe from YAML or JSON. InvalidInput: `wrong-recipe`, `bad-goal`, `bad-constraint`,
    `no-pass`: the sentence says where.
    """
    return recipe_from(_loaded(text))


def recipe_from(content: Mapping[str, Json]) -> Recipe:
    """A recipe from plain values, as YAML has them."""
    _refuse_unknown(content, _KEYS, "a recipe")
    steps = _steps(content.get("passes"))
    name = str(content.get("name", "own"))
    if not _NAME.match(name):
        raise _bad(f"{name[:80]!r} can't name a recipe", "letters, digits, - and _")
    budget = _mapping(content.get("budget", {}), "budget")
    parts = _mapping(content.get("split", {}), "split")
    _refuse_unknown(budget, ("trials", "minutes", "seconds"), "budget")
    _refuse_unknown(parts, ("holdout", "valid"), "split")
    usual = Recipe(name="usual", steps=(), goals=())
    return Recipe(
        name=name, description=_text(content.get("description", ""), "description"), steps=steps,
        goals=tuple(map(Goal.parse, _texts(content.get("objective"), "objective"))),
        constraints=tuple(
            map(Constraint.parse, _texts(content.get("constraints", []), "constraints"))
        ),
        data=_optional_text(content.get("data"), "data"),
        target=_optional_text(content.get("target"), "target"),
        seed=_whole(content.get("seed", 0), "seed", 0, 2**32 - 1),
        trials=_whole(budget.get("trials", usual.trials), "trials", 1, 100_000),
        seconds=_seconds(budget),
        holdout=_share(parts.get("holdout", usual.holdout), "holdout"),
        valid=_share(parts.get("valid", usual.valid), "valid"),
        nested=_whole(content.get("nested", 0), "nested", 0, 20),
        publish=_whole(content.get("publish", usual.publish), "publish", 1, 20),
        baseline=_baseline(content.get("baseline", "auto")),
    )  # fmt: skip


def check_recipe(recipe: Recipe) -> None:
    """Whether it can be written, and read again. InvalidInput: as `read_recipe`."""
    import yaml

    try:
        read_recipe(written(recipe))
    except yaml.YAMLError:
        raise _bad("options of passes are texts, numbers, lists of them, or a range") from None
    except RecursionError:
        raise _bad("its options are nested too deeply") from None


def written(recipe: Recipe) -> str:
    """YAML that `read_recipe` reads as the same recipe."""
    import yaml

    content: dict[str, Json] = {"name": recipe.name}
    if recipe.description:
        content["description"] = recipe.description
    content["objective"] = [str(goal) for goal in recipe.goals]
    if recipe.constraints:
        content["constraints"] = [str(each) for each in recipe.constraints]
    content |= {key: value for key, value in (("data", recipe.data), ("target", recipe.target))
                if value is not None}  # fmt: skip
    content["seed"] = recipe.seed
    content["budget"] = {"trials": recipe.trials} | (
        {} if recipe.seconds is None else {"seconds": recipe.seconds}
    )
    content["split"] = {"holdout": recipe.holdout, "valid": recipe.valid}
    if recipe.nested:
        content["nested"] = recipe.nested
    content["publish"] = recipe.publish
    if recipe.baseline != "auto":
        content["baseline"] = recipe.baseline
    content["passes"] = [_plain(step) for step in recipe.steps] or _AUTO

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _: object) -> bool:
            return True  # a list that stands in two steps is written twice: no anchors are read

    return yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)


def _plain(step: Step) -> Json:
    options = dict(step.options) | ({"optional": True} if step.optional else {})
    return {step.name: options} if options else step.name


def _steps(given: Json) -> tuple[Step, ...]:
    """None where they are to be those that fit the model."""
    if given == _AUTO:
        return ()
    if not isinstance(given, list) or not 0 < len(given) <= _MOST:
        raise _bad(
            f"passes is a list of 1 to {_MOST} passes, or {_AUTO}: those that fit the model",
            "passes: [to-onnx, quantize]; yard recipes shows some",
        )
    return tuple(map(_step, given))


def _step(given: Json) -> Step:
    if isinstance(given, dict) and len(given) == 1:
        [(name, options)] = given.items()
        options = _mapping({} if options is None else options, f"{name} in passes")
    else:
        name, options = given, {}
    if not isinstance(name, str) or name not in NAMES:
        raise InvalidInput(
            "no-pass", f"there is no pass {str(name)[:40]!r}", hint=f"one of {', '.join(NAMES)}"
        )
    optional = options.pop("optional", False)
    if not isinstance(optional, bool):
        raise _bad(f"optional of {name} is true or false")
    for key, value in options.items():
        _check_option(name, key, value)
    return Step(name, options, optional)


def _check_option(name: str, key: Json, value: Json) -> None:
    if not isinstance(key, str) or not key.isprintable() or not 0 < len(key) <= 100:
        raise _bad(f"{str(key)[:40]!r} names no option of {name}")
    if isinstance(value, list) and not 0 < len(value) <= 1000:
        raise _bad(f"{key} of {name} has {len(value)} values to choose from")
    _check_plain(value, f"{key} of {name}")
    if isinstance(value, dict) and ("low" in value or "high" in value):
        _refuse_unknown(value, tuple(_RANGE), f"{key} of {name}")
        low, high = value.get("low"), value.get("high")
        if not (_is_number(low) and _is_number(high)):
            raise _bad(f"{key} of {name} needs low and high, two numbers")
        if low > high or (value.get("log") and low <= 0):
            raise _bad(f"{key} of {name} goes from {low} to {high}")
        step = value.get("step", 1)
        if not _is_number(step) or step <= 0:
            raise _bad(f"a step of {key} of {name} is a number above 0")
    known = TAKES[name]
    if key in known or name not in BY_MODEL:
        check_name(name, key)
        check_value(name, key, value, known[key])


def _is_number(value: Json) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_plain(value: Json, what: str, depth: int = 0) -> None:
    """Values that JSON knows too, and that can be reckoned with."""
    if depth > _DEEPEST:
        raise _bad(f"{what} is nested too deeply")
    if isinstance(value, dict | list):
        inner = value if isinstance(value, list) else [*value, *value.values()]
        for each in inner:
            _check_plain(each, what, depth + 1)
    elif _is_number(value):
        if not abs(value) < (2**63 if isinstance(value, int) else _LARGEST):
            raise _bad(f"{what} is too large a number, or none")
    elif value is not None and not isinstance(value, str | bool):
        raise _bad(
            f"{what} can't be a {type(value).__name__}", "write dates and times in quotation marks"
        )


def _loaded(text: str) -> dict[str, Json]:
    """A mapping, from YAML without aliases and tags."""
    if len(text) > _LONGEST:
        raise _bad(f"a recipe of {len(text)} characters is too long", f"at most {_LONGEST}")
    try:
        top = plain_yaml(text, strict=True)
    except NotPlain as error:
        raise _bad(str(error)) from None
    return _mapping(top, "a recipe")


# -- values ----------------------------------------------------------------------------------------


def _mapping(value: Json, what: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise _bad(f"{what} should have names and values", _EXAMPLES.get(what, _OF_PASS))
    return dict(value)


def _list(value: Json, what: str) -> list[Json]:
    if not isinstance(value, list):
        raise _bad(f"{what} should be a list", f"{what}: [..., ...]")
    return value


def _texts(value: Json, what: str) -> list[str]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    return [_text(each, what) for each in _list([] if value is None else value, what)]


def _text(value: Json, what: str) -> str:
    if not isinstance(value, str) or len(value) > 2000:
        raise _bad(f"{what} should be a text")
    return value


def _optional_text(value: Json, what: str) -> str | None:
    return None if value is None else _text(value, what)


def _whole(value: Json, what: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _bad(
            f"{what} is a whole number from {low} to {high}, not {value!r:.40}",
            text_hint(value) or f"{what}: {low}",
        )
    return value


def _share(value: Json, what: str) -> float:
    if not _is_number(value) or not 0.05 <= value <= 0.8:
        raise _bad(
            f"{what} is a share from 0.05 to 0.8, not {value!r:.40}",
            text_hint(value) or f"split: {{{what}: 0.3}}",
        )
    return float(value)


def _baseline(value: Json) -> Literal["auto", "as-is", "refit"]:
    if value not in ("auto", "as-is", "refit"):
        raise _bad("baseline is auto, as-is or refit")
    return value  # type: ignore[no-any-return]


def _seconds(budget: Mapping[str, Json]) -> float | None:
    for key, unit in (("minutes", 60.0), ("seconds", 1.0)):
        value = budget.get(key)
        if value is None:
            continue
        if not _is_number(value) or not 0 < value * unit < _MOST_SECONDS:
            most = f"{int(_MOST_SECONDS / 86_400):,} days at most"
            raise _bad(
                f"{key} of the budget is a number above 0, {most}, not {value!r:.40}",
                text_hint(value) or "budget: {minutes: 10}",
            )
        return float(value) * unit
    return None


def _refuse_unknown(content: Mapping[str, Json], known: tuple[str, ...], what: str) -> None:
    odd = [str(key) for key in content if key not in known]
    if odd:
        near = difflib.get_close_matches(odd[0], known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
        raise _bad(f"{what} has no {odd[0][:40]!r}", hint)


def _bad(
    sentence: str, hint: str = "docs/spec/recipe-1.md says how recipes are written"
) -> InvalidInput:
    return InvalidInput("wrong-recipe", sentence, hint=hint)
