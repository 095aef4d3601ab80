"""Safetensors: a JSON header, then the bytes of the tensors without a gap.

Stricter than the reference reader, which takes duplicate keys and leading spaces: two readers
could see different tensors in such a file.
"""

from __future__ import annotations

from math import prod
from typing import BinaryIO

from modelyard.core.tensor import ITEMSIZE, TensorInfo
from modelyard.formats.interface import Budget, Inspection
from modelyard.formats.reading import Json, Region, bad, parse_json, printable

__all__ = ["DTYPES", "inspect"]

KIND = "bad-safetensors"

DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16",
    "U32": "uint32", "I32": "int32", "U64": "uint64", "I64": "int64", "F16": "float16",
    "BF16": "bfloat16", "F32": "float32", "F64": "float64", "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F4": "float4_e2m1fn_x2", "F6_E2M3": "float6_e2m3", "F6_E3M2": "float6_e3m2",
}  # fmt: skip
_BITS = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}
_FIELDS = frozenset({"dtype", "shape", "data_offsets"})


def inspect(file: BinaryIO, path: str, budget: Budget) -> Inspection:
    """All tensors with their ranges, after checking that they fill the file exactly."""
    region = Region(file, kind=KIND)
    length = int.from_bytes(region.read(0, 8), "little")
    if length > budget.max_header or length > region.size - 8:
        raise bad(KIND, f"the header can't have {length} bytes")
    raw = region.read(8, length)
    if raw[:1] != b"{":
        raise bad(KIND, "the header does not begin with a brace")
    header = parse_json(raw, KIND, budget)
    metadata = header.pop("__metadata__", None)
    if len(header) > budget.max_tensors:
        raise bad(KIND, f"{len(header)} tensors are too many")
    tensors = [_tensor(name, entry, 8 + length) for name, entry in header.items()]
    _check_gapless(tensors, 8 + length, region.size)
    return Inspection(
        "safetensors",
        _framework(metadata),
        tuple(tensors),
        {} if metadata is None else {"metadata": _texts(metadata)},
    )


def _tensor(name: str, entry: Json, base: int) -> TensorInfo:
    if type(entry) is not dict or entry.keys() != _FIELDS:
        raise bad(KIND, f"{printable(name)!r} is not described by dtype, shape and data_offsets")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    dtype = DTYPES.get(code) if type(code) is str else None
    if dtype is None:
        raise bad(KIND, f"{printable(name)!r} has a dtype that isn't known")
    if not _counts(shape) or len(shape) > 64 or not _counts(offsets) or len(offsets) != 2:
        raise bad(KIND, f"{printable(name)!r} has an impossible shape or range")
    start, end = offsets
    bits = _BITS.get(code) or 8 * ITEMSIZE.get(dtype, 1)
    if start > end or (end - start) * 8 != prod(shape) * bits:
        raise bad(KIND, f"{printable(name)!r} has a range that does not fit its shape")
    return TensorInfo(name, dtype, tuple(shape), base + start, base + end)


def _counts(value: Json) -> bool:
    return type(value) is list and all(type(item) is int and 0 <= item < 1 << 62 for item in value)


def _check_gapless(tensors: list[TensorInfo], start: int, end: int) -> None:
    for tensor in sorted(tensors, key=lambda tensor: (tensor.start, tensor.end)):
        if tensor.start != start:
            raise bad(KIND, f"{printable(tensor.name)!r} overlaps another tensor or leaves a gap")
        start = tensor.end or 0
    if start != end:
        raise bad(KIND, f"the tensors end at byte {start}, the file at {end}")


def _texts(metadata: Json) -> dict[str, str]:
    if type(metadata) is not dict or not all(type(item) is str for item in metadata.values()):
        raise bad(KIND, "the metadata must be texts by name")
    return {key: value[:10_000] for key, value in list(metadata.items())[:1000]}


def _framework(metadata: Json) -> str | None:
    known = {"pt": "torch", "tf": "tensorflow", "mlx": "mlx", "flax": "flax", "np": None}
    label = metadata.get("format") if type(metadata) is dict else None
    return known.get(label) if type(label) is str else None
