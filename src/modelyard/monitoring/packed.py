"""A packed tile, as MessagePack has it (docs/spec/tile-1.md), and arrays as bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from modelyard.errors import Corrupt

if TYPE_CHECKING:
    from modelyard.monitoring.rows import Array

__all__ = [
    "PackedCategory", "PackedGroup", "PackedNumber", "PackedPerformance", "PackedPredicted",
    "PackedTile", "PackedTogether", "PackedTruth", "PackedVector", "bad_tile", "pack_array",
    "unpack_array",
]  # fmt: skip

_SIZES: Final = (1 << 8, 1 << 16, 1 << 32)
_COUNTS: Final = ("u1", "<u2", "<u4", "<i8")


class PackedNumber(msgspec.Struct, array_like=True):
    counts: bytes
    rows: int
    nulls: int
    infinite: int
    outside: int
    mean: float
    m2: float
    low: float
    high: float
    kll: bytes | None


class PackedCategory(msgspec.Struct, array_like=True):
    counts: bytes
    rows: int
    nulls: int
    distinct: bytes | None
    frequent: bytes | None


class PackedVector(msgspec.Struct, array_like=True):
    total: bytes
    features: bytes
    rows: int
    nulls: int
    norm_mean: float
    norm_m2: float


class PackedTogether(msgspec.Struct, array_like=True):
    total: bytes
    products: bytes
    rows: int


class PackedGroup(msgspec.Struct, array_like=True):
    labels: bytes
    rows: bytes
    sums: bytes
    squares: bytes
    expected: bytes


class PackedPredicted(msgspec.Struct, array_like=True):
    rows: int
    labels: bytes
    scores: bytes
    expected: bytes
    expected_square: bytes
    scored: int
    values: PackedNumber | None
    not_finite: int


class PackedTruth(msgspec.Struct, array_like=True):
    confusion: bytes
    calibration: bytes
    lags: bytes
    rows: int
    unlisted: int
    errors: bytes | None
    groups: dict[str, bytes]
    ranks: bytes | None


class PackedPerformance(msgspec.Struct, array_like=True):
    requests: int
    rows: int
    outcomes: dict[str, int]
    latency: bytes
    sums: bytes
    batches: bytes
    cold: int
    dropped: int


class PackedTile(msgspec.Struct, array_like=True):
    version: int
    data: bytes
    """Digest of the schema."""
    classes: bytes
    """Digest of what truths depend on."""
    rows: int
    performance: PackedPerformance
    truth: PackedTruth | None
    numbers: list[PackedNumber]
    categories: list[PackedCategory]
    vectors: list[PackedVector]
    predicted: PackedPredicted | None
    groups: dict[str, PackedGroup]
    together: PackedTogether | None = None
    kinds: bytes = b""
    """Digest of what truths depend on besides groups; tiles that have none are older."""


def pack_array(array: Array, *, small: bool = False) -> bytes:
    """Little-endian bytes of counts or floats; counts in the smallest type that holds them all.

    The first byte says which: 0 to 3 unsigned of 1, 2, 4 and signed of 8 bytes, 4 float64, 5
    float32 (`small`).
    """
    if array.dtype.kind == "f":
        return (b"\5" + array.astype("<f4").tobytes()) if small else (b"\4" + _doubles(array))
    most, least = (int(array.max()), int(array.min())) if array.size else (0, 0)
    code = 3
    if least >= 0:
        code = next(
            (i for i, most_of in enumerate((1 << 8, 1 << 16, 1 << 32)) if most < most_of), 3
        )
    return bytes([code]) + array.astype(_COUNTS[code]).tobytes()


def _doubles(array: Array) -> bytes:
    return array.astype("<f8", copy=False).tobytes()


def unpack_array(data: bytes, like: Array) -> Array:
    """A new array of the shape and type of another. Corrupt: `bad-tile`."""
    code = data[0] if data else 255
    if code > 5 or (code < 4) == (like.dtype.kind == "f"):
        raise bad_tile()
    dtype = np.dtype((*_COUNTS, "<f8", "<f4")[code])
    if len(data) != 1 + like.size * dtype.itemsize:
        raise bad_tile()
    return np.frombuffer(data, dtype, offset=1).reshape(like.shape).astype(like.dtype)


def bad_tile() -> Corrupt:
    return Corrupt("bad-tile", "a tile of monitoring is not what was stored",
                   hint="what it saw is lost; newer tiles are not affected")  # fmt: skip
