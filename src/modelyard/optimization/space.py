"""What trials may choose: options by name, some of which depend on others. Pure.

Names are those of `Trial.params`. `1.prune` tells whether a pass is run, and `1.prune.sparsity` is
chosen only where it is. `0.choose.forest.depth` is chosen only where another option of that pass
(`0.choose.algorithm`) is `forest`.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from modelyard.optimization.passes.interface import Choice, Range

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    from modelyard.optimization.passes.interface import Option

__all__ = ["Space", "at_unit", "contains", "first_of", "is_ordinal", "unit_of"]

Json = Any

_DIGITS = 4
"""Significant ones of a number that was chosen by chance: people read them."""


class Space:
    """Options by name, in an order in which each follows those that it depends on."""

    def __init__(self, options: Mapping[str, Option]) -> None:
        self.conditions = {name: tuple(_conditions(name, options)) for name in options}
        self.options = {
            name: options[name] for name in sorted(options, key=self._depth)
        }  # a stable sort: beyond that as they were given

    def _depth(self, name: str) -> int:
        return max((1 + self._depth(other) for other, _ in self.conditions[name]), default=0)

    def is_active(self, name: str, params: Mapping[str, Json]) -> bool:
        """Whether an option is to be chosen where others have these values."""
        return all(
            other in params and same(params[other], value) != (value is False)
            for other, value in self.conditions[name]
        )

    def cleaned(self, params: Mapping[str, Json]) -> dict[str, Json]:
        """What can be chosen of these; the first of every option that is missing or can't be."""
        found: dict[str, Json] = {}
        for name, option in self.options.items():
            if not self.is_active(name, found):
                continue
            given = params.get(name, found)  # `found` is never a value
            usable = given is not found and contains(option, given)
            found[name] = given if usable else first_of(option)
        return found

    def takes(self, params: Mapping[str, Json]) -> bool:
        """Whether all values can be chosen; options that are not known here do not matter."""
        return all(
            contains(self.options[name], value)
            for name, value in params.items()
            if name in self.options
        )

    def key(self, params: Mapping[str, Json]) -> str:
        """The same for parameters that differ only in what does not count."""
        return json.dumps(self.cleaned(params), sort_keys=True)

    def drawn(self, rng: np.random.Generator) -> dict[str, Json]:
        """Everything by chance."""
        found: dict[str, Json] = {}
        for name, option in self.options.items():
            if self.is_active(name, found):
                found[name] = at_unit(option, float(rng.random()))
        return found

    def near(
        self, params: Mapping[str, Json], rng: np.random.Generator, *, far: float = 0.15
    ) -> dict[str, Json]:
        """Parameters near to these: one option is another, and some more by chance."""
        wide = [n for n in self.options if n in params and _has_others(self.options[n])]
        if not wide:
            return dict(params)
        moved = {wide[int(rng.integers(len(wide)))]}
        moved |= {name for name in wide if rng.random() < 1.0 / len(wide)}
        changed = dict(params)
        for name in self.options:  # in their order: chance must not hang on that of a set
            if name in moved:
                changed[name] = _moved(self.options[name], params[name], rng, far)
        return self.cleaned(changed)

    def portfolio(self) -> Iterator[dict[str, Json]]:
        """The first of everything; then every other value of what other options depend on."""
        start = self.cleaned({})
        yield start
        for name in dict.fromkeys(other for each in self.conditions.values() for other, _ in each):
            option = self.options[name]
            for value in option.values if isinstance(option, Choice) else ():
                if name in start and not same(value, start[name]):
                    yield self.cleaned(start | {name: value})

    def everything(self, most: int) -> list[dict[str, Json]] | None:
        """All that can be chosen; None if that is more than `most`, or without end."""
        found: list[dict[str, Json]] = [{}]
        for name, option in self.options.items():
            values = _values(option, most)
            if values is None:
                return None
            grown = []
            for each in found:
                grown += (
                    [each | {name: value} for value in values]
                    if self.is_active(name, each)
                    else [each]
                )
                if len(grown) > most:
                    return None
            found = grown
        return found


def _conditions(name: str, options: Mapping[str, Option]) -> Iterator[tuple[str, Json]]:
    """Other options, and the value that they must have; False stands for anything but False."""
    parts = name.split(".")
    gate = ".".join(parts[:2])
    if len(parts) > 2 and gate in options:
        yield gate, False
    if len(parts) > 3:
        for other, option in options.items():
            inside = other.startswith(f"{gate}.") and other.count(".") == 2
            if inside and isinstance(option, Choice) and parts[2] in option.values:
                yield other, parts[2]


def same(one: Json, other: Json) -> bool:
    """Equal as JSON is: 1 is not true."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def contains(option: Option, value: Json) -> bool:
    """Whether it is one of an option's values."""
    if isinstance(option, Choice):
        return any(same(value, each) for each in option.values)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return option.low <= value <= option.high and (not option.whole or float(value).is_integer())


def is_ordinal(option: Choice) -> bool:
    """Numbers have an order that other things lack."""
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in option.values)


def first_of(option: Option) -> Json:
    """What is tried first."""
    if isinstance(option, Choice):
        return option.values[0]
    return round(option.default) if option.whole else option.default


def unit_of(option: Option, value: Json) -> float:
    """Where between 0 and 1 a value lies."""
    if isinstance(option, Choice):
        values = sorted(option.values) if is_ordinal(option) else option.values
        place = next(at for at, each in enumerate(values) if same(each, value))
        return (place + 0.5) / len(values)
    low, high = _ends(option)
    at = math.log(value) if _is_log(option) else float(value)
    return (at - low) / (high - low) if high > low else 0.5


def at_unit(option: Option, unit: float) -> Json:
    """The value that lies there."""
    if isinstance(option, Choice):
        values = sorted(option.values) if is_ordinal(option) else option.values
        return values[min(int(unit * len(values)), len(values) - 1)]
    low, high = _ends(option)
    at = low + min(max(unit, 0.0), 1.0) * (high - low)
    value = math.exp(at) if _is_log(option) else at
    if option.whole:
        return int(min(max(round(value), option.low), option.high))
    return min(max(float(f"{value:.{_DIGITS}g}"), option.low), option.high)


def _ends(option: Range) -> tuple[float, float]:
    if _is_log(option):
        return math.log(option.low), math.log(option.high)
    return option.low, option.high


def _is_log(option: Range) -> bool:
    return option.log and option.low > 0


def _has_others(option: Option) -> bool:
    return len(option.values) > 1 if isinstance(option, Choice) else option.high > option.low


def _moved(option: Option, value: Json, rng: np.random.Generator, far: float) -> Json:
    if isinstance(option, Choice):
        others = [each for each in option.values if not same(each, value)]
        if is_ordinal(option):
            others.sort(key=lambda each: abs(each - value))
            others = others[:2]  # numbers have neighbours
        return others[int(rng.integers(len(others)))]
    unit = unit_of(option, value)
    for _ in range(8):
        found = at_unit(option, _mirrored(unit + far * float(rng.standard_normal())))
        if not same(found, value):
            break
    return found


def _mirrored(unit: float) -> float:
    """Steps beyond an end come back."""
    unit = abs(unit)
    return 2.0 - unit if 1.0 < unit <= 2.0 else min(unit, 1.0)


def _values(option: Option, most: int) -> list[Json] | None:
    if isinstance(option, Choice):
        return list(option.values)
    if option.low == option.high:
        return [first_of(option)]
    if option.whole and option.high - option.low < most:
        return list(range(int(option.low), int(option.high) + 1))
    return None
