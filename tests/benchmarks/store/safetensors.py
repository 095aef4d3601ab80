"""Read and write safetensors by hand: eight bytes of length, a JSON header, the values."""

from __future__ import annotations

import json
import struct
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["header", "write"]


ITEMSIZE = {"F32": 4, "BF16": 2, "I64": 8}


def write(
    path: Path, specs: Sequence[tuple[str, str, Sequence[int]]], arrays: Iterable[np.ndarray]
) -> None:
    """Write arrays one by one, so that only one is in memory.

    `specs` are name, dtype and shape in file order.
    """
    half = path.with_suffix(path.suffix + ".part")
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, dtype, shape in specs:
        size = ITEMSIZE[dtype] * prod(shape)
        span = [offset, offset + size]
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": span}
        offset += size
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with half.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays:
            file.write(np.ascontiguousarray(array).data.cast("B"))
    half.replace(path)


def header(path: Path) -> tuple[dict[str, Any], int]:
    """The entries of a file without `__metadata__`, and where the values begin."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        entries = json.loads(file.read(length))
    entries.pop("__metadata__", None)
    return entries, 8 + length
