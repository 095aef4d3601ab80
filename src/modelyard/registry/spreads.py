"""How the values of one stored tensor are spread: by range reads, kept by content."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from modelyard.core.recent import Recent
from modelyard.core.spread import Spread, spread_of, stretches
from modelyard.core.tensor import ITEMSIZE, numpy_dtype
from modelyard.core.version import TensorEntry
from modelyard.errors import NotFound, Unsupported
from modelyard.formats import read_tensor
from modelyard.formats.values import decoded
from modelyard.registry.blobs import open_blob
from modelyard.registry.files import contents, open_file
from modelyard.registry.views import inspection_at

if TYPE_CHECKING:
    from modelyard.core.tensor import TensorInfo
    from modelyard.formats import Inspection
    from modelyard.registry.files import Contents
    from modelyard.registry.house import House

__all__ = ["TensorLook", "look_at_tensor"]

_KEPT = 4000
_LARGEST = 64 << 20
"""Bytes of a tensor that can only be read as a whole."""

_seen: Recent[tuple[bytes, str], tuple[Spread | None]] = Recent(_KEPT)
"""By the SHA-256 of the file and the tensor's name."""


@dataclass(frozen=True, slots=True)
class TensorLook:
    """A tensor, and how its values are spread."""

    model: str
    """Name of its model."""
    number: int
    """Of the version."""
    tensor: TensorEntry
    """What its file says of it."""
    spread: Spread | None
    """None for values that can't be read by themselves, such as quantized blocks."""


def look_at_tensor(
    house: House, model: str, revision: str | int | None, file: str, name: str
) -> TensorLook:
    """Look at a tensor's values. NotFound: `no-file`, `no-tensor`."""
    found = contents(house, model, revision)
    entry = found.tree.get(file)
    if entry is None:
        raise NotFound(
            "no-file", f"{found.title} has no file {file[:400]}", hint="yard show lists them"
        )
    inspection = inspection_at(house, found, file)
    info = next((info for info in inspection.tensors if info.name == name), None)
    if info is None:
        raise NotFound(
            "no-tensor", f"{found.title} has no tensor {name[:400]} in {file[:400]}",
            hint="yard show lists them",
        )  # fmt: skip
    key = (entry.digest.raw, name)
    known = _seen.get(key)
    if known is None:
        known = (_spread(house, found, file, inspection, info),)
        _seen.put(key, known)
    return TensorLook(found.model.name, found.version.number, TensorEntry.of(file, info), *known)


def _spread(
    house: House, found: Contents, file: str, inspection: Inspection, info: TensorInfo
) -> Spread | None:
    try:
        values = _values(house, found, file, inspection, info)
    except Unsupported:
        return None
    return None if values is None else spread_of(values, info.elements)


def _values(
    house: House, found: Contents, file: str, inspection: Inspection, info: TensorInfo
) -> np.ndarray[Any, Any] | None:
    """Those values that are looked at, flat; None if they can't be read at a fair price."""
    parts = stretches(info.elements)
    entry = found.tree[file]
    width = ITEMSIZE.get(info.dtype)
    raw = info.start is not None and info.end is not None and width is not None
    if raw and entry.inline is None and info.end - info.start == width * info.elements:  # type: ignore[operator]
        blob = open_blob(house, found.blob(entry))
        begin = cast("int", info.start)
        size = cast("int", width)
        pieces = [
            decoded(
                blob.read(begin + a * size, begin + b * size).tobytes(), info.dtype,
                numpy_dtype(info.dtype),
            )
            for a, b in parts
        ]  # fmt: skip
        known = [piece for piece in pieces if piece is not None]
        if len(known) < len(pieces):
            return None
        return np.concatenate(known) if known else np.empty(0)
    if (info.nbytes or 0) > _LARGEST or width is None:
        return None
    with open_file(house, found, file) as opened:
        plain = io.BytesIO(opened.read()) if entry.inline is not None else opened
        whole = read_tensor(plain, file, inspection, info).reshape(-1)
    if whole.dtype.kind not in "biufc":
        return None
    return np.concatenate([whole[a:b] for a, b in parts]) if parts else whole
