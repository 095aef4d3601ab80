"""What a version must meet to be chosen: `size<10MB latency_p50<5ms accuracy>=0.9 label:x`.

Comparisons of measures, with units; everything else is a condition of the search language.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.core.conditions import Condition, Not, read_number
from modelyard.core.query import parse_query
from modelyard.core.version import human_size
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Bound", "Wish", "parse_wishes"]

_COMPARISON = re.compile(r"([A-Za-z_][^<>=!:\"]*?)(<=|>=|!=|=|<|>)([^<>=!:\"]+)", re.ASCII)
_JOINT = re.compile(r'"(?:\\.|[^"\\])*"|\s*(<=|>=|!=|<|>)\s*')
_NUMBER = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z%]*)")
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "=": operator.eq, "!=": operator.ne,
}  # fmt: skip
_MILLISECONDS = {"": 1.0, "ms": 1.0, "s": 1000.0, "us": 0.001, "ns": 1e-6}
_BYTES = {"": 1.0, "b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
          "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30, "tib": 2.0**40}  # fmt: skip
_PLAIN = {"": 1.0, "%": 0.01}


@dataclass(frozen=True, slots=True)
class Bound:
    """`latency_p50<5ms`: a measure compared with a number. Latency is in ms, size in bytes."""

    name: str
    compare: str
    value: float
    text: str
    """As it was written."""

    def holds(self, value: float) -> bool:
        return _OPERATORS[self.compare](value, self.value)

    def shown(self, value: float) -> str:
        """A measured value, as people read it beside the bound."""
        if self.name == "size":
            return human_size(round(value))
        return f"{value:.4g} ms" if self.name.startswith("latency") else f"{value:.4g}"

    def __str__(self) -> str:
        return self.text


Wish = Bound | Condition | Not


def parse_wishes(text: str) -> tuple[Wish, ...]:
    """Read wishes, all of which must be met. InvalidInput: `bad-query`."""
    wishes: list[Wish] = []
    for piece in _pieces(text):
        bound = _bound(piece)
        if bound is not None:
            wishes.append(bound)
            continue
        query = parse_query(piece)
        if query.sort is not None:
            raise InvalidInput("bad-query", f"{piece[:80]!r}: the metric alone decides the order",
                               hint="leave it out")  # fmt: skip
        wishes += query.conditions
    return tuple(wishes)


def _pieces(text: str) -> list[str]:
    """Split at blanks outside of quotes; `a < 3` is one piece."""
    joined = _JOINT.sub(lambda match: match[1] or match[0], text)
    return re.findall(r'(?:[^\s"]|"(?:\\.|[^"\\])*"|")+', joined)


def _bound(piece: str) -> Bound | None:
    match = _COMPARISON.fullmatch(piece)
    if piece.startswith(("params.", "-")) or (match is None and not _looks_compared(piece)):
        return None
    if match is None:
        raise InvalidInput("bad-query", f"{piece[:80]!r} can't be read as a comparison",
                           hint="size<10MB, latency_p50<5ms, accuracy>=0.9")  # fmt: skip
    name, compare, said = match[1].removeprefix("metric."), match[2], match[3]
    number = _NUMBER.fullmatch(said)
    value = None if number is None else read_number(number[1])
    units = _BYTES if name == "size" else _MILLISECONDS if name.startswith("latency") else _PLAIN
    unit = "" if number is None else number[2]
    factor = units.get(unit.lower() if name == "size" else unit)
    if value is None or factor is None:
        known = ", ".join(unit for unit in units if unit)
        raise InvalidInput(
            "bad-query", f"{piece[:80]!r} compares with no number",
            hint=f"{name}{compare}10, with one of the units {known}",
        )  # fmt: skip
    return Bound(name, compare, value * factor, piece)


def _looks_compared(piece: str) -> bool:
    return ":" not in piece and '"' not in piece and bool(re.search("[<>]", piece))
