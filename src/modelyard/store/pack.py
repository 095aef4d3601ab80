"""The pack format, version 1: encode and parse. Specified in docs/spec/pack-1.md.

A pack is a header, records one after another, and, once complete, a trailer with its own index. In
an encrypted pack each of their parts is in a box of its own, made by the pack's lock.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import blake3
import numpy as np

from modelyard.core.chunks import Kind, NewChunk
from modelyard.core.digest import ChunkId
from modelyard.errors import Corrupt
from modelyard.store.sealing import BOX_EXTRA, SEAL_SIZE, Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from modelyard.store.sealing import PackLock

__all__ = [
    "FOOTER_SIZE",
    "HEADER",
    "Laid",
    "Record",
    "chunk_id",
    "encode_header",
    "encode_record_head",
    "encode_trailer",
    "header_size",
    "lay_record",
    "parse_trailer",
    "read_seal",
    "salvage_records",
    "scan_records",
]

HEADER = b"yardpack\x01\x00\x00\x00\x00\x00\x00\x00"
_ENCRYPTED = b"yardpack\x01\x01\x00\x00\x00\x00\x00\x00"
_TAIL = b"yardtail"
_RECORD = struct.Struct("<BBHII")
_CRC = struct.Struct("<I")
_HEAD = _RECORD.size + _CRC.size
_WHOLE_HEAD = _HEAD + 32
_ROW = struct.Struct("<32sQIIBBH")
_FOOTER = struct.Struct("<QI32s8s")
FOOTER_SIZE = _FOOTER.size
_HAS_BASE = 1
_CONTEXT = {kind: f"modelyard 1 {kind.name.lower()}" for kind in Kind}
_BOXED_HEAD = _WHOLE_HEAD + BOX_EXTRA
MAX_CHUNK = 1 << 30
_SEARCH = 8 << 20
"""Bytes that are looked through at once."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it lies in a pack; `start` is where its encoded bytes begin, or their box."""

    kind: int
    codec: int
    start: int
    length: int
    size: int
    base: ChunkId | None


class Laid(NamedTuple):
    """A record ready to be written."""

    parts: Sequence[bytes | memoryview]
    start: int
    """Where in the pack its encoded bytes begin, or the box that they are in."""
    length: int
    """Of the encoded bytes, or of their box."""
    end: int


def chunk_id(kind: int, content: bytes | memoryview) -> ChunkId:
    """The name of a chunk. Our own records are hashed in domains that no file can enter."""
    if kind == Kind.CONTENT:
        return ChunkId(blake3.blake3(content).digest())
    return ChunkId(blake3.blake3(content, derive_key_context=_CONTEXT[Kind(kind)]).digest())


def encode_header(lock: PackLock | None) -> bytes:
    """What every pack begins with; that of an encrypted one holds its wrapped key."""
    return HEADER if lock is None else _ENCRYPTED + lock.seal


def header_size(seal: bytes | None) -> int:
    """Where the first record begins."""
    return len(HEADER) if seal is None else len(_ENCRYPTED) + SEAL_SIZE


def read_seal(read: Callable[[int, int], bytes]) -> bytes | None:
    """The wrapped key in an encrypted pack's header; None if it is not encrypted.

    Args:
        read: Gives the bytes from an offset up to another, cut short at the end of the pack.

    Raises:
        Corrupt: `bad-pack`, this is no pack of version 1.
    """
    header = read(0, header_size(b""))
    if header[: len(HEADER)] == HEADER:
        return None
    if len(header) < header_size(b"") or not header.startswith(_ENCRYPTED):
        raise Corrupt("bad-pack", "this is no pack of version 1")
    return header[len(_ENCRYPTED) :]


def encode_record_head(
    kind: int, codec: int, length: int, size: int, base: ChunkId | None
) -> bytes:
    """What stands before the encoded bytes."""
    head = _RECORD.pack(kind, codec, _HAS_BASE if base else 0, length, size) + (base or b"")
    return head[: _RECORD.size] + _CRC.pack(zlib.crc32(head)) + head[_RECORD.size :]


def lay_record(
    at: int,
    kind: int,
    codec: int,
    size: int,
    base: ChunkId | None,
    payload: Sequence[bytes | memoryview],
    lock: PackLock | None,
) -> Laid:
    """The record of a chunk, to be written at offset `at`."""
    length = sum(len(part) for part in payload)
    if lock is None:
        head = encode_record_head(kind, codec, length, size, base)
        start = at + len(head)
        return Laid([head, *payload], start, length, start + length)
    start, length = at + _WHOLE_HEAD + BOX_EXTRA, length + BOX_EXTRA
    head = encode_record_head(kind, codec, length, size, base).ljust(_WHOLE_HEAD, b"\0")
    content = payload[0] if len(payload) == 1 else b"".join(payload)
    boxes = [lock.box(Part.HEAD, at, head), lock.box(Part.PAYLOAD, start, content)]
    return Laid(boxes, start, length, start + length)


def scan_records(
    read: Callable[[int, int], bytes], size: int, lock: PackLock | None = None
) -> Iterator[Record]:
    """Walk the records of a pack without its trailer, up to the first that is not whole.

    Args:
        read: Gives the bytes from an offset up to another, cut short at the end of the pack.
        size: Where to stop.
        lock: Of an encrypted pack, made from what `read_seal` gives.
    """
    if (read_seal(read) is None) != (lock is None):
        raise Corrupt("bad-pack", "a pack is encrypted, or is not, against what is known of it")
    at = header_size(lock.seal if lock else None)
    while at + _HEAD <= size:
        record = _record_at(read, at, size, lock)
        whole = record is not None and record.start + record.length <= size
        if record is None or not whole or record.kind not in _KINDS or record.size > MAX_CHUNK:
            return
        yield record
        at = record.start + record.length


