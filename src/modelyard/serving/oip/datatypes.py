"""Names of datatypes: the protocol's beside numpy's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from modelyard.serving.interface import Array

__all__ = ["DTYPES", "NAMES", "datatype_of", "from_bytes", "name_of", "to_bytes"]

DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("u1"), "UINT16": np.dtype("<u2"), "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"), "INT16": np.dtype("<i2"), "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"), "FP32": np.dtype("<f4"), "FP64": np.dtype("<f8"),
    "BYTES": np.dtype("O"),
}  # fmt: skip
"""By the protocol's name, as they are on the wire: little-endian."""

NAMES: Final[dict[str, str]] = {
    "bool": "BOOL", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64",
    "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64",
    "float16": "FP16", "float32": "FP32", "float64": "FP64",
    "string": "BYTES", "bytes": "BYTES", "object": "BYTES",
}  # fmt: skip
"""By numpy's name, and by ours for text."""

_BY_NUMBER: Final = {np.dtype(code).num: NAMES[np.dtype(code).name] for code in "?bBhHiIlLqQefd"}
"""By numpy's number of a dtype: its name takes numpy a microsecond."""


def datatype_of(array: Array) -> str:
    """Of an array that is to be sent. Text of any kind is BYTES."""
    return _BY_NUMBER.get(array.dtype.num, "BYTES")


def name_of(dtype: str) -> str:
    """Of a `TensorSpec.dtype`; what the protocol has no name for is BYTES."""
    return NAMES.get(dtype, "BYTES")


def from_bytes(data: memoryview, count: int) -> Array:
    """Elements of BYTES, each behind its length in four bytes, as `bytes`. InvalidInput."""
    found: list[bytes] = []
    place, end = 0, len(data)
    while place < end:
        if place + 4 > end:
            raise _broken()
        size = int.from_bytes(data[place : place + 4], "little")
        place += 4
        if place + size > end or len(found) >= count:
            raise _broken()
        found.append(bytes(data[place : place + size]))
        place += size
    array = np.empty(len(found), object)
    array[:] = found
    return array


def to_bytes(array: Array) -> bytes:
    """As `from_bytes` reads them; text as UTF-8."""
    parts: list[bytes] = []
    for item in array.ravel().tolist():
        one = item if isinstance(item, bytes) else b"" if item is None else str(item).encode()
        parts += (len(one).to_bytes(4, "little"), one)
    return b"".join(parts)


def _broken() -> InvalidInput:
    return InvalidInput("bad-inputs", "incorrect length of the elements of a BYTES tensor")
