"""Files of tensors, written and read for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.core.tensor import TensorInfo
from modelyard.formats import inspect, read_tensor
from modelyard.formats.safetensors_writer import write_head

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["tensors_in", "write_file"]


def tensors_in(path: Path) -> dict[str, tuple[str, Any]]:
    """By name the dtype and the values."""
    with path.open("rb") as file:
        found = inspect(file, path.name)
        return {t.name: (t.dtype, read_tensor(file, path.name, found, t)) for t in found.tensors}


def write_file(path: Path, arrays: Mapping[str, Any], **metadata: str) -> None:
    """A safetensors file."""
    infos = [TensorInfo(name, a.dtype.name, a.shape) for name, a in arrays.items()]
    head, placed = write_head(infos, metadata)
    path.write_bytes(head + b"".join(arrays[info.name].tobytes() for info in placed))
