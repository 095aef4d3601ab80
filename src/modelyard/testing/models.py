"""Tiny real model files, written with numpy and the standard library alone."""

from __future__ import annotations

import hashlib
import json
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "Tensors",
    "float32_of",
    "layers",
    "read_tree",
    "safetensors_bytes",
    "to_bfloat16",
    "tree_digest",
    "write_npz",
    "write_pickle",
    "write_safetensors",
    "write_tree",
]

Array = np.ndarray[Any, Any]
Tensors = dict[str, Array]
"""Values by name. An array of `bfloat16_bits` stands for bfloat16, which numpy has no dtype for."""

bfloat16_bits = np.dtype([("bfloat16", "<u2")])

_SAFETENSORS = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "uint16": "U16", "int32": "I32",
    "uint32": "U32", "int64": "I64", "uint64": "U64", "float16": "F16", "float32": "F32",
    "float64": "F64",
}  # fmt: skip


def layers(seed: int = 0, *, count: int = 3, width: int = 16, dtype: str = "float32") -> Tensors:
    """A small network: `layer0.weight`, `layer0.bias`, ... with normally distributed weights."""
    rng = np.random.default_rng(seed)
    made: Tensors = {}
    for index in range(count):
        weight = rng.normal(0.0, 0.05, (width, width)).astype(np.float32)
        bias = rng.normal(0.0, 0.01, width).astype(np.float32)
        for name, values in (("weight", weight), ("bias", bias)):
            cast = to_bfloat16(values) if dtype == "bfloat16" else values.astype(dtype)
            made[f"layer{index}.{name}"] = cast
    return made


def to_bfloat16(values: Array) -> Array:
    """Round float32 to bfloat16 (to nearest, ties to even), as bits."""
    bits = values.astype("<f4").view("<u4")
    rounded: Array = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    return rounded.astype("<u2").view(bfloat16_bits)


def float32_of(values: Array) -> Array:
    """What `tensor()` should give for these values: bfloat16 as float32, others as they are."""
    if values.dtype != bfloat16_bits:
        return values
    bits: Array = values.view("<u2").astype("<u4") << 16
    return bits.view("<f4")


def safetensors_bytes(tensors: Tensors, *, metadata: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file in the order given, its header padded to 8 bytes as the library does."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    start = 0
    for name, values in tensors.items():
        end = start + values.nbytes
        header[name] = {
            "dtype": "BF16" if values.dtype == bfloat16_bits else _SAFETENSORS[values.dtype.name],
            "shape": list(values.shape),
            "data_offsets": [start, end],
        }
        start = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    body = b"".join(np.ascontiguousarray(values).tobytes() for values in tensors.values())
    return len(text).to_bytes(8, "little") + text + body


def write_safetensors(
    path: Path, tensors: Tensors, *, metadata: Mapping[str, str] | None = None
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(safetensors_bytes(tensors, metadata=metadata))
    return path


def write_npz(path: Path, tensors: Tensors) -> Path:
    """Stored, not deflated, as `numpy.savez` does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **tensors)
    return path


def write_pickle(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(value, protocol=4))
    return path


def write_tree(root: Path, files: Mapping[str, bytes]) -> Path:
    """Make a folder of these files; a name that ends with `/` is an empty folder."""
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return root


def read_tree(root: Path) -> dict[str, bytes]:
    """Every file below a folder by its relative path; what yards keep there for themselves not."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.relative_to(root).parts[0] != ".yard"
    }


def tree_digest(files: Mapping[str, bytes]) -> str:
    """One SHA-256 for all files and their names."""
    whole = hashlib.sha256()
    for path, content in sorted(files.items()):
        whole.update(f"{len(path)}:{path}{len(content)}:".encode())
        whole.update(content)
    return whole.hexdigest()
