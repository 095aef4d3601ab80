"""What the options of passes may be. Pure, and cheap: reading a recipe imports no pass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from modelyard.optimization.values import same

__all__ = ["Allowed", "Anything", "Either", "ListOf", "Number", "OneOf"]

Json = Any


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some values."""

    values: tuple[Json, ...]

    def takes(self, value: Json) -> bool:
        return any(same(value, each) for each in self.values)

    def within(self, low: float, high: float) -> list[Json]:
        """Those that are numbers between two, which are included."""
        return [each for each in self.values if Number(low, high).takes(each)]

    def __str__(self) -> str:
        shown = [_shown(each) for each in self.values]
        return shown[0] if len(shown) == 1 else f"one of {', '.join(shown)}"


@dataclass(frozen=True, slots=True)
class Number:
    """A number between two, both included unless it says otherwise."""

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    above: bool = False
    """Whether `low` itself is too little."""
    below: bool = False
    """Whether `high` itself is too much."""

    def takes(self, value: Json) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.whole and value != int(value):
            return False
        if (self.above and value == self.low) or (self.below and value == self.high):
            return False
        return self.low <= value <= self.high

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        if math.isinf(self.low) and math.isinf(self.high):
            return kind
        if math.isinf(self.low):
            return f"{kind} {'below' if self.below else 'up to'} {self.high:g}"
        least = f"above {self.low:g}" if self.above else f"from {self.low:g}"
        if math.isinf(self.high):
            return f"{kind} {least}" + ("" if self.above else " on")
        if self.below:
            return f"{kind} {least}, below {self.high:g}"
        return (
            f"{kind} {least}, up to {self.high:g}"
            if self.above
            else (f"{kind} {least} to {self.high:g}")
        )


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list. It stands in a list of its own, as a list alone is what trials choose from."""

    each: type
    """Of the values in it: `str` or `float`."""

    def takes(self, value: Json) -> bool:
        if not isinstance(value, list | tuple):
            return False
        if self.each is str:
            return all(isinstance(each, str) for each in value)
        return all(Number().takes(each) for each in value)

    def __str__(self) -> str:
        words, example = ("names", "[[a, b]]") if self.each is str else ("numbers", "[[1, 2]]")
        return f"a list of {words}, in a list of its own: {example}"


@dataclass(frozen=True, slots=True)
class Either:
    """What one of several takes."""

    kinds: tuple[OneOf | Number | ListOf, ...]

    def takes(self, value: Json) -> bool:
        return any(each.takes(value) for each in self.kinds)

    def __str__(self) -> str:
        return "; or ".join(map(str, self.kinds))


@dataclass(frozen=True, slots=True)
class Anything:
    """What only the pass can tell, with the model at hand."""

    def takes(self, _value: Json) -> bool:
        return True

    def __str__(self) -> str:
        return "anything"


Allowed = OneOf | Number | ListOf | Either | Anything


def _shown(value: Json) -> str:
    """As YAML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)
