"""LiteRT (`.tflite`): a flatbuffer, its tables followed by hand with every offset checked."""

from __future__ import annotations

import struct
from math import prod
from typing import TYPE_CHECKING, BinaryIO

from modelyard.core.tensor import ITEMSIZE, TensorInfo
from modelyard.core.version import Finding
from modelyard.formats.interface import Inspection
from modelyard.formats.reading import Json, Region, bad, printable

if TYPE_CHECKING:
    from modelyard.formats.interface import Budget

__all__ = ["inspect"]

KIND = "bad-litert"
_DTYPES = {
    0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 5: "string", 6: "bool",
    7: "int16", 8: "complex64", 9: "int8", 10: "float64", 11: "complex128", 12: "uint64",
    13: "resource", 14: "variant", 15: "uint32", 16: "uint16", 17: "int4", 18: "bfloat16",
}  # fmt: skip
_CUSTOM = 32

Place = tuple[int, int]


class _Tables:
    """Flatbuffer tables by absolute offset. Nothing is followed twice, so there are no loops."""

    __slots__ = ("budget", "region", "steps")

    def __init__(self, region: Region, budget: Budget) -> None:
        self.region = region
        self.budget = budget
        self.steps = 0

    def _unpack(self, code: str, at: int) -> int:
        (value,) = struct.unpack(code, self.region.read(at, struct.calcsize(code)))
        return int(value)

    def root(self) -> int:
        return self._unpack("<I", 0)

    def field(self, table: int, index: int) -> int:
        """Where a field of a table lies; 0 if it has none."""
        self.steps += 1
        if self.steps & 1023 == 0 and self.budget.spent:
            raise bad(KIND, "the tables take too long to read")
        vtable = table - self._unpack("<i", table)
        if 4 + 2 * index + 2 > self._unpack("<H", vtable):
            return 0
        offset = self._unpack("<H", vtable + 4 + 2 * index)
        return table + offset if offset else 0

    def scalar(self, table: int, index: int, code: str) -> int:
        at = self.field(table, index)
        return self._unpack(code, at) if at else 0

    def vector(self, table: int, index: int, size: int) -> tuple[int, int]:
        """Where the elements of a vector begin, and how many there are."""
        at = self.field(table, index)
        if not at:
            return 0, 0
        start = at + self._unpack("<I", at)
        count = self._unpack("<I", start)
        if count * size > self.region.size - start - 4:
            raise bad(KIND, f"the vector at byte {start} is longer than the file")
        return start + 4, count

    def tables(self, table: int, index: int) -> list[int]:
        start, count = self.vector(table, index, 4)
        if count > self.budget.max_tensors:
            raise bad(KIND, f"{count} tables are too many")
        raw = self.region.read(start, 4 * count) if count else b""
        offsets = struct.unpack(f"<{count}I", raw)
        return [start + 4 * place + offset for place, offset in enumerate(offsets)]

    def ints(self, table: int, index: int) -> list[int]:
        start, count = self.vector(table, index, 4)
        if count > 100_000:
            raise bad(KIND, f"a list of {count} numbers is too long")
        return (
            list(struct.unpack(f"<{count}i", self.region.read(start, 4 * count))) if count else []
        )

    def text(self, table: int, index: int) -> str:
        start, count = self.vector(table, index, 1)
        if count > 65_536:
            raise bad(KIND, f"a name has {count} bytes")
        return self.region.read(start, count).decode("utf-8", "replace") if count else ""


