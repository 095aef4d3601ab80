"""Raw bytes of tensors as numbers that we compute with, and back, rounded to nearest even.

float16, bfloat16 and float32 are computed in float32, float64 in float64. Other dtypes are not
computed with: integers, truth values, quantized and eight-bit floats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Floats = NDArray[Any]
    Bits = NDArray[Any]

__all__ = [
    "COMPUTED",
    "GRAIN",
    "Room",
    "bits_of",
    "choose",
    "clear",
    "magnitudes",
    "narrow",
    "widen",
    "working",
]

COMPUTED = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
"""Bytes an element of what can be mixed."""
GRAIN = 1 << 15
"""Elements that are computed at once: all arrays of a step stay in the second cache."""

_BITS: dict[int, np.dtype[Any]] = {2: np.dtype("<u2"), 4: np.dtype("<u4"), 8: np.dtype("<u8")}
_STORED: dict[str, np.dtype[Any]] = {
    "float16": np.dtype("<f2"),
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
}
_F4: np.dtype[Any] = np.dtype("<f4")
_F8: np.dtype[Any] = np.dtype("<f8")


class Room:
    """Scratch arrays of one thread: touching fresh memory costs more than the work."""

    def __init__(self) -> None:
        self._arrays: dict[str, Bytes] = {}

    def take(self, name: str, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """A kept array of `count` elements; its content is whatever was there."""
        size = count * dtype.itemsize
        array = self._arrays.get(name)
        if array is None or len(array) < size:
            array = self._arrays[name] = np.empty(size, np.uint8)
        return array[:size].view(dtype)


def working(dtype: str) -> np.dtype[Any]:
    """The dtype that a tensor's dtype is computed in."""
    return _F8 if dtype == "float64" else _F4


def bits_of(raw: Bytes, dtype: str) -> Bits:
    """The bit patterns, one integer an element."""
    return raw.view(_BITS[COMPUTED[dtype]])


def widen(raw: Bytes, dtype: str, name: str, room: Room) -> Floats:
    """The values as float32 or float64: a view of `raw` where that is what they are."""
    if dtype in ("float32", "float64"):
        return raw.view(_STORED[dtype])
    out = room.take(name, len(raw) // 2, _F4)
    if dtype == "float16":
        np.copyto(out, raw.view("<f2"))
    else:
        bits = out.view("<u4")
        np.copyto(bits, raw.view("<u2"))
        np.left_shift(bits, 16, out=bits)
    return out


def narrow(values: Floats, dtype: str, out: Bytes, room: Room) -> None:
    """Write values as `dtype`, rounded to the nearest and to even where two are as near."""
    if dtype == "bfloat16":
        _to_bfloat16(values, out.view("<u2"), room)
        return
    np.copyto(out.view(_STORED[dtype]), values, casting="same_kind")


def _to_bfloat16(values: Floats, out: NDArray[np.uint16], room: Room) -> None:
    """Half of the dropped bits is added, and one more if the kept ones are odd.

    The sum may carry into the exponent, which is right: the next number is the next pattern, and
    past the largest is infinity. Only a NaN must not be rounded: it stays one, made quiet.
    """
    bits = values.view("<u4")
    rounded = room.take("rounded", len(bits), np.dtype("<u4"))
    np.right_shift(bits, 16, out=rounded)
    np.bitwise_and(rounded, 1, out=rounded)
    np.add(rounded, 0x7FFF, out=rounded)
    np.add(rounded, bits, out=rounded)
    np.right_shift(rounded, 16, out=rounded)
    np.copyto(out, rounded, casting="same_kind")
    broken = np.isnan(values)
    if broken.any():
        out[broken] = (bits[broken] >> 16) | 0x0040


def magnitudes(values: Floats, out: NDArray[Any]) -> Bits:
    """Bit patterns without sign: integers in the order of the absolute values. NaN is above all."""
    width = values.dtype.itemsize
    bits = values.view(_BITS[width])
    np.bitwise_and(bits, _BITS[width].type((1 << (8 * width - 1)) - 1), out=out)
    return out


def clear(values: Floats, keep: NDArray[np.bool_], room: Room) -> None:
    """Make 0 what is not kept. By bits: ufuncs with `where` take ten times as long."""
    bits = values.view(_BITS[values.dtype.itemsize])
    np.bitwise_and(bits, _mask(keep, bits.dtype, room), out=bits)


def choose(
    out: Bits,
    other: Bits,
    there: NDArray[np.bool_],
    room: Room,
) -> None:
    """Take the patterns of `other` where `there` says so."""
    difference = room.take("difference", len(out), out.dtype)
    np.bitwise_xor(out, other, out=difference)
    np.bitwise_and(difference, _mask(there, out.dtype, room), out=difference)
    np.bitwise_xor(out, difference, out=out)


def _mask(flags: NDArray[np.bool_], dtype: np.dtype[Any], room: Room) -> NDArray[Any]:
    """All bits where true, none where false."""
    mask = room.take("mask", len(flags), dtype)
    np.copyto(mask, flags)
    np.negative(mask, out=mask)
    return mask
