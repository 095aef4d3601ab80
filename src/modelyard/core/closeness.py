"""How far two tensors are apart, added up block by block."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Closeness", "as_floats"]

_BLOCK = 1 << 18


@dataclass(slots=True)
class Closeness:
    """Running sums over pairs of elements; old values come first."""

    difference: float = 0.0
    """Sum of squared differences."""
    old: float = 0.0
    new: float = 0.0
    product: float = 0.0
    largest: float = 0.0

    def add(self, old: NDArray[Any], new: NDArray[Any]) -> None:
        """Take in two flat arrays of the same length, of float32, float64 or complex values."""
        with np.errstate(all="ignore"):
            for at in range(0, len(old), _BLOCK):
                a, b = old[at : at + _BLOCK], new[at : at + _BLOCK]
                gap = b - a
                self.difference += float(np.vdot(gap, gap).real)
                self.old += float(np.vdot(a, a).real)
                self.new += float(np.vdot(b, b).real)
                self.product += float(np.vdot(a, b).real)
                self.largest = max(self.largest, float(np.abs(gap).max(initial=0.0)))

    @property
    def relative_change(self) -> float | None:
        """Euclidean norm of the difference over that of the old values; None if those are 0."""
        return _finite(math.sqrt(self.difference / self.old)) if self.old > 0 else None

    @property
    def cosine(self) -> float | None:
        """Cosine of the angle between old and new values; None if either is all 0."""
        if self.old <= 0 or self.new <= 0:
            return None
        value = _finite(self.product / math.sqrt(self.old) / math.sqrt(self.new))
        return None if value is None else max(-1.0, min(1.0, value))

    @property
    def max_abs(self) -> float | None:
        return _finite(self.largest)


def as_floats(raw: NDArray[np.uint8], dtype: str) -> NDArray[Any] | None:
    """Raw little-endian bytes of a dtype as values to compute with; None if it is opaque."""
    if dtype == "bfloat16":
        return (raw.view("<u2").astype("<u4") << 16).view("<f4")
    if dtype in ("float32", "float64", "complex64", "complex128"):
        return raw.view(np.dtype(dtype).newbyteorder("<"))
    if dtype in ("float16", "int8", "uint8", "int16", "uint16"):
        return raw.view(np.dtype(dtype).newbyteorder("<")).astype("<f4")
    if dtype in ("bool", "int32", "uint32", "int64", "uint64"):
        return raw.view(np.dtype(dtype).newbyteorder("<")).astype("<f8")
    return None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
