"""The head of a safetensors file, so that its tensors can be written at their places afterwards."""

from __future__ import annotations

import json
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from modelyard.core.tensor import ITEMSIZE, TensorInfo
from modelyard.errors import Unsupported
from modelyard.formats.safetensors import DTYPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["write_head"]

_CODES = {dtype: code for code, dtype in DTYPES.items()}
_ALIGNMENT = 8


def write_head(
    tensors: Sequence[TensorInfo], metadata: Mapping[str, str] | None = None
) -> tuple[bytes, tuple[TensorInfo, ...]]:
    """The first bytes of a file of these tensors, and the tensors with their places in it.

    The widest dtypes come first, as the reference writer sorts them, so that each tensor begins at
    a multiple of its element's size; equally wide ones stay in the order given.

    Raises:
        Unsupported: `not-mergeable`: safetensors has no such dtype.
    """
    for tensor in tensors:
        if tensor.dtype not in _CODES or tensor.dtype not in ITEMSIZE:
            raise Unsupported(
                "not-mergeable", f"{tensor.name} is {tensor.dtype}, which safetensors can't hold"
            )
    ordered = sorted(tensors, key=lambda tensor: -ITEMSIZE[tensor.dtype])
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    placed = []
    for tensor in ordered:
        end = at + prod(tensor.shape) * ITEMSIZE[tensor.dtype]
        header[tensor.name] = {
            "dtype": _CODES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, end],
        }  # fmt: skip
        placed.append(replace(tensor, start=at, end=end, order="C"))
        at = end
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    head = len(text).to_bytes(8, "little") + text
    return head, tuple(
        replace(t, start=(t.start or 0) + len(head), end=(t.end or 0) + len(head)) for t in placed
    )
