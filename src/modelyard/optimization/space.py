"""What trials may choose: options by name, some of which depend on others. Pure.

Names are those of `Trial.params`. `1.prune` tells whether a pass is run, and `1.prune.sparsity` is
chosen only where it is. `0.choose.forest.depth` is chosen only where another option of that pass
(`0.choose.algorithm`) is `forest`. And an option may say itself where it counts (`Range.where`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from modelyard.optimization.passes.interface import Choice
from modelyard.optimization.values import (
    as_chosen,
    at_unit,
    contains,
    first_of,
    is_open,
    moved,
    same,
    typical,
    values_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    from modelyard.optimization.passes.interface import Option

__all__ = ["Space", "beside"]

Json = Any


class Space:
    """Options by name, in an order in which each follows those that it depends on."""

    def __init__(self, options: Mapping[str, Option]) -> None:
        self.conditions = {name: tuple(_conditions(name, options)) for name in options}
        self._where = dict(_wheres(options))
        self.options = {
            name: options[name] for name in sorted(options, key=self._depth)
        }  # a stable sort: beyond that as they were given

    def _depth(self, name: str) -> int:
        others = [other for other, _ in self.conditions[name]]
        if name in self._where:
            others.append(self._where[name][0])
        return max((1 + self._depth(other) for other in others), default=0)

    def is_active(self, name: str, params: Mapping[str, Json]) -> bool:
        """Whether an option is to be chosen where others have these values."""
        return all(
            other in params and same(params[other], value) != (value is False)
            for other, value in self.conditions[name]
        ) and self._counts(name, params)

    def _counts(self, name: str, params: Mapping[str, Json]) -> bool:
        other, values = self._where.get(name, ("", ()))
        return not other or any(same(params.get(other), value) for value in values)

    def cleaned(self, params: Mapping[str, Json]) -> dict[str, Json]:
        """What can be chosen of these; the first of every option that is missing or can't be."""
        found: dict[str, Json] = {}
        for name, option in self.options.items():
            if not self.is_active(name, found):
                continue
            given = params.get(name, found)  # `found` is never a value
            usable = given is not found and contains(option, given)
            found[name] = as_chosen(option, given) if usable else first_of(option)
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

    def typical(self, rng: np.random.Generator) -> dict[str, Json]:
        """By chance, oftener near to what is tried first."""
        found: dict[str, Json] = {}
        for name, option in self.options.items():
            if self.is_active(name, found):
                found[name] = typical(option, rng)
        return found

    def near(
        self, params: Mapping[str, Json], rng: np.random.Generator, *, far: float = 0.15
    ) -> dict[str, Json]:
        """Parameters near to these: one option is another, and some more by chance."""
        wide = [n for n in self.options if n in params and is_open(self.options[n])]
        if not wide:
            return dict(params)
        others = {wide[int(rng.integers(len(wide)))]}
        others |= {name for name in wide if rng.random() < 1.0 / len(wide)}
        changed = dict(params)
        for name in self.options:  # in their order: chance must not hang on that of a set
            if name in others:
                changed[name] = moved(self.options[name], params[name], rng, far)
        return self.cleaned(changed)

    def portfolio(self) -> Iterator[dict[str, Json]]:
        """The first of everything; then every other value of what other options depend on, and
        every value of what does not count beside the first.
        """
        start = self.cleaned({})
        yield start
        for name in dict.fromkeys(other for each in self.conditions.values() for other, _ in each):
            option = self.options[name]
            base = start if name in start else self._with_place_for(name, start)
            for value in option.values if isinstance(option, Choice) else ():
                if name in base and (base is not start or not same(value, start[name])):
                    yield self.cleaned(base | {name: value})

    def _with_place_for(self, name: str, params: Mapping[str, Json]) -> dict[str, Json]:
        """The same, but that an option counts."""
        other, values = self._where.get(name, ("", ()))
        return self.cleaned({**params, other: values[0]} if other else params)

    def varied(self, params: Mapping[str, Json]) -> list[dict[str, Json]]:
        """The same with what options say is worth a try too: the first of each, the second, ..."""
        also = {name: self.options[name].also for name in params}
        count = max(map(len, also.values()), default=0)
        found = []
        for at in range(count):
            given = {name: each[at] for name, each in also.items() if at < len(each)}
            if changed := self._with(params, given):
                found.append(changed)
        return found

    def _with(
        self, params: Mapping[str, Json], given: Mapping[str, Json]
    ) -> dict[str, Json] | None:
        """Of options that nothing is said of the first; None if that can't be chosen."""
        if not self.takes(given):
            return None
        deciding = {other for each in self.conditions.values() for other, _ in each}
        kept = {name: value for name, value in params.items() if name in deciding}
        return self.cleaned({**kept, **given})

    def everything(self, most: int) -> list[dict[str, Json]] | None:
        """All that can be chosen; None if that is more than `most`, or without end."""
        found: list[dict[str, Json]] = [{}]
        for name, option in self.options.items():
            values = values_of(option, most)
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


def _wheres(options: Mapping[str, Option]) -> Iterator[tuple[str, tuple[str, tuple[Json, ...]]]]:
    """Other options without certain values of which one does not count."""
    for name, option in options.items():
        if option.where is None:
            continue
        short, values = option.where
        other = short if short in options else beside(name, short)
        if other in options:
            yield name, (other, values)


def beside(name: str, short: str) -> str:
    """The full name of an option that stands beside another: `0.tune.clf__kernel` for `kernel`."""
    ends = [name.rfind(mark) + len(mark) for mark in (".", "__") if mark in name]
    return name[: max(ends, default=0)] + short
