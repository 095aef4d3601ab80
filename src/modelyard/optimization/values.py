"""Values of one option: what can be chosen, and where between 0 and 1 it lies. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from modelyard.optimization.passes.interface import Choice

if TYPE_CHECKING:
    import numpy as np

    from modelyard.optimization.passes.interface import Option, Range

__all__ = [
    "as_chosen", "at_unit", "contains", "first_of", "is_open", "is_ordinal", "moved", "ordered",
    "rounded", "same", "typical", "unit_of", "values_of",
]  # fmt: skip

Json = Any

_DIGITS = 4
"""Significant ones of a number that was chosen by chance from a wide range: people read them."""
_TYPICAL = 0.25
"""How far from the default good numbers usually are, the whole range being one."""


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


def as_chosen(option: Option, value: Json) -> Json:
    """A value that it contains, as the option itself would give it: 3 where 3.0 was said."""
    if isinstance(option, Choice):
        return next(each for each in option.values if same(value, each))
    return int(value) if option.whole else float(value)


def rounded(option: Range, value: float) -> float:
    """With no more digits than people need to tell the numbers of a range apart."""
    widest, width = max(abs(option.low), abs(option.high)), option.high - option.low
    more = math.floor(math.log10(widest / width)) if width > 0 else 0
    found = float(f"{value:.{_DIGITS + max(more, 0)}g}")
    return float(min(max(found, option.low), option.high))


def is_ordinal(option: Choice) -> bool:
    """Numbers have an order that other things lack."""
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in option.values)


def ordered(option: Choice) -> list[Json]:
    """Its values: numbers rising, other things as they were given."""
    return sorted(option.values) if is_ordinal(option) else list(option.values)


def first_of(option: Option) -> Json:
    """What is tried first."""
    if isinstance(option, Choice):
        return option.values[0]
    return round(option.default) if option.whole else option.default


def unit_of(option: Option, value: Json) -> float:
    """Where between 0 and 1 a value lies."""
    if isinstance(option, Choice):
        values = ordered(option)
        place = next(at for at, each in enumerate(values) if same(each, value))
        return (place + 0.5) / len(values)
    low, high = _ends(option)
    at = math.log(value) if _is_log(option) else float(value)
    return (at - low) / (high - low) if high > low else 0.5


def at_unit(option: Option, unit: float) -> Json:
    """The value that lies there."""
    if isinstance(option, Choice):
        values = ordered(option)
        return values[min(int(unit * len(values)), len(values) - 1)]
    low, high = _ends(option)
    at = low + min(max(unit, 0.0), 1.0) * (high - low)
    value = math.exp(at) if _is_log(option) else at
    if option.whole:
        return int(min(max(round(value), option.low), option.high))
    return rounded(option, value)


def _ends(option: Range) -> tuple[float, float]:
    if _is_log(option):
        return math.log(option.low), math.log(option.high)
    return option.low, option.high


def _is_log(option: Range) -> bool:
    return option.log and option.low > 0


def is_open(option: Option) -> bool:
    """Whether there is anything to choose."""
    return len(option.values) > 1 if isinstance(option, Choice) else option.high > option.low


def typical(option: Option, rng: np.random.Generator) -> Json:
    """A value by chance, oftener near to what is tried first."""
    unit = float(rng.random())
    if isinstance(option, Choice):
        return first_of(option) if rng.random() < 0.5 else at_unit(option, unit)
    near = unit_of(option, first_of(option)) + _TYPICAL * float(rng.standard_normal())
    return at_unit(option, near if 0.0 <= near <= 1.0 else unit)


def moved(option: Option, value: Json, rng: np.random.Generator, far: float) -> Json:
    """Another value, so far off; of a choice any other."""
    if isinstance(option, Choice):
        others = [each for each in option.values if not same(each, value)]
        if is_ordinal(option):
            others.sort(key=lambda each: abs(each - value))
            others = others[:2]  # numbers have neighbours
        return others[int(rng.integers(len(others)))] if others else value
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


def values_of(option: Option, most: int) -> list[Json] | None:
    """All that can be chosen; None if that is more than `most`, or without end."""
    if isinstance(option, Choice):
        return list(option.values)
    if option.low == option.high:
        return [first_of(option)]
    if option.whole and option.high - option.low < most:
        return list(range(int(option.low), int(option.high) + 1))
    return None
