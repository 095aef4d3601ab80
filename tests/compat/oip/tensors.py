"""Raw tensors as they go over the wire, written anew for tests."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["WIRE", "body_of", "packed", "raw_of", "read_answer", "texts_of"]

WIRE = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8",
    "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8",
    "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip


def packed(items: Sequence[bytes]) -> bytes:
    """Elements of BYTES."""
    return b"".join(struct.pack("<I", len(item)) + item for item in items)


def texts_of(raw: bytes) -> list[bytes]:
    found, place = [], 0
    while place < len(raw):
        (size,) = struct.unpack_from("<I", raw, place)
        found.append(raw[place + 4 : place + 4 + size])
        place += 4 + size
    return found


def raw_of(datatype: str, data: Sequence[Any]) -> bytes:
    if datatype == "BYTES":
        return packed([item if isinstance(item, bytes) else item.encode() for item in data])
    return np.array(data, WIRE[datatype]).tobytes()


def body_of(
    inputs: Sequence[tuple[str, str, Sequence[int], bytes]], **more: Any
) -> tuple[bytes, dict[str, str]]:
    """A body with raw tensors, and its headers. Inputs are name, datatype, shape and bytes."""
    head = {
        "inputs": [
            {"name": name, "datatype": datatype, "shape": list(shape),
             "parameters": {"binary_data_size": len(raw)}}
            for name, datatype, shape, raw in inputs
        ],
        **more,
    }  # fmt: skip
    start = json.dumps(head).encode()
    headers = {
        "content-type": "application/octet-stream",
        "inference-header-content-length": str(len(start)),
    }
    return start + b"".join(raw for *_, raw in inputs), headers


def read_answer(
    content: bytes, headers: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The JSON of an answer, and the raw outputs behind it, by name."""
    length = int(headers["inference-header-content-length"])
    head = json.loads(content[:length])
    raws, place = {}, length
    for output in head["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is not None:
            assert "data" not in output
            raws[output["name"]] = content[place : place + size]
            place += size
    assert place == len(content), "bytes that belong to no output"
    return head, raws
