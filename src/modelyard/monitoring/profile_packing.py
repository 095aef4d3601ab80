"""Profiles as bytes: a schema, a packed tile, and arrays, in a zstd frame (docs/spec/tile-1.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import zstandard

from modelyard.core.decoding import decode_packed
from modelyard.core.monitoring import Schema  # noqa: TC001 - msgspec reads it
from modelyard.core.zstd import decompressed
from modelyard.errors import Corrupt, InvalidInput
from modelyard.monitoring.calibration import Calibration
from modelyard.monitoring.outputs import Scoring
from modelyard.monitoring.packing import pack, unpack
from modelyard.monitoring.profile_checking import check_profile, check_schema
from modelyard.monitoring.reference import Profile

if TYPE_CHECKING:
    from modelyard.monitoring.rows import Array

__all__ = ["pack_profile", "unpack_profile"]

_VERSION: Final = 1
_LARGEST: Final = 256 << 20
_GARBAGE: Final = (
    zstandard.ZstdError, msgspec.DecodeError, ValueError, TypeError, KeyError, MemoryError,
    OverflowError, InvalidInput,
)  # fmt: skip
_DIAGONAL: Final = 128
"""With more columns of numbers, only the variances are kept."""


class _Array(msgspec.Struct, array_like=True):
    dtype: str
    shape: list[int]
    data: bytes


class _Packed(msgspec.Struct, array_like=True):
    version: int
    schema: Schema
    tile: bytes
    maps: list[tuple[_Array, _Array]]
    fitted: int
    arrays: dict[str, _Array]
    spreads: list[_Array]
    vectors: list[_Array]
    scoring: tuple[str, bool] | None = None
    """Of the output with the scores: its name, and whether they are logits."""


_ARRAYS: Final = {
    "mean": ("<f8", 1), "covariance": ("<f8", 2), "numbers": ("<f4", 2), "categories": ("<i4", 2),
    "confidence": ("<f4", 1), "hashes": ("<u8", 1), "residuals": ("<f4", 2),
}  # fmt: skip


def pack_profile(profile: Profile) -> bytes:
    """The bytes of a profile. InvalidInput: `bad-schema`, of more than `unpack_profile` takes."""
    check_schema(profile.schema)
    arrays = {name: _packed(getattr(profile, name), kept) for name, (kept, _) in _ARRAYS.items()}
    if len(profile.mean) > _DIAGONAL:
        arrays["covariance"] = _packed(np.diag(profile.covariance), "<f8")
    packed = _Packed(
        _VERSION, profile.schema, pack(profile.tile),
        [(_packed(x, "<f8"), _packed(y, "<f8")) for x, y in profile.calibration.maps],
        profile.calibration.rows, arrays, [_packed(array, "<f4") for array in profile.spreads],
        [_packed(array, "<f4") for array in profile.vectors],
        None if profile.scoring is None else (profile.scoring.output, profile.scoring.logits),
    )  # fmt: skip
    return zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(packed))


def unpack_profile(data: bytes) -> Profile:
    """A profile of its bytes. Corrupt: `bad-profile`."""
    try:
        packed = decode_packed(decompressed(data, _LARGEST), _Packed)
        if packed.version != _VERSION:
            raise _bad()
        return _profile(packed)
    except _GARBAGE as error:
        raise _bad() from error


def _profile(packed: _Packed) -> Profile:
    check_schema(packed.schema)
    wide = len(packed.schema.of_kind("number"))
    found: dict[str, Any] = {}
    for name, (dtype, axes) in _ARRAYS.items():
        if name == "residuals" and name not in packed.arrays:  # it came later
            continue
        array = _unpacked(packed.arrays[name], dtype)
        if name == "covariance":
            if array.shape not in ((wide,), (wide, wide)):  # before it is made a square
                raise _bad()
            array = (np.diag(array) if array.ndim == 1 else array).astype(np.float64)
        if array.ndim != axes:
            raise _bad()
        found[name] = array
    maps = tuple((_unpacked(x, "<f8"), _unpacked(y, "<f8")) for x, y in packed.maps)
    made = Profile(
        schema=packed.schema, tile=unpack(packed.tile, packed.schema),
        calibration=Calibration(maps, packed.fitted),
        spreads=tuple(_unpacked(array, "<f4").astype(np.float64) for array in packed.spreads),
        vectors=tuple(_unpacked(array, "<f4") for array in packed.vectors),
        scoring=None if packed.scoring is None else Scoring(*packed.scoring), **found,
    )  # fmt: skip
    check_profile(made)
    return made


def _packed(array: Array, dtype: str) -> _Array:
    return _Array(dtype, list(array.shape), array.astype(dtype).tobytes())


def _unpacked(packed: _Array, dtype: str) -> Array:
    if packed.dtype != dtype:
        raise _bad()
    return np.frombuffer(packed.data, dtype).reshape(packed.shape)


def _bad() -> Corrupt:
    return Corrupt("bad-profile", "a version's reference is not what was stored",
                   hint="yard profile MODEL@REV --data FILE makes a new one")  # fmt: skip