def salvage_records(
    read: Callable[[int, int], bytes], size: int, lock: PackLock | None = None
) -> tuple[list[Record], bool]:
    """The whole records of a pack without its trailer, also those behind a damaged head.

    The second tells whether something is damaged, other than a last record that its writer never
    finished. In an encrypted pack nothing is looked for behind damage: each place would have to be
    tried with the key. `read` is as for `scan_records`.
    """
    records: list[Record] = []
    at, is_damaged = header_size(lock.seal if lock else None), False
    while at + _HEAD <= size:
        record = _record_at(read, at, size, lock)
        if record is None or record.kind not in _KINDS or record.size > MAX_CHUNK:
            following = _next_head(read, at + 1, size) if lock is None else None
            if following is None:
                return records, is_damaged or (lock is not None and at + _BOXED_HEAD <= size)
            at, is_damaged = following, True
            continue
        if record.start + record.length > size:
            break
        records.append(record)
        at = record.start + record.length
    return records, is_damaged


def _next_head(read: Callable[[int, int], bytes], at: int, size: int) -> int | None:
    """Where the next head of a whole record is, in a pack that is not encrypted."""
    while at + _HEAD <= size:
        data = read(at, min(at + _SEARCH + _WHOLE_HEAD, size))
        block = np.frombuffer(data, np.uint8)
        count = min(len(block) - _HEAD + 1, _SEARCH)
        places = np.flatnonzero((block[3 : 3 + count] == 0) & (block[2 : 2 + count] <= _HAS_BASE))
        kinds = block[places]
        likely = (kinds >= min(_KINDS)) & (kinds <= max(_KINDS))
        for place in places[likely & (block[places + 7] <= 64) & (block[places + 11] <= 64)]:
            if _is_head(data, int(place), size - at):
                return at + int(place)
        at += count
    return None


def _is_head(data: bytes, place: int, size: int) -> bool:
    record = _record_at(lambda a, b: data[a:b], place, size, None)
    return record is not None and 0 < record.length <= size - record.start


def _record_at(
    read: Callable[[int, int], bytes], at: int, size: int, lock: PackLock | None
) -> Record | None:
    """The record whose head is at an offset; None if there is none."""
    if lock is None:
        head = read(at, min(at + _WHOLE_HEAD, size))
    else:
        end = at + _WHOLE_HEAD + BOX_EXTRA
        if end > size:
            return None
        try:
            head = lock.open(Part.HEAD, at, read(at, end))
        except Corrupt:
            return None
    if len(head) < _HEAD:
        return None
    kind, codec, flags, length, decoded = _RECORD.unpack_from(head)
    has_base = bool(flags & _HAS_BASE)
    base = head[_HEAD:_WHOLE_HEAD] if has_base else b""
    (crc,) = _CRC.unpack_from(head, _RECORD.size)
    if zlib.crc32(head[: _RECORD.size] + base) != crc:
        return None
    start = at + _HEAD + len(base) if lock is None else at + _WHOLE_HEAD + BOX_EXTRA
    return Record(kind, codec, start, length, decoded, ChunkId(base) if has_base else None)


_KINDS = frozenset(Kind)


def encode_trailer(chunks: Sequence[NewChunk], at: int, lock: PackLock | None = None) -> bytes:
    """The index of a complete pack, to be written at offset `at`."""
    rows = []
    for chunk in chunks:
        flags = _HAS_BASE if chunk.base else 0
        row = _ROW.pack(
            chunk.hash, chunk.start, chunk.length, chunk.size, chunk.codec, chunk.kind, flags
        )
        rows.append(row + (chunk.base or b""))
    index = b"".join(rows)
    footer = _FOOTER.pack(at, len(chunks), blake3.blake3(index).digest(), _TAIL)
    if lock is None:
        return index + footer
    box = lock.box(Part.TRAILER, at, index)
    return b"".join((box, lock.box(Part.FOOTER, at + len(box), footer)))


def parse_trailer(
    read: Callable[[int, int], bytes], size: int, lock: PackLock | None = None
) -> tuple[NewChunk, ...] | None:
    """The index of a complete pack; None if it has no (whole) trailer and must be scanned.

    Args:
        read: As for `scan_records`.
        size: Of the whole object.
        lock: Of an encrypted pack, made from what `read_seal` gives.
    """
    extra = 0 if lock is None else BOX_EXTRA
    first, end = header_size(lock.seal if lock else None), size - FOOTER_SIZE - extra
    if end < first:
        return None
    footer = _opened(read, end, size, Part.FOOTER, lock)
    if footer is None:
        return None
    at, count, digest, magic = _FOOTER.unpack(footer)
    if magic != _TAIL or not first <= at <= end - extra:
        return None
    index = _opened(read, at, end, Part.TRAILER, lock)
    if index is None or blake3.blake3(index).digest() != digest or count * _ROW.size > len(index):
        return None
    chunks, offset = [], 0
    for _ in range(count):
        if offset + _ROW.size > len(index):
            return None
        name, start, length, decoded, codec, kind, flags = _ROW.unpack_from(index, offset)
        offset += _ROW.size
        base = None
        if flags & _HAS_BASE:
            base = ChunkId(index[offset : offset + 32])
            offset += 32
        within = first <= start and start + length <= at
        if not within or kind not in _KINDS or decoded > MAX_CHUNK:
            return None
        chunks.append(NewChunk(ChunkId(name), start, length, decoded, codec, kind, base))
    return tuple(chunks)


def _opened(
    read: Callable[[int, int], bytes], start: int, end: int, part: Part, lock: PackLock | None
) -> bytes | None:
    content = read(start, end)
    if lock is None:
        return content
    try:
        return lock.open(part, start, content)
    except Corrupt:
        return None
