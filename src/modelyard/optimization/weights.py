"""The tensors of a model's files, read block by block: what passes are compared by.

Nothing is loaded or run: `formats` reads the files. Quantized tensors are given with their scales,
so that they can be compared with what they were made from.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.closeness import as_floats
from modelyard.core.tensor import ITEMSIZE
from modelyard.errors import ModelyardError
from modelyard.formats import external_tensors, inspect, read_tensor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.core.tensor import TensorInfo
    from modelyard.formats import Inspection

    Array = np.ndarray[Any, Any]

__all__ = ["Weights", "weights_of"]

_NIBBLES = {"int4", "uint4"}


@dataclass(slots=True)
class Weights:
    """One tensor of a file."""

    file: Path
    info: TensorInfo
    inspection: Inspection
    whole: Array | None = None
    """All values, flat, once they had to be read as a whole."""

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def shape(self) -> tuple[int, ...]:
        return self.info.shape

    @property
    def dtype(self) -> str:
        return self.info.dtype

    @property
    def is_raw(self) -> bool:
        """Whether its values lie in the file one after the other, so that a part can be read."""
        return self.info.start is not None and self.info.order == "C" and self.dtype in ITEMSIZE

    def flat(self, at: int, count: int) -> Array | None:
        """Some of its values in C order, as floats; None if they can't be told."""
        if not self.is_raw:
            values = self.values()
            return None if values is None else values.reshape(-1)[at : at + count]
        size = ITEMSIZE[self.dtype]
        with self.file.open("rb") as stream:
            stream.seek((self.info.start or 0) + at * size)
            raw = np.fromfile(stream, np.uint8, count * size)
        return as_floats(raw, self.dtype) if len(raw) == count * size else None

    def raw(self) -> Array | None:
        """Its bytes as they lie in the file."""
        if self.info.start is None or self.info.end is None:
            return None
        with self.file.open("rb") as stream:
            stream.seek(self.info.start)
            return np.fromfile(stream, np.uint8, self.info.end - self.info.start)

    def values(self) -> Array | None:
        """All of them as floats, of its shape; None if they can't be told."""
        if self.whole is None:
            self.whole = self._nibbles() if self.dtype in _NIBBLES else self._read()
        return self.whole

    def _read(self) -> Array | None:
        try:
            with self.file.open("rb") as stream:
                values = read_tensor(stream, self.file.name, self.inspection, self.info)
        except (ModelyardError, OSError, ValueError):
            return None
        if values.dtype.kind not in "fiub":
            return None
        return values.astype(np.float64 if values.dtype.itemsize > 4 else np.float32)

    def _nibbles(self) -> Array | None:
        """Four bits each, the lower ones of a byte first, as ONNX packs them."""
        raw = self.raw()
        if raw is None:
            return None
        pairs = np.stack([raw & 15, raw >> 4], axis=-1).reshape(-1)[: prod(self.shape)]
        values = pairs.astype(np.float32)
        if self.dtype == "int4":
            values[values > 7] -= 16
        return values.reshape(self.shape) if values.size == prod(self.shape) else None


def weights_of(folder: Path) -> tuple[Weights, ...]:
    """All tensors of a folder's files, in order. Files that can't be read have none."""
    return tuple(_found(folder))


def _found(folder: Path) -> Iterator[Weights]:
    root = folder.resolve()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        try:
            with path.open("rb") as stream:
                found = inspect(stream, path.name, scan=False)
            elsewhere = external_tensors(found)
        except (ModelyardError, OSError):
            continue
        placed = {
            info.name: (path.parent / location, info)
            for location, infos in elsewhere.items()
            for info in infos
        }
        for info in found.tensors:
            file, known = placed.get(info.name, (path, info))
            if file is path or (file.is_file() and file.resolve().is_relative_to(root)):
                yield Weights(file, known, found)
