"""Safetensors files written tensor by tensor, without any library."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from modelyard.core.tensor import ITEMSIZE, TensorInfo, numpy_dtype
from modelyard.errors import InvalidInput
from modelyard.formats.safetensors import DTYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence
    from pathlib import Path

__all__ = ["Array", "Lazy", "aliases_of", "lazy_of", "nbytes_of", "raw_dtype", "write"]

Array = np.ndarray[Any, Any]

_CODES = {name: code for code, name in DTYPES.items()}
_ALIASES = 900
"""Our reader looks at 1000 entries of the metadata; what is beyond is written twice."""
_LIMIT = 99_000_000
"""Our reader takes headers below 100 MB."""


@dataclass(frozen=True, slots=True)
class Lazy:
    """A tensor that is read when it is needed, and forgotten after that."""

    dtype: str
    """As `TensorInfo` spells it."""
    shape: tuple[int, ...]
    nbytes: int
    values: Callable[[], Array]
    """Its values: of this shape and `raw_dtype`, or flat bytes where that is None."""


def raw_dtype(dtype: str) -> np.dtype[Any] | None:
    """The numpy dtype of the raw values: bfloat16 and float8 are moved as unsigned integers.

    None for dtypes whose elements share bytes.
    """
    known = numpy_dtype(dtype)
    if known is not None or dtype not in DTYPES.values():
        return known
    if dtype == "bfloat16":
        return np.dtype("<u2")
    return np.dtype("u1") if dtype.startswith("float8") else None


def lazy_of(file: Callable[[], BinaryIO], info: TensorInfo) -> Lazy:
    """A tensor of a safetensors file that `formats.inspect` has found in order."""
    start, end = info.start or 0, info.end or 0
    raw = raw_dtype(info.dtype)

    def values() -> Array:
        opened = file()
        opened.seek(start)
        data = opened.read(end - start)
        if len(data) != end - start:
            raise InvalidInput("not-loadable", f"the file ends inside {info.name}")
        flat = np.frombuffer(data, np.uint8 if raw is None else raw)
        return flat if raw is None else flat.reshape(info.shape)

    return Lazy(info.dtype, info.shape, end - start, values)


def write(path: Path, tensors: Mapping[str, Lazy], metadata: Mapping[str, str]) -> int:
    """Write a file, one tensor in memory at a time. Gives its size.

    The header keeps the order of the names. The values lie by falling size of their elements,
    so that each is aligned, which readers ask for. A `Lazy` that stands under several names is
    written once; the metadata tells the other names, as `safetensors.torch.save_model` does.
    """
    tensors, metadata = _without_aliases(tensors, metadata)
    order = sorted(tensors, key=lambda name: -_alignment(tensors[name].dtype))
    places: dict[str, tuple[int, int]] = {}
    end = 0
    for name in order:
        places[name] = (end, end + tensors[name].nbytes)
        end += tensors[name].nbytes
    header = _header(tensors, places, metadata)
    with path.open("xb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for name in order:
            values = np.ascontiguousarray(tensors[name].values())
            if values.nbytes != tensors[name].nbytes:
                raise AssertionError(f"{name} has {values.nbytes} bytes")
            file.write(values.reshape(-1).view(np.uint8).data)
    return 8 + len(header) + end


def aliases_of(metadata: Mapping[str, str], names: Container[str]) -> dict[str, str]:
    """Other names of tensors that a file holds once."""
    return {n: kept for n, kept in metadata.items() if kept in names and n not in names}


def _without_aliases(
    tensors: Mapping[str, Lazy], metadata: Mapping[str, str]
) -> tuple[Mapping[str, Lazy], Mapping[str, str]]:
    first: dict[int, str] = {}
    aliases: dict[str, str] = {}
    for name, tensor in tensors.items():
        kept = first.setdefault(id(tensor), name)
        if kept != name and len(aliases) < _ALIASES and name != "format":
            aliases[name] = kept
    return {n: t for n, t in tensors.items() if n not in aliases}, {**metadata, **aliases}


def _header(
    tensors: Mapping[str, Lazy],
    places: Mapping[str, Sequence[int]],
    metadata: Mapping[str, str],
) -> bytes:
    content: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    for name, tensor in tensors.items():
        if name == "__metadata__":
            raise InvalidInput("not-savable", "a tensor can't be named __metadata__")
        content[name] = {
            "dtype": _code(name, tensor.dtype),
            "shape": list(tensor.shape),
            "data_offsets": list(places[name]),
        }
    try:
        header = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidInput("not-savable", "a tensor's name is no text") from None
    if len(header) > _LIMIT:
        raise InvalidInput("not-savable", f"{len(tensors)} tensors are too many for one file")
    return header + b" " * (-len(header) % 8)


def _code(name: str, dtype: str) -> str:
    if dtype not in _CODES:
        raise InvalidInput(
            "not-savable", f"{name} has dtype {dtype}, which safetensors does not know",
            hint="cast it, or use another serializer",
        )  # fmt: skip
    return _CODES[dtype]


def _alignment(dtype: str) -> int:
    return min(ITEMSIZE.get(dtype, 1), 8)


def nbytes_of(dtype: str, shape: Sequence[int]) -> int:
    """Bytes of the raw values of a dtype that computes."""
    return ITEMSIZE[dtype] * prod(shape)
