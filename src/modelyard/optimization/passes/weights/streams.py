"""Tensors of files read, changed and written piece by piece: memory does not grow with a model."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.closeness import as_floats
from modelyard.core.tensor import ITEMSIZE, TensorInfo, numpy_dtype
from modelyard.formats import inspect, read_tensor
from modelyard.formats.safetensors_writer import write_head
from modelyard.frameworks.torch.arithmetic import encoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from modelyard.formats import Inspection

__all__ = [
    "FLOATS", "Change", "Source", "TooLarge", "limit_of", "sources_of", "write_npz",
    "write_safetensors",
]  # fmt: skip

Array = np.ndarray[Any, Any]

FLOATS = ("float16", "bfloat16", "float32", "float64")
_PIECE = 8 << 20
"""Bytes that are in memory at once, a few times over."""
_BINS = 1 << 16


class TooLarge(Exception):
    """A value is beyond what the new dtype can hold."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


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
    """What they become; None: as they are."""
    limit: int = -1
    """Weights whose size is in this bin or below become zero (see `limit_of`)."""

    def dtype_of(self, info: TensorInfo) -> str:
        """Counters and masks stay what they are."""
        return self.dtype if self.dtype and info.dtype in FLOATS else info.dtype

    def of(self, source: Source, *, flip: bool = False) -> Iterator[Array]:
        """Raw bytes of the changed tensor, as `Source.pieces`. Raises TooLarge."""
        info, dtype = source.info, self.dtype_of(source.info)
        prunes = self.limit >= 0 and is_weight(info)
        for piece in source.pieces(flip=flip):
            if dtype == info.dtype and not prunes:
                yield piece
                continue
            values = as_floats(piece, info.dtype)
            assert values is not None
            if prunes:
                values = np.where(bins_of(values) <= self.limit, values.dtype.type(0), values)
            raw = encoded(values, dtype)
            if dtype == "float16" and (np.isinf(raw) & np.isfinite(values)).any():
                raise TooLarge(info.name)
            yield np.ascontiguousarray(raw).view(np.uint8)


def sources_of(path: Path) -> tuple[list[Source], Inspection]:
    """The tensors of a file. InvalidInput: those of `formats.inspect`."""
    with path.open("rb") as file:
        found = inspect(file, path.name, scan=False)
    return [Source(path, info, found) for info in found.tensors], found


def is_weight(info: TensorInfo) -> bool:
    """Biases and norms are few and matter much: they are not pruned."""
    return len(info.shape) > 1 and info.dtype in FLOATS


def bins_of(values: Array) -> Array:
    """The size of numbers as whole numbers below 65536: sign dropped, 7 bits of the fraction."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return (bits & np.uint32(0x7FFFFFFF)) >> np.uint32(15)


def limit_of(sources: Iterable[Source], sparsity: float) -> int:
    """The bin up to which a share of all weights lies at most: one look at every file."""
    counts = np.zeros(_BINS, np.int64)
    for source in sources:
        if not is_weight(source.info):
            continue
        for piece in source.pieces():
            values = as_floats(piece, source.info.dtype)
            assert values is not None
            counts += np.bincount(bins_of(values), minlength=_BINS)
    below = np.cumsum(counts)
    return int(np.searchsorted(below, sparsity * below[-1], side="right")) - 1


def write_safetensors(
    path: Path, sources: Sequence[Source], change: Change, metadata: Mapping[str, str]
) -> int:
    """Write tensors into a new file, and give its bytes. Tensors that share their bytes are kept
    once; the metadata tells their other names.

    Raises:
        TooLarge: a value does not fit the new dtype.
    """
    first: dict[tuple[object, ...], str] = {}
    aliases: dict[str, str] = {}
    distinct: dict[str, Source] = {}
    for source in sources:
        info = source.info
        place = (source.path, info.start, info.shape, info.dtype) if info.start else (id(source),)
        if prod(info.shape) and place in first:
            aliases[info.name] = first[place]
        else:
            first[place] = info.name
            distinct[info.name] = source
    wanted = [
        TensorInfo(info.name, change.dtype_of(info), info.shape)
        for info in (source.info for source in distinct.values())
    ]
    head, placed = write_head(wanted, {**metadata, **aliases})
    size = len(head)
    with path.open("xb") as file:
        file.write(head)
        for info in placed:
            size += _write(file, change.of(distinct[info.name], flip=True))
    return size


def write_npz(path: Path, sources: Sequence[Source], change: Change) -> None:
    """Write arrays into a new `.npz`. Raises TooLarge."""
    with zipfile.ZipFile(path, "x", zipfile.ZIP_STORED) as archive:
        for source in sources:
            info = source.info
            dtype = numpy_dtype(change.dtype_of(info))
            assert dtype is not None
            member = zipfile.ZipInfo(f"{info.name}.npy", (1980, 1, 1, 0, 0, 0))
            with archive.open(member, "w", force_zip64=True) as file:
                about = {
                    "descr": np.lib.format.dtype_to_descr(dtype),
                    "fortran_order": source.is_flipped,
                    "shape": info.shape,
                }
                np.lib.format.write_array_header_2_0(file, about)
                _write(file, change.of(source))


def _write(file: Any, pieces: Iterator[Array]) -> int:
    size = 0
    for piece in pieces:
        file.write(piece.data)
        size += len(piece)
    return size
