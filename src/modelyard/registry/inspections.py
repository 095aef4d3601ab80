"""What formats told of a blob, kept in the store beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from modelyard.core.decoding import packed_decoder
from modelyard.core.tensor import TensorInfo
from modelyard.core.version import Finding
from modelyard.errors import Corrupt
from modelyard.formats.interface import Inspection

if TYPE_CHECKING:
    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.registry.desk import Shelf

__all__ = ["decode_inspection", "encode_inspection", "inspection_of"]


class _Stored(msgspec.Struct, array_like=True):
    format: str
    framework: str | None
    tensors: list[tuple[str, str, list[int], int | None, int | None, str]]
    metadata: dict[str, Any]
    findings: list[tuple[str, str, str, str]]


_encoder = msgspec.msgpack.Encoder(enc_hook=str)
_decoder = packed_decoder(_Stored)


def encode_inspection(inspection: Inspection) -> bytes:
    """Compact, and the same bytes for the same layout, so that versions share it."""
    return _encoder.encode(
        _Stored(
            inspection.format,
            inspection.framework,
            [(t.name, t.dtype, list(t.shape), t.start, t.end, t.order) for t in inspection.tensors],
            dict(inspection.metadata),
            [(f.kind, f.severity, f.message, f.where) for f in inspection.findings],
        )
    )


def decode_inspection(content: bytes) -> Inspection:
    try:
        stored = _decoder.decode(content)
    except msgspec.MsgspecError as error:
        raise Corrupt("bad-inspection", f"an inspection can't be read: {error}") from None
    return Inspection(
        stored.format,
        stored.framework,
        tuple(TensorInfo(n, d, tuple(s), a, b, o) for n, d, s, a, b, o in stored.tensors),
        stored.metadata,
        tuple(Finding(k, s, m, w) for k, s, m, w in stored.findings),  # type: ignore[arg-type]
    )


def inspection_of(shelf: Shelf, blob: BlobRow) -> Inspection:
    """What is known of a stored blob."""
    if blob.inspection_id is None:
        return Inspection(blob.format)
    row = shelf.index.rows([blob.inspection_id]).get(blob.inspection_id)
    if row is None:
        raise Corrupt("chunk-lost", "the inspection of a file is not in the store")
    return decode_inspection(shelf.reader.record(row))
