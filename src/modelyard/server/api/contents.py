"""Bytes of a version: one file, one tensor, or all of it in a tar."""

from __future__ import annotations

import math
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from starlette.responses import Response

from modelyard.errors import InvalidInput, NotFound
from modelyard.registry.blobs import open_blob
from modelyard.registry.files import contents
from modelyard.server.api.inputs import ModelName, Segment, revision_in
from modelyard.server.ranges import BYTES, download, send_file
from modelyard.server.routing import Routes, on_model
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("contents")

_LARGEST_TENSOR = 512 << 20
_TAR: dict[int | str, dict[str, Any]] = {
    **BYTES,
    200: {
        "description": "The tar.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
}


@routes.get(
    "/models/{model}/versions/{revision}/files/{path}", needs=on_model("reader"),
    responses=BYTES, seconds=math.inf,
)  # fmt: skip
def download_file(ask: Ask, model: ModelName, revision: Segment, path: str) -> Response:
    """The bytes of one file, or a range of them; its ETag is its SHA-256."""
    house = ask.house
    found = contents(house, model, revision_in(revision))
    entry = found.tree.get(path)
    if entry is None:
        raise NotFound(
            "no-file", f"{found.title} has no file {path[:400]}", hint="yard show lists them"
        )
    given = entry.inline
    if given is not None:
        size, read = len(given), lambda start, stop: given[start:stop]
    else:
        blob = open_blob(house, found.blob(entry))
        size, read = entry.size, lambda start, stop: blob.read(start, stop).tobytes()
    number = {"x-version": str(found.version.number)}
    return download(
        ask.request, size=size, read=read, name=path, etag=f'"{entry.digest.hex}"', headers=number
    )


@routes.get(
    "/models/{model}/versions/{revision}/tensors/{tensor}", needs=on_model("reader"),
    responses=BYTES, seconds=math.inf,
)  # fmt: skip
def download_tensor(ask: Ask, model: ModelName, revision: Segment, tensor: str) -> Response:
    """The values of one tensor, by `name` or `file:name`: little endian, the last index fastest.

    `X-Dtype` has numpy's name of the type and `X-Shape` the shape, `3,4`. bfloat16 and float8 come
    as float32.
    """
    yard = ask.yard
    detail = yard.show(model, revision_in(revision))
    sizes = [
        entry.nbytes or 0
        for entry in detail.tensors
        if tensor in (entry.name, f"{entry.file}:{entry.name}")
    ]
    if max(sizes, default=0) > _LARGEST_TENSOR:
        raise InvalidInput(
            "too-large", f"{tensor[:200]} has {max(sizes):,} bytes", hint="read ranges of its file"
        )
    values = yard.tensor(model, detail.version.number, tensor)
    plain = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
    data = plain.reshape(-1).view(np.uint8).data
    shape = ",".join(map(str, values.shape))
    return download(
        ask.request, size=len(data), read=lambda start, stop: bytes(data[start:stop]),
        name=f"{tensor}.bin", headers={"x-dtype": values.dtype.name, "x-shape": shape},
    )  # fmt: skip


@routes.get(
    "/models/{model}/versions/{revision}/export", needs=on_model("reader"), responses=_TAR,
    seconds=math.inf,
)  # fmt: skip
def export_version(ask: Ask, model: ModelName, revision: Segment) -> Response:
    """One version in a tar file of its own, which any yard can import (docs/spec/export-1.md)."""
    room = Path(tempfile.mkdtemp(prefix="yard-export-"))
    try:
        file = room / "export.tar"
        done = ask.yard.export(model, revision_in(revision), file)
        return send_file(
            ask.request, file, name=f"{done.model.replace('/', '-')}-{done.number}.tar", room=room
        )
    except BaseException:
        shutil.rmtree(room, ignore_errors=True)
        raise
