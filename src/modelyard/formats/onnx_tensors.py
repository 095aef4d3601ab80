"""Tensors and value types of ONNX, by field number of onnx.proto."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

from modelyard.core.tensor import ITEMSIZE, TensorInfo
from modelyard.formats.protobuf import (
    FIXED32,
    FIXED64,
    LENGTH,
    VARINT,
    Message,
    packed_varints,
    signed,
)
from modelyard.formats.reading import bad, printable

__all__ = ["DTYPES", "PER_BYTE", "External", "tensor_of", "value_of"]

KIND = "bad-onnx"

DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    8: "string", 9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
    14: "complex64", 15: "complex128", 16: "bfloat16", 17: "float8_e4m3fn",
    18: "float8_e4m3fnuz", 19: "float8_e5m2", 20: "float8_e5m2fnuz", 21: "uint4", 22: "int4",
    23: "float4_e2m1fn", 24: "float8_e8m0fnu", 25: "uint2", 26: "int2",
}  # fmt: skip
PER_BYTE = {"uint4": 2, "int4": 2, "float4_e2m1fn": 2, "uint2": 4, "int2": 4}
_TYPED = {4: "float32", 10: "float64"}
"""Fields whose packed form is the raw values themselves."""


class External(NamedTuple):
    """Where a tensor lies in another file."""

    location: str
    offset: int
    length: int | None


class _Parts:
    __slots__ = ("count", "dims", "dtype", "elsewhere", "external", "name", "place", "raw")

    def __init__(self) -> None:
        self.name = ""
        self.dims: list[int] = []
        self.dtype = 0
        self.place: tuple[int, int] | None = None
        self.raw = False
        self.elsewhere = False
        self.external: dict[str, str] = {}
        self.count = 0


def tensor_of(message: Message, start: int, end: int) -> tuple[TensorInfo, External | None]:
    """One TensorProto: with a range if its values lie raw in the file."""
    parts = _Parts()
    for number, wire, low, high in message.fields(start, end):
        _take(message, parts, number, wire, low, high)
    dtype = DTYPES.get(parts.dtype)
    if dtype is None:
        raise bad(KIND, f"{printable(parts.name)!r} has the unknown type {parts.dtype}")
    if any(side < 0 or side >= 1 << 48 for side in parts.dims) or len(parts.dims) > 64:
        raise bad(KIND, f"{printable(parts.name)!r} has an impossible shape")
    shape = tuple(parts.dims)
    if parts.elsewhere:
        return TensorInfo(parts.name, dtype, shape), _external(parts, dtype, shape)
    if parts.place is None or parts.place[0] == parts.place[1]:
        return TensorInfo(parts.name, dtype, shape), None
    _check_length(parts, dtype, shape)
    return TensorInfo(parts.name, dtype, shape, *parts.place), None


def _take(message: Message, parts: _Parts, number: int, wire: int, low: int, high: int) -> None:
    if number == 1:
        if wire == VARINT:
            parts.dims.append(signed(low))
        elif wire == LENGTH:
            parts.dims += packed_varints(message.bytes(low, high), KIND, 64)
        if len(parts.dims) > 64:
            raise bad(KIND, "a tensor has too many dimensions")
    elif number == 2 and wire == VARINT:
        parts.dtype = low
    elif number == 8 and wire == LENGTH:
        parts.name = message.text(low, high)
    elif number == 9 and wire == LENGTH:
        if parts.raw:
            raise bad(KIND, f"{printable(parts.name)!r} gives its values twice")
        parts.place, parts.raw = (low, high), True
    elif number in _TYPED and wire == LENGTH and DTYPES.get(parts.dtype) == _TYPED[number]:
        # Packed values may come in pieces; only one piece is one range.
        parts.count += 1
        parts.place = (low, high) if parts.count == 1 else None
    elif number in _TYPED and wire in (FIXED32, FIXED64):
        parts.count, parts.place = 2, None
    elif number == 13 and wire == LENGTH:
        key, value = _entry(message, low, high)
        parts.external[key] = value
    elif number == 14 and wire == VARINT and (place := low & 0xFFFF_FFFF) in (0, 1):
        # as protobuf reads an enum: 32 bits count, and values that it does not know do not
        parts.elsewhere = place == 1


def _check_length(parts: _Parts, dtype: str, shape: tuple[int, ...]) -> None:
    start, end = parts.place or (0, 0)
    elements = prod(shape)
    if dtype in PER_BYTE:
        wanted = -(-elements // PER_BYTE[dtype])
    elif dtype == "string":
        raise bad(KIND, f"{printable(parts.name)!r} is text with raw values")
    else:
        wanted = elements * ITEMSIZE.get(dtype, 1)
    if end - start != wanted:
        message = f"{printable(parts.name)!r} has {end - start} bytes of values, not {wanted}"
        raise bad(KIND, message)


def _external(parts: _Parts, dtype: str, shape: tuple[int, ...]) -> External:
    """Offset and length must be numbers, and the length that of the shape."""
    location = parts.external.get("location", "")
    offset = _number(parts.external.get("offset", "0"))
    length = _number(parts.external["length"]) if "length" in parts.external else None
    size = prod(shape) * ITEMSIZE.get(dtype, 1)
    if not location or parts.place is not None:
        raise bad(KIND, f"{printable(parts.name)!r} does not say in which file it lies")
    if dtype not in PER_BYTE and length not in (None, size):
        raise bad(KIND, f"{printable(parts.name)!r} has {length} bytes elsewhere, not {size}")
    return External(location, offset, size if length is None else length)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise bad(KIND, f"{printable(text, 40)!r} is no offset")
    return int(text)


def _entry(message: Message, start: int, end: int) -> tuple[str, str]:
    key = value = ""
    for number, wire, low, high in message.fields(start, end):
        if wire == LENGTH and number == 1:
            key = message.text(low, high)
        elif wire == LENGTH and number == 2:
            value = message.text(low, high)
    return key, value


def value_of(message: Message, start: int, end: int) -> dict[str, Any]:
    """One ValueInfoProto: name, dtype and shape; a free dimension by its name or as None."""
    found: dict[str, Any] = {"name": "", "dtype": None, "shape": None}
    for number, wire, low, high in message.fields(start, end):
        if wire == LENGTH and number == 1:
            found["name"] = message.text(low, high)
        elif wire == LENGTH and number == 2:
            for kind, wire_, low_, high_ in message.fields(low, high):
                if kind == 1 and wire_ == LENGTH:
                    _tensor_type(message, found, low_, high_)
    return found


def _tensor_type(message: Message, found: dict[str, Any], start: int, end: int) -> None:
    for number, wire, low, high in message.fields(start, end):
        if number == 1 and wire == VARINT:
            found["dtype"] = DTYPES.get(low)
        elif number == 2 and wire == LENGTH:
            found["shape"] = [
                _side(message, low_, high_)
                for kind, wire_, low_, high_ in message.fields(low, high)
                if kind == 1 and wire_ == LENGTH
            ][:64]


def _side(message: Message, start: int, end: int) -> int | str | None:
    for number, wire, low, high in message.fields(start, end):
        if number == 1 and wire == VARINT:
            return signed(low)
        if number == 2 and wire == LENGTH:
            return message.shown(low, high)
    return None
