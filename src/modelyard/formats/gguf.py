"""GGUF, versions 2 and 3: key-value metadata, then tensor descriptions, then aligned values."""

from __future__ import annotations

import struct
from math import prod
from typing import TYPE_CHECKING, BinaryIO

from modelyard.core.tensor import TensorInfo
from modelyard.formats.interface import Inspection
from modelyard.formats.reading import Json, Region, bad, printable

if TYPE_CHECKING:
    from modelyard.formats.interface import Budget

__all__ = ["inspect"]

KIND = "bad-gguf"

_SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q",
    12: "<d",
}  # fmt: skip
_STRING, _ARRAY = 8, 9
_KEYS = 100_000
_SHOWN = 16
"""Elements of an array that metadata keeps; vocabularies have hundreds of thousands."""

_TYPES: dict[int, tuple[str, int, int]] = {
    0: ("float32", 1, 4), 1: ("float16", 1, 2), 2: ("ggml.q4_0", 32, 18),
    3: ("ggml.q4_1", 32, 20), 6: ("ggml.q5_0", 32, 22), 7: ("ggml.q5_1", 32, 24),
    8: ("ggml.q8_0", 32, 34), 9: ("ggml.q8_1", 32, 36), 10: ("ggml.q2_k", 256, 84),
    11: ("ggml.q3_k", 256, 110), 12: ("ggml.q4_k", 256, 144), 13: ("ggml.q5_k", 256, 176),
    14: ("ggml.q6_k", 256, 210), 15: ("ggml.q8_k", 256, 292), 16: ("ggml.iq2_xxs", 256, 66),
    17: ("ggml.iq2_xs", 256, 74), 18: ("ggml.iq3_xxs", 256, 98), 19: ("ggml.iq1_s", 256, 50),
    20: ("ggml.iq4_nl", 32, 18), 21: ("ggml.iq3_s", 256, 110), 22: ("ggml.iq2_s", 256, 82),
    23: ("ggml.iq4_xs", 256, 136), 24: ("int8", 1, 1), 25: ("int16", 1, 2), 26: ("int32", 1, 4),
    27: ("int64", 1, 8), 28: ("float64", 1, 8), 29: ("ggml.iq1_m", 256, 56),
    30: ("bfloat16", 1, 2), 34: ("ggml.tq1_0", 256, 54), 35: ("ggml.tq2_0", 256, 66),
    39: ("ggml.mxfp4", 32, 17),
}  # fmt: skip
"""Name, elements and bytes of a block, by the number of the type."""


class _Cursor:
    """Reads forward, each length checked against what is left."""

    __slots__ = ("budget", "pos", "region", "steps")

    def __init__(self, region: Region, budget: Budget) -> None:
        self.region = region
        self.budget = budget
        self.pos = 0
        self.steps = 0

    def number(self, code: str) -> Json:
        size = struct.calcsize(code)
        (value,) = struct.unpack(code, self.region.read(self.pos, size))
        self.pos += size
        return value

    def text(self, limit: int) -> str:
        length = self.number("<Q")
        self._charge(length)
        if length > limit:
            raise bad(KIND, f"a name has {length} bytes")
        raw = self.region.read(self.pos, length)
        self.pos += length
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise bad(KIND, f"the text at byte {self.pos - length} is no UTF-8") from None

    def skip_text(self) -> None:
        length = self.number("<Q")
        self._charge(length)
        self.pos += length

    def skip(self, count: int) -> None:
        self._charge(count)
        self.pos += count

    def _charge(self, length: int) -> None:
        self.steps += 1
        if length > self.region.size - self.pos:
            raise bad(KIND, f"a length at byte {self.pos} reaches beyond the file")
        if self.steps & 1023 == 0 and self.budget.spent:
            raise bad(KIND, "the header takes too long to read")


