"""What is known of a tensor without reading it: name, dtype, shape and where its bytes lie."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ["ITEMSIZE", "TensorInfo", "is_float", "numpy_dtype"]

ITEMSIZE: dict[str, int] = {
    "bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4,
    "int64": 8, "uint64": 8, "float8_e4m3fn": 1, "float8_e5m2": 1, "float16": 2, "bfloat16": 2,
    "float32": 4, "float64": 8, "complex64": 8, "complex128": 16,
}  # fmt: skip
"""Bytes an element, for the dtypes we compute with. Others (`ggml.q4_k`, `object`) are opaque."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor of a file."""

    name: str
    """As the file spells it."""
    dtype: str
    """Numpy's name, `bfloat16`, `float8_e4m3fn`, or an opaque name such as `ggml.q4_k`."""
    shape: tuple[int, ...]
    start: int | None = None
    """First byte in the file, if the values lie there raw, contiguous and little-endian."""
    end: int | None = None
    """One past the last byte, given with `start`."""
    order: str = "C"
    """`C` or `F`: how the raw bytes are laid out."""

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int | None:
        """Bytes of the raw values; None for opaque dtypes without a range."""
        if self.start is not None and self.end is not None:
            return self.end - self.start
        size = ITEMSIZE.get(self.dtype)
        return None if size is None else size * self.elements


def is_float(dtype: str) -> bool:
    """Whether the sign bit comes first and the exponent next (IEEE layout)."""
    return dtype in ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")


def numpy_dtype(dtype: str) -> np.dtype[np.generic] | None:
    """The numpy dtype of a tensor; None where numpy has none (bfloat16, float8, quantized)."""
    import numpy as np

    if dtype not in ITEMSIZE or dtype in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        return None
    return np.dtype(dtype).newbyteorder("<")
