"""Universal Binary JSON, as XGBoost writes it: objects, lists, typed arrays, checked lengths."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.formats.reading import Json, Region, bad

if TYPE_CHECKING:
    from modelyard.formats.interface import Budget

__all__ = ["Typed", "parse_ubj"]

KIND = "bad-xgboost"
_NUMBERS = {
    b"i": (">b", "int8"), b"U": (">B", "uint8"), b"I": (">h", "int16"), b"l": (">i", "int32"),
    b"L": (">q", "int64"), b"d": (">f", "float32"), b"D": (">d", "float64"),
}  # fmt: skip
_CONSTANTS = {b"Z": None, b"T": True, b"F": False}


@dataclass(frozen=True, slots=True)
class Typed:
    """An array of numbers of one type, which was not read."""

    dtype: str
    itemsize: int
    count: int
    start: int
    end: int


class _Reader:
    __slots__ = ("budget", "nodes", "pos", "region")

    def __init__(self, region: Region, budget: Budget) -> None:
        self.region = region
        self.budget = budget
        self.pos = 0
        self.nodes = 0

    def mark(self) -> bytes:
        """The next type; no-ops in between are skipped."""
        while True:
            found = self.region.read(self.pos, 1)
            self.pos += 1
            if found != b"N":
                return found
            self.charge()

    def number(self, mark: bytes) -> int | float:
        code = _NUMBERS[mark][0]
        size = struct.calcsize(code)
        (value,) = struct.unpack(code, self.region.read(self.pos, size))
        self.pos += size
        return value  # type: ignore[no-any-return]

    def count(self) -> int:
        mark = self.mark()
        value = self.number(mark) if mark in b"iUIlL" else -1
        if not isinstance(value, int) or not 0 <= value <= self.region.size - self.pos:
            raise bad(KIND, f"the length before byte {self.pos} is impossible")
        return value

    def text(self) -> str:
        length = self.count()
        if length > 10_000_000:
            raise bad(KIND, "a text is too long")
        raw = self.region.read(self.pos, length)
        self.pos += length
        return raw.decode("utf-8", "replace")

    def charge(self) -> None:
        self.nodes += 1
        if self.nodes > self.budget.max_nodes // 2:
            raise bad(KIND, "the model has too many values to be walked")
        if self.nodes & 1023 == 0 and self.budget.spent:
            raise bad(KIND, "the model takes too long to read")


def parse_ubj(region: Region, budget: Budget) -> Json:
    """The whole document; typed arrays are only located. Nesting is a list, not recursion."""
    reader = _Reader(region, budget)
    root, opened = _value(reader, reader.mark())
    stack: list[tuple[Json, int | None]] = [(root, opened)] if opened != _CLOSED else []
    while stack:
        holder, left = stack[-1]
        if left == 0:
            stack.pop()
            continue
        if left is None and _ends(reader, holder):
            stack.pop()
            continue
        if left is not None:
            stack[-1] = (holder, left - 1)
        key = reader.text() if isinstance(holder, dict) else None
        value, opened = _value(reader, reader.mark())
        if isinstance(holder, dict):
            if key in holder:
                raise bad(KIND, "a key is given twice")
            holder[key] = value
        else:
            holder.append(value)
        if opened != _CLOSED:
            stack.append((value, opened))
            if len(stack) > budget.max_depth:
                raise bad(KIND, "the model is nested too deeply")
    if reader.pos != region.size:
        raise bad(KIND, "bytes follow the model")
    return root


_CLOSED = -1


def _ends(reader: _Reader, holder: Json) -> bool:
    closing = b"}" if isinstance(holder, dict) else b"]"
    if reader.region.read(reader.pos, 1) != closing:
        return False
    reader.pos += 1
    return True


def _value(reader: _Reader, mark: bytes) -> tuple[Json, int | None]:
    """A value, and how many items it still waits for: None up to its end mark."""
    reader.charge()
    if mark in _NUMBERS:
        return reader.number(mark), _CLOSED
    if mark in _CONSTANTS:
        return _CONSTANTS[mark], _CLOSED
    if mark in (b"S", b"H"):
        return reader.text(), _CLOSED
    if mark == b"C":
        reader.pos += 1
        return "", _CLOSED
    if mark not in (b"{", b"["):
        raise bad(KIND, f"byte {reader.pos - 1} begins no value")
    return _container(reader, mark)


def _container(reader: _Reader, mark: bytes) -> tuple[Json, int | None]:
    following = reader.region.read(reader.pos, 1)
    kind = None
    if following == b"$":
        kind = reader.region.read(reader.pos + 1, 1)
        reader.pos += 2
        following = reader.region.read(reader.pos, 1)
        if following != b"#":
            raise bad(KIND, "a typed array has no length")
    if following != b"#":
        return ({} if mark == b"{" else []), None
    reader.pos += 1
    count = reader.count()
    if kind is None:
        return ({} if mark == b"{" else []), count
    if mark == b"{" or kind not in _NUMBERS:
        raise bad(KIND, "an array has a type that isn't understood")
    code, dtype = _NUMBERS[kind]
    size = struct.calcsize(code)
    start, end = reader.pos, reader.pos + count * size
    if end > reader.region.size:
        raise bad(KIND, "an array is longer than the file")
    reader.pos = end
    base = reader.region.start
    return Typed(dtype, size, count, base + start, base + end), _CLOSED
