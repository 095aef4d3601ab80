"""Raw bytes as numbers, also for the small floats that numpy does not know."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["decoded"]


def decoded(
    data: bytes, name: str, dtype: np.dtype[np.generic] | None
) -> np.ndarray[Any, Any] | None:
    """A flat array of the values; None for dtypes that are opaque."""
    if dtype is not None:
        return np.frombuffer(data, dtype)
    if name == "bfloat16":
        wide: np.ndarray[Any, Any] = np.frombuffer(data, "<u2").astype("<u4") << np.uint32(16)
        return wide.view("<f4")
    if name == "float8_e5m2":
        half: np.ndarray[Any, Any] = np.frombuffer(data, "u1").astype("<u2") << np.uint16(8)
        return half.view("<f2").astype("<f4")
    if name == "float8_e4m3fn":
        found: np.ndarray[Any, Any] = _E4M3[np.frombuffer(data, "u1")]
        return found
    return None


def _e4m3() -> np.ndarray[Any, Any]:
    """All 256 values: no infinity, and only the largest pattern is NaN."""
    bits = np.arange(256)
    exponent, fraction = (bits >> 3) & 15, bits & 7
    normal = (1 + fraction / 8) * 2.0 ** (exponent - 7)
    value = np.where(exponent == 0, fraction / 8 * 2.0**-6, normal)
    value[(bits & 127) == 127] = np.nan
    return np.where(bits & 128, -value, value).astype("<f4")


_E4M3 = _e4m3()
