"""Files of changed tensors, written piece by piece."""

from __future__ import annotations

import json
import shutil
import zipfile
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.tensor import TensorInfo, numpy_dtype
from modelyard.formats.safetensors_writer import write_head

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from modelyard.optimization.passes.weights.streams import Change, Source

__all__ = ["metadata_of", "write_npz", "write_safetensors"]

_ALIASES = 900
"""Our reader looks at 1000 entries of the metadata; what is beyond is written twice."""


def metadata_of(path: Path) -> dict[str, str]:
    """What a safetensors file tells of itself, uncut, unlike an inspection: it is written again."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    found: dict[str, str] = header.get("__metadata__") or {}
    return found


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
        place = _place(source)
        shared = prod(info.shape) and place in first and info.name not in metadata
        if shared and len(aliases) < _ALIASES:
            aliases[info.name] = first[place]
        else:
            first.setdefault(place, info.name)
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


def _place(source: Source) -> tuple[object, ...]:
    """Equal for tensors of equal values: a square may lie there once, and be meant both ways."""
    info = source.info
    if info.start is None:
        return (id(source),)
    return (source.path, info.start, info.shape, info.dtype, info.order)


def write_npz(path: Path, old: Path, sources: Sequence[Source], change: Change) -> None:
    """Write the arrays of an `.npz` into a new one. What does not change is copied, also texts,
    dates, objects and records. Raises TooLarge.
    """
    touched = {
        f"{source.info.name}.npy": source for source in sources if change.touches(source.info)
    }
    with zipfile.ZipFile(old) as before, zipfile.ZipFile(path, "x", zipfile.ZIP_STORED) as after:
        for name in before.namelist():
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            with after.open(member, "w", force_zip64=True) as file:
                if name in touched:
                    _write_array(file, touched[name], change)
                else:
                    with before.open(name) as same:
                        shutil.copyfileobj(same, file, 1 << 20)


def _write_array(file: Any, source: Source, change: Change) -> None:
    dtype = numpy_dtype(change.dtype_of(source.info))
    assert dtype is not None
    about = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": source.is_flipped,
        "shape": source.info.shape,
    }
    np.lib.format.write_array_header_2_0(file, about)
    _write(file, change.of(source))


def _write(file: Any, pieces: Iterable[np.ndarray[Any, Any]]) -> int:
    size = 0
    for piece in pieces:
        file.write(piece.data)
        size += len(piece)
    return size
