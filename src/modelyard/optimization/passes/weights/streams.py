"""Tensors of files read and changed piece by piece: memory does not grow with a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.closeness import as_floats
from modelyard.core.tensor import ITEMSIZE, TensorInfo
from modelyard.formats import inspect, read_tensor
from modelyard.formats.interface import Budget
from modelyard.frameworks.torch.arithmetic import encoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from modelyard.formats import Inspection

__all__ = ["BUDGET", "FLOATS", "Change", "Source", "TooLarge", "limit_of", "sources_of"]

Array = np.ndarray[Any, Any]

FLOATS = ("float16", "bfloat16", "float32", "float64")
BUDGET = Budget(seconds=20.0, max_ops=2_000_000_000, max_nodes=20_000_000)
"""What looking at one file may cost: a walk that ends early would leave tensors out."""
_PIECE = 8 << 20
"""Bytes that are in memory at once, a few times over."""
_BINS = 1 << 16


class TooLarge(Exception):
    """A value is beyond what the new dtype can hold."""

    def __init__(self, name: str, dtype: str) -> None:
        self.name = name
        self.dtype = dtype
        super().__init__(name, dtype)


@dataclass(frozen=True, slots=True)
class Source:
    """A tensor of a file."""

    path: Path
    info: TensorInfo
    inspection: Inspection

    @property
    def is_raw(self) -> bool:
        """Whether its bytes lie in the file one after the other."""
        return self.info.start is not None and self.info.dtype in ITEMSIZE

    @property
    def is_flipped(self) -> bool:
        """Whether its columns lie there one after the other, not its rows."""
        return self.is_raw and self.info.order == "F"

    def pieces(self, *, flip: bool = False) -> Iterator[Array]:
        """Its raw bytes, in the order in which they lie there; or in that of rows (`flip`)."""
        if flip and self.is_flipped:
            whole = np.concatenate([*self.pieces()]).view(f"u{ITEMSIZE[self.info.dtype]}")
            yield np.ascontiguousarray(whole.reshape(self.info.shape, order="F")).view(np.uint8)
            return
        if not self.is_raw:
            with self.path.open("rb") as file:
                values = read_tensor(file, self.path.name, self.inspection, self.info)
            yield np.ascontiguousarray(values).reshape(-1).view(np.uint8)
            return
        at, end = self.info.start or 0, self.info.end or 0
        with self.path.open("rb", buffering=0) as file:
            file.seek(at)
            while at < end:
                piece = np.fromfile(file, np.uint8, min(_PIECE, end - at))
                if not len(piece):
                    raise EOFError(f"{self.path.name} ends inside {self.info.name}")
                at += len(piece)
                yield piece


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to the floats of tensors."""

    dtype: str | None
    """What those become that get smaller by it; None: all stay as they are."""
    limit: int = -1
    """Weights whose size is in this bin or below become zero (see `limit_of`)."""

    def dtype_of(self, info: TensorInfo) -> str:
        """Counters and masks stay what they are, and floats that would not get smaller."""
        if self.dtype is None or info.dtype not in FLOATS:
            return info.dtype
        return self.dtype if ITEMSIZE[self.dtype] < ITEMSIZE[info.dtype] else info.dtype

    def touches(self, info: TensorInfo) -> bool:
        """Whether the tensor may become another."""
        return self.dtype_of(info) != info.dtype or (self.limit >= 0 and is_weight(info))

    def of(self, source: Source, *, flip: bool = False) -> Iterator[Array]:
        """Raw bytes of the changed tensor, as `Source.pieces`. Raises TooLarge."""
        info, dtype = source.info, self.dtype_of(source.info)
        prunes = self.limit >= 0 and is_weight(info)
        for piece in source.pieces(flip=flip):
            if not self.touches(info):
                yield piece
                continue
            values = as_floats(piece, info.dtype)
            assert values is not None
            if prunes:
                values = np.where(bins_of(values) <= self.limit, values.dtype.type(0), values)
            raw = encoded(values, dtype)
            if (_infinite(raw, dtype) & np.isfinite(values)).any():
                raise TooLarge(info.name, dtype)
            yield np.ascontiguousarray(raw).view(np.uint8)


def _infinite(raw: Array, dtype: str) -> Array:
    """Which raw values of a dtype are infinite."""
    found: Array = (raw & 0x7FFF) == 0x7F80 if dtype == "bfloat16" else np.isinf(raw)
    return found


def sources_of(path: Path) -> tuple[list[Source], Inspection]:
    """The tensors of a file. InvalidInput: those of `formats.inspect`."""
    with path.open("rb") as file:
        found = inspect(file, path.name, budget=BUDGET)
    return [Source(path, info, found) for info in found.tensors], found


def is_weight(info: TensorInfo) -> bool:
    """Biases and norms are few and matter much: they are not pruned."""
    return len(info.shape) > 1 and info.dtype in FLOATS


def bins_of(values: Array) -> Array:
    """The size of numbers as whole numbers below 65536: sign dropped, 7 bits of the fraction."""
    with np.errstate(over="ignore"):
        bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return (bits & np.uint32(0x7FFFFFFF)) >> np.uint32(15)


def limit_of(sources: Iterable[Source], sparsity: float) -> tuple[int, float]:
    """Where to cut all weights so that a share of them at most lies below: one look at every file.

    Returns:
        The bin up to which they go, -1 if none can; and the share that does, which is smaller
        where many weights are of the same size.
    """
    counts = np.zeros(_BINS, np.int64)
    for source in sources:
        if not is_weight(source.info):
            continue
        for piece in source.pieces():
            values = as_floats(piece, source.info.dtype)
            assert values is not None
            counts += np.bincount(bins_of(values), minlength=_BINS)
    below = np.cumsum(counts)
    limit = int(np.searchsorted(below, sparsity * below[-1], side="right")) - 1
    if not below[-1] or limit < 0 or not below[limit]:
        return -1, 0.0
    return limit, float(below[limit] / below[-1])
