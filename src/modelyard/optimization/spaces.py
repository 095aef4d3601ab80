"""What a recipe leaves open: options by name, from which trials choose.

Names are those of `Trial.params`: `PLACE.PASS.OPTION`, and `PLACE.PASS` for whether an optional
pass runs at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.optimization.engines.interface import Fixed
from modelyard.optimization.passes import Choice, Range, pass_named
from modelyard.optimization.passes.allowed import OneOf
from modelyard.optimization.passes.tables.naming import check_named
from modelyard.optimization.passes.takes import TAKES
from modelyard.optimization.space import beside
from modelyard.optimization.values import contains, first_of, same

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.optimization import Recipe, Step
    from modelyard.optimization.passes import Option
    from modelyard.optimization.state import Subject

__all__ = ["Plan", "plan_of"]

Json = Any

_TURNS_INTO = {
    "to-onnx": ("onnx", "onnx", "onnx.ModelProto"),
    "to-litert": ("keras", "litert", "litert"),
}
"""What a model is after a pass that makes something else of it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A recipe made ready for one model."""

    recipe: Recipe
    steps: tuple[tuple[int, Step], ...]
    """Passes that may help, with their places in the recipe."""
    spaces: Mapping[str, Option]
    reasons: tuple[str, ...]
    """Why others can't."""

    def first(self) -> dict[str, Json]:
        """The recipe as its passes would run by themselves."""
        return {name: first_of(option) for name, option in self.spaces.items()}

    def barest(self) -> dict[str, Json]:
        """The same without what may be left out."""
        bare = {f"{place}.{step.name}": False for place, step in self.steps if step.optional}
        return {name: value for name, value in (self.first() | bare).items()
                if not _is_left_out(name, bare)}  # fmt: skip

    def fixed(self, params: Mapping[str, Json]) -> tuple[Fixed, ...]:
        """Passes with what a trial has chosen."""
        found: list[Fixed] = []
        for place, step in self.steps:
            head = f"{place}.{step.name}"
            if step.optional and params.get(head) is False:
                continue
            if self._is_replaced(head, params):
                continue
            chosen = {
                name.removeprefix(f"{head}."): value
                for name, value in params.items()
                if name.startswith(f"{head}.")
            }
            earlier = sum(each.name == step.name for each in found)
            found.append(Fixed(place=earlier, name=step.name, params=_set(step) | chosen))
        return tuple(found)

    def _is_replaced(self, head: str, params: Mapping[str, Json]) -> bool:
        """Whether a later pass does what this one would, as `where` of its algorithm says."""
        where = getattr(self.spaces.get(f"{head}.algorithm"), "where", None)
        if where is None or where[0] not in params or f"{head}.algorithm" in params:
            return False
        return not any(same(params[where[0]], value) for value in where[1])


def plan_of(recipe: Recipe, subject: Subject) -> Plan:
    """Which passes may help a model, and what they leave open. InvalidInput: `wrong-recipe`."""
    steps: list[tuple[int, Step]] = []
    reasons: list[str] = []
    spaces: dict[str, Option] = {}
    for place, step in enumerate(recipe.steps):
        found = pass_named(step.name)
        why = found.why_not(subject)
        if why is not None:
            reasons.append(f"{step.name}: {why}")
            continue
        options = found.options(subject)
        check_named(step, subject, options, [each for _, each in steps])
        steps.append((place, step))
        head = f"{place}.{step.name}"
        if step.optional:
            spaces[head] = Choice((True, False))
        for name, option in _open(step, options).items():
            spaces[f"{head}.{name}"] = option
        subject = _after(step, subject)
    return Plan(recipe, tuple(steps), _each_for_itself(steps, spaces), tuple(reasons))


