"""Datatypes, shapes, places and attributes of HDF5 objects."""

from __future__ import annotations

from math import prod

from modelyard.core.tensor import ITEMSIZE, TensorInfo
from modelyard.formats.hdf.objects import KIND, NOWHERE, Bytes, Part
from modelyard.formats.reading import bad, printable

__all__ = ["attribute", "dataset", "dtype_at", "shape_at"]

_TEXT = 16_000_000


def dtype_at(data: Bytes, at: int) -> tuple[str, int, bool]:
    """Name, bytes an element, and whether the bytes are in the other order."""
    kind, flags, size = data.number(at, 1) & 15, data.number(at + 1, 1), data.number(at + 4, 4)
    if kind == 0:
        sign = "int" if flags & 8 else "uint"
        plain = data.number(at + 10, 2) == size * 8
        name = f"{sign}{size * 8}"
        return (name if plain and name in ITEMSIZE else f"hdf5.{name}"), size, bool(flags & 1)
    if kind == 1:
        return _float(data, at, size), size, bool(flags & 1)
    if kind == 3:
        return f"bytes{size * 8}", size, False
    if kind == 8:
        raw = data.region.upto(at, 64)
        is_bool = size == 1 and b"FALSE\0" in raw and b"TRUE\0" in raw
        return ("bool" if is_bool else f"hdf5.enum{size * 8}"), size, False
    return {6: f"void{size * 8}", 9: "hdf5.variable"}.get(kind, f"hdf5.class{kind}"), size, False


def _float(data: Bytes, at: int, size: int) -> str:
    exponent, mantissa = data.number(at + 13, 1), data.number(at + 15, 1)
    known = {(2, 5, 10): "float16", (2, 8, 7): "bfloat16", (4, 8, 23): "float32"}
    known[8, 11, 52] = "float64"
    return known.get((size, exponent, mantissa), f"hdf5.float{size * 8}")


def shape_at(data: Bytes, at: int) -> tuple[int, ...]:
    """The sides of a dataspace; none for a scalar."""
    version, rank = data.number(at, 1), data.number(at + 1, 1)
    if version not in (1, 2) or rank > 32:
        raise bad(KIND, "a dataspace can't be read")
    if version == 2 and data.number(at + 3, 1) == 2:
        return (0,)
    first = at + (8 if version == 1 else 4)
    sides = tuple(data.number(first + 8 * index, 8) for index in range(rank))
    if any(side > 1 << 48 for side in sides):
        raise bad(KIND, "a dataset has an impossible shape")
    return sides


def dataset(data: Bytes, name: str, parts: dict[int, Part]) -> tuple[TensorInfo, str]:
    """A dataset, and its kind of storage: `contiguous`, `compact`, `chunked` or `virtual`."""
    shape = shape_at(data, parts[1].start)
    dtype, size, swapped = dtype_at(data, parts[3].start)
    if parts[3].shared:
        dtype, size = "hdf5.named", 0
    layout = parts[8].start
    version, kind = data.number(layout, 1), data.number(layout + 1, 1)
    if version not in (3, 4):
        return TensorInfo(name, dtype, shape), "chunked"
    place: tuple[int, int] | None = None
    if kind == 0:
        start = layout + 4
        place = (start, start + data.number(layout + 2, 2))
    elif kind == 1:
        start, length = data.number(layout + 2, 8), data.number(layout + 10, 8)
        place = None if start == NOWHERE else (start, start + length)
    storage = {0: "compact", 1: "contiguous", 2: "chunked", 3: "virtual"}.get(kind, "chunked")
    if place is None or not prod(shape) or 7 in parts:
        return TensorInfo(name, dtype, shape), storage
    if place[1] > data.region.size or (size and place[1] - place[0] != prod(shape) * size):
        raise bad(KIND, f"{printable(name)!r} has a place that does not fit its shape")
    if swapped or not size:
        return TensorInfo(name, dtype, shape), storage
    return TensorInfo(name, dtype, shape, *place), storage


def attribute(data: Bytes, part: Part) -> tuple[str, str | None]:
    """Name and, if it is a single text, value of an attribute."""
    at = part.start
    version = data.number(at, 1)
    sizes = [data.number(at + 2 + 2 * index, 2) for index in range(3)]
    if version not in (1, 2, 3):
        return "", None
    at += 9 if version == 3 else 8
    steps = [-(-size // 8) * 8 for size in sizes] if version == 1 else sizes
    if at + sum(steps) > part.end:
        raise bad(KIND, "an attribute is longer than its message")
    name = data.region.read(at, sizes[0]).partition(b"\0")[0].decode("utf-8", "replace")
    dtype_place, shape_place = at + steps[0], at + steps[0] + steps[1]
    value = at + sum(steps)
    if version > 1 and data.number(part.start + 1, 1) & 3:
        return name, None
    return name, _single_text(data, dtype_place, shape_place, value, part.end)


def _single_text(data: Bytes, dtype: int, shape: int, value: int, end: int) -> str | None:
    if prod(shape_at(data, shape)) != 1:
        return None
    kind, size = data.number(dtype, 1) & 15, data.number(dtype + 4, 4)
    if kind == 3 and value + size <= end:
        raw = data.region.read(value, size)
    elif kind == 9 and data.number(dtype + 1, 1) & 15 == 1 and value + 16 <= end:
        raw = _global_heap(data, data.number(value + 4, 8), data.number(value + 12, 4))
        raw = raw[: data.number(value, 4)]
    else:
        return None
    return raw.rstrip(b"\0").decode("utf-8", "replace")


def _global_heap(data: Bytes, at: int, wanted: int) -> bytes:
    """An object of variable length, in the collection at an address."""
    data.expect(at, b"GCOL")
    end = at + data.number(at + 8, 8)
    pos = at + 16
    while pos + 16 <= end:
        index, size = data.number(pos, 2), data.number(pos + 8, 8)
        if index == 0 or size > data.region.size:
            break
        if index == wanted:
            if size > _TEXT:
                raise bad(KIND, f"a text of {size} bytes is too long")
            return data.region.read(pos + 16, size)
        pos += 16 + -(-size // 8) * 8
    return b""