def inspect(file: BinaryIO, path: str, budget: Budget) -> Inspection:
    """Tensors of all subgraphs that have values, and the first one's inputs and outputs."""
    region = Region(file, kind=KIND)
    tables = _Tables(region, budget)
    model = tables.root()
    buffers = [_buffer(tables, table, region.size) for table in tables.tables(model, 4)]
    subgraphs = tables.tables(model, 2)
    if not subgraphs:
        raise bad(KIND, "the model has no graph")
    found: dict[str, TensorInfo] = {}
    operators: dict[int, int] = {}
    signature: Json = None
    for index, subgraph in enumerate(subgraphs):
        tensors = [_described(tables, table) for table in tables.tables(subgraph, 0)]
        if index == 0:
            signature = {
                "inputs": _values(tensors, tables.ints(subgraph, 1)),
                "outputs": _values(tensors, tables.ints(subgraph, 2)),
            }
        _gather(found, tensors, buffers)
        _count_operators(tables, model, subgraph, len(tensors), operators)
        if len(found) > budget.max_tensors:
            raise bad(KIND, "the model has too many tensors")
    metadata = {
        "version": tables.scalar(model, 0, "<I"),
        "description": printable(tables.text(model, 3), 1000),
        "signature": signature,
        "operators": sum(operators.values()),
    }
    return Inspection(
        "litert", "litert", tuple(found.values()), metadata, _findings(tables, model, path)
    )


def _count_operators(
    tables: _Tables, model: int, subgraph: int, tensors: int, counts: dict[int, int]
) -> None:
    """Check that each operator is known, and reads and writes tensors that are there."""
    codes = len(tables.tables(model, 1))
    for table in tables.tables(subgraph, 3):
        code = tables.scalar(table, 0, "<I")
        if code >= codes:
            raise bad(KIND, f"there is no operator {code}")
        counts[code] = counts.get(code, 0) + 1
        for field in (1, 2):
            if any(not -1 <= index < tensors for index in tables.ints(table, field)):
                raise bad(KIND, "an operator uses a tensor that isn't there")


def _buffer(tables: _Tables, table: int, size: int) -> Place | None:
    start, count = tables.vector(table, 0, 1)
    offset, length = tables.scalar(table, 1, "<Q"), tables.scalar(table, 2, "<Q")
    if offset > 1:
        if offset + length > size:
            raise bad(KIND, "a buffer reaches beyond the file")
        return offset, offset + length
    return (start, start + count) if count else None


_Described = tuple[str, str, tuple[int, ...], int]


def _described(tables: _Tables, table: int) -> _Described:
    code = tables.scalar(table, 1, "<B")
    shape = tuple(tables.ints(table, 0))
    name = tables.text(table, 3)
    if len(shape) > 64 or any(side < -1 for side in shape):
        raise bad(KIND, f"{printable(name, 80)!r} has an impossible shape")
    return name, _DTYPES.get(code, f"litert.{code}"), shape, tables.scalar(table, 2, "<I")


def _gather(
    found: dict[str, TensorInfo], tensors: list[_Described], buffers: list[Place | None]
) -> None:
    for name, dtype, shape, buffer in tensors:
        if buffer >= len(buffers):
            raise bad(KIND, f"{printable(name, 80)!r} has a buffer that isn't there")
        place = buffers[buffer]
        if place is None or buffer == 0:
            continue
        size = ITEMSIZE.get(dtype)
        if size is not None and prod(shape) * size != place[1] - place[0]:
            raise bad(KIND, f"{printable(name, 80)!r} has a buffer that does not fit its shape")
        key = name if name not in found else f"{name}#{len(found)}"
        found[key] = TensorInfo(key, dtype, shape, *place)


def _values(tensors: list[_Described], indexes: list[int]) -> list[dict[str, Json]]:
    found = []
    for index in indexes[:1000]:
        if not 0 <= index < len(tensors):
            raise bad(KIND, f"there is no tensor {index}")
        name, dtype, shape, _ = tensors[index]
        found.append({"name": name, "dtype": dtype, "shape": list(shape)})
    return found


def _findings(tables: _Tables, model: int, path: str) -> tuple[Finding, ...]:
    found = []
    for table in tables.tables(model, 1)[:10_000]:
        builtin = max(tables.scalar(table, 0, "<b"), tables.scalar(table, 3, "<i"))
        if builtin != _CUSTOM:
            continue
        name = printable(tables.text(table, 1), 100)
        message = f"the operator {name} needs code that is not part of LiteRT"
        found.append(Finding("custom-op", "warning", message, path))
    return tuple(found[:100])