def _each_for_itself(
    steps: Sequence[tuple[int, Step]], spaces: Mapping[str, Option]
) -> dict[str, Option]:
    """What combines algorithms compares all of them, so which one was chosen before says little:
    trials do one or the other, where the recipe leaves both open.
    """
    found = dict(spaces)
    places = {step.name: f"{place}.{step.name}" for place, step in steps}
    head, gate = f"{places.get('choose')}.algorithm", places.get("combine", "")
    if head in found and gate in found and head < gate:
        found[head] = replace(found[head], where=(gate, (False,)))
    return found


def _open(step: Step, options: Mapping[str, Option]) -> dict[str, Option]:
    """Options that trials choose: those that the recipe says nothing of, lists and ranges."""
    found = {
        name: option
        for name, option in options.items()
        if name not in step.options and _may_count(name, step, options)
    }
    for name, given in step.options.items():
        if isinstance(given, list):
            if len(given) > 1:
                found[name] = _choice(given, options.get(name))
        elif isinstance(given, dict) and {"low", "high"} <= given.keys():
            allowed = TAKES[step.name].get(name)
            if isinstance(allowed, OneOf):
                found[name] = _choice(
                    allowed.within(given["low"], given["high"]), options.get(name)
                )
            else:
                found[name] = _range(given, options.get(name))
    return found


def _may_count(name: str, step: Step, options: Mapping[str, Option]) -> bool:
    """Whether an option counts with some value of those that the recipe leaves to others.

    `forest.max_depth` does not where `algorithm` is to be something else.
    """
    group, _, inner = name.partition(".")
    groups = [
        other for other, option in options.items()
        if inner and isinstance(option, Choice) and group in option.values
    ]  # fmt: skip
    if any(group not in _left(step, other) for other in groups if other in step.options):
        return False
    where = options[name].where
    if where is None or (other := beside(name, where[0])) not in step.options:
        return True
    return any(value in where[1] for value in _left(step, other))


def _left(step: Step, name: str) -> list[Json]:
    """What the recipe leaves of an option's values."""
    given = step.options[name]
    return given if isinstance(given, list) else [given]


def _choice(given: Sequence[Json], own: Option | None) -> Option:
    """A recipe's values, each once, where the pass's own option counts."""
    values = [each for at, each in enumerate(given) if not any(same(each, e) for e in given[:at])]
    return Choice(tuple(values), where=None if own is None else own.where)


def _range(given: Mapping[str, Json], own: Option | None) -> Option:
    low, high, log = given["low"], given["high"], bool(given.get("log", False))
    step = given.get("step")
    if step is not None:
        count = (high - low) / step if step else math.inf
        if not 0 <= count <= 1000:
            raise InvalidInput("wrong-recipe", f"steps of {step} from {low} to {high} are too many")
        return _choice([round(low + i * step, 12) for i in range(int(count + 1e-9) + 1)], own)
    whole = isinstance(low, int) and isinstance(high, int)
    middle = math.sqrt(low) * math.sqrt(high) if log else (low + high) / 2
    if isinstance(own, Range) and low <= own.default <= high:
        middle = own.default
    found = Range(low, high, round(middle) if whole else middle, log=log, whole=whole)
    if not isinstance(own, Range):
        return found
    also = tuple(value for value in own.also if contains(found, value))
    return replace(found, where=own.where, also=also)


def _set(step: Step) -> dict[str, Json]:
    """What the recipe has fixed."""
    found = {}
    for name, value in step.options.items():
        if isinstance(value, list):
            if len(value) == 1:
                found[name] = value[0]
        elif not (isinstance(value, dict) and {"low", "high"} <= value.keys()):
            found[name] = value
    return found


def _after(step: Step, subject: Subject) -> Subject:
    if step.name not in _TURNS_INTO:
        return subject
    framework, serializer, name = _TURNS_INTO[step.name]
    if (subject.framework, subject.serializer) == (framework, serializer):
        return subject
    return replace(
        subject, framework=framework, serializer=serializer, class_name=name, operators={}
    )


def _is_left_out(name: str, bare: Mapping[str, Json]) -> bool:
    return any(name.startswith(f"{head}.") for head in bare)