def inspect(file: BinaryIO, path: str, budget: Budget) -> Inspection:
    """All metadata but long arrays, and all tensors with their ranges."""
    region = Region(file, kind=KIND)
    cursor = _Cursor(region, budget)
    if cursor.number("<4s") != b"GGUF":
        raise bad(KIND, "the magic is missing")
    version = cursor.number("<I")
    if version not in (2, 3):
        raise bad(KIND, f"version {version} can't be read (2 and 3 can; others may be big-endian)")
    tensors, keys = cursor.number("<Q"), cursor.number("<Q")
    if tensors > min(budget.max_tensors, region.size // 24) or keys > min(_KEYS, region.size // 13):
        raise bad(KIND, f"{tensors} tensors and {keys} keys do not fit the file")
    metadata = _metadata(cursor, keys)
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or not 0 < alignment <= 1 << 20 or alignment & (alignment - 1):
        raise bad(KIND, "the alignment is no power of two")
    found = _tensors(cursor, tensors, alignment)
    summary = {
        "version": version,
        "architecture": metadata.get("general.architecture"),
        "name": metadata.get("general.name"),
        "metadata": metadata,
    }
    return Inspection("gguf", "gguf", found, summary)


def _metadata(cursor: _Cursor, keys: int) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for _ in range(keys):
        key = cursor.text(65_535)
        if key in found:
            raise bad(KIND, f"the key {printable(key, 80)!r} is given twice")
        value = _value(cursor, cursor.number("<I"), 0)
        # What is written for people may be long; what is kept of it need not be.
        found[key] = printable(value, 2000) if isinstance(value, str) else value
    return found


def _value(cursor: _Cursor, kind: int, depth: int) -> Json:
    if kind in _SCALARS:
        value = cursor.number(_SCALARS[kind])
        return value if value == value and abs(value) != float("inf") else str(value)
    if kind == _STRING:
        return cursor.text(1 << 20)
    if kind != _ARRAY or depth > 3:
        raise bad(KIND, f"a value has the unknown type {kind}")
    inner, count = cursor.number("<I"), cursor.number("<Q")
    if inner in _SCALARS:
        size = struct.calcsize(_SCALARS[inner])
        shown = [_value(cursor, inner, depth) for _ in range(min(count, _SHOWN))]
        cursor.skip((count - len(shown)) * size)
        return shown if count <= _SHOWN else {"count": count, "first": shown}
    if count > cursor.region.size // 8:
        raise bad(KIND, f"an array of {count} elements does not fit the file")
    shown = [_value(cursor, inner, depth + 1) for _ in range(min(count, _SHOWN))]
    for _ in range(count - len(shown)):
        if inner == _STRING:
            cursor.skip_text()
        else:
            _value(cursor, inner, depth + 1)
    return shown if count <= _SHOWN else {"count": count, "first": shown}


def _tensors(cursor: _Cursor, count: int, alignment: int) -> tuple[TensorInfo, ...]:
    found = []
    names: set[str] = set()
    for _ in range(count):
        name = cursor.text(1024)
        if name in names:
            raise bad(KIND, f"the tensor {printable(name, 80)!r} is there twice")
        names.add(name)
        dims = cursor.number("<I")
        if dims > 8:
            raise bad(KIND, f"{printable(name, 80)!r} has {dims} dimensions")
        sides = tuple(cursor.number("<Q") for _ in range(dims))
        kind, offset = cursor.number("<I"), cursor.number("<Q")
        found.append((name, sides, kind, offset))
    base = -(-cursor.pos // alignment) * alignment
    tensors = tuple(
        _tensor(name, sides, kind, base + offset, cursor.region.size)
        for name, sides, kind, offset in found
        if _is_aligned(name, offset, alignment)
    )
    _check_apart(tensors)
    return tensors


def _is_aligned(name: str, offset: int, alignment: int) -> bool:
    if offset % alignment:
        raise bad(KIND, f"{printable(name, 80)!r} is not aligned")
    return True


def _tensor(name: str, sides: tuple[int, ...], kind: int, start: int, size: int) -> TensorInfo:
    """ggml names the innermost side first; numpy the outermost."""
    known = _TYPES.get(kind)
    elements = prod(sides)
    if known is None or any(side > 1 << 48 for side in sides):
        raise bad(KIND, f"{printable(name, 80)!r} has an unknown type or impossible shape")
    dtype, block, width = known
    if (sides[0] if sides else 1) % block:
        raise bad(KIND, f"{printable(name, 80)!r} does not fill its blocks of {block}")
    end = start + elements // block * width
    if end > size:
        raise bad(KIND, f"{printable(name, 80)!r} ends at byte {end}, the file at {size}")
    return TensorInfo(name, dtype, sides[::-1], start, end)


def _check_apart(tensors: tuple[TensorInfo, ...]) -> None:
    end = 0
    for tensor in sorted(tensors, key=lambda tensor: (tensor.start or 0, tensor.end or 0)):
        if (tensor.start or 0) < end:
            raise bad(KIND, f"{printable(tensor.name, 80)!r} overlaps another tensor")
        end = tensor.end or 0
