"""The pack format, version 1: encode and parse. Specified in docs/spec/pack-1.md.

A pack is a header, records one after another, and, once sealed, a trailer with its own index.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import blake3

from modelyard.core.chunks import Kind, NewChunk
from modelyard.core.digest import ChunkId
from modelyard.errors import Corrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = [
    "FOOTER_SIZE",
    "HEADER",
    "Record",
    "chunk_id",
    "encode_record_head",
    "encode_trailer",
    "parse_trailer",
    "scan_records",
]

HEADER = b"yardpack\x01\x00\x00\x00\x00\x00\x00\x00"
_TAIL = b"yardtail"
_RECORD = struct.Struct("<BBHII")
_CRC = struct.Struct("<I")
_ROW = struct.Struct("<32sQIIBBH")
_FOOTER = struct.Struct("<QI32s8s")
FOOTER_SIZE = _FOOTER.size
_HAS_BASE = 1
_CONTEXT = {kind: f"modelyard 1 {kind.name.lower()}" for kind in Kind}
MAX_CHUNK = 1 << 30


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it lies in a pack; `start` is where its encoded bytes begin."""

    kind: int
    codec: int
    start: int
    length: int
    size: int
    base: ChunkId | None


def chunk_id(kind: int, content: bytes | memoryview) -> ChunkId:
    """The name of a chunk. Our own records are hashed in domains that no file can enter."""
    if kind == Kind.CONTENT:
        return ChunkId(blake3.blake3(content).digest())
    return ChunkId(blake3.blake3(content, derive_key_context=_CONTEXT[Kind(kind)]).digest())


def encode_record_head(
    kind: int, codec: int, length: int, size: int, base: ChunkId | None
) -> bytes:
    """What stands before the encoded bytes."""
    head = _RECORD.pack(kind, codec, _HAS_BASE if base else 0, length, size) + (base or b"")
    return head[: _RECORD.size] + _CRC.pack(zlib.crc32(head)) + head[_RECORD.size :]


def scan_records(read: Callable[[int, int], bytes], size: int) -> Iterator[Record]:
    """Walk the records of a pack without its trailer, up to the first that is not whole.

    Args:
        read: Gives the bytes from an offset up to another, cut short at the end of the pack.
        size: Where to stop.
    """
    if read(0, len(HEADER)) != HEADER:
        raise Corrupt("bad-pack", "this is no pack of version 1")
    at = len(HEADER)
    head_size = _RECORD.size + _CRC.size
    while at + head_size <= size:
        head = read(at, min(at + head_size + 32, size))
        kind, codec, flags, length, decoded = _RECORD.unpack_from(head)
        has_base = bool(flags & _HAS_BASE)
        base = head[head_size : head_size + 32] if has_base else b""
        start = at + head_size + len(base)
        (crc,) = _CRC.unpack_from(head, _RECORD.size)
        whole = zlib.crc32(head[: _RECORD.size] + base) == crc and start + length <= size
        if not whole or kind not in _KINDS or decoded > MAX_CHUNK:
            return
        yield Record(kind, codec, start, length, decoded, ChunkId(base) if has_base else None)
        at = start + length


_KINDS = frozenset(Kind)


def encode_trailer(chunks: Sequence[NewChunk], at: int) -> bytes:
    """The index of a sealed pack, to be written at offset `at`."""
    rows = []
    for chunk in chunks:
        flags = _HAS_BASE if chunk.base else 0
        row = _ROW.pack(
            chunk.hash, chunk.start, chunk.length, chunk.size, chunk.codec, chunk.kind, flags
        )
        rows.append(row + (chunk.base or b""))
    index = b"".join(rows)
    return index + _FOOTER.pack(at, len(chunks), blake3.blake3(index).digest(), _TAIL)


def parse_trailer(read: Callable[[int, int], bytes], size: int) -> tuple[NewChunk, ...] | None:
    """The index of a sealed pack; None if the pack has no (whole) trailer and must be scanned."""
    if size < len(HEADER) + FOOTER_SIZE:
        return None
    at, count, digest, magic = _FOOTER.unpack(read(size - FOOTER_SIZE, size))
    if magic != _TAIL or not len(HEADER) <= at <= size - FOOTER_SIZE:
        return None
    index = read(at, size - FOOTER_SIZE)
    if blake3.blake3(index).digest() != digest or count * _ROW.size > len(index):
        return None
    chunks, offset = [], 0
    for _ in range(count):
        name, start, length, decoded, codec, kind, flags = _ROW.unpack_from(index, offset)
        offset += _ROW.size
        base = None
        if flags & _HAS_BASE:
            base = ChunkId(index[offset : offset + 32])
            offset += 32
        chunks.append(NewChunk(ChunkId(name), start, length, decoded, codec, kind, base))
    return tuple(chunks)
