"""Chunks as they lie in the store, many at a time: few requests, every one decoded and checked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelyard.errors import Corrupt, Denied, Unavailable
from modelyard.store.codecs import Encoded, Workspace, decode, encode, needs_base, workspace
from modelyard.store.pack import chunk_id
from modelyard.store.sealing import Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from modelyard.core.chunks import ChunkRow
    from modelyard.registry.house import House
    from modelyard.store.codecs.workspace import Bytes

__all__ = ["Piece", "decoded", "full", "pieces"]

_GROUP = 48 << 20
"""Decoded bytes that are read and checked together."""
_SPAN = 32 << 20
_GAP = 4 << 20
"""Bytes that are read for nothing rather than asking once more."""
_DELTA = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk's encoded bytes, which decode to what its name says."""

    row: ChunkRow
    payload: memoryview
    base: memoryview | None
    """The encoded bytes of its base."""
    base_row: ChunkRow | None


def pieces(house: House, rows: Iterable[ChunkRow]) -> Iterator[Piece]:
    """Read chunks of a store, in the order they lie there. Corrupt: `bad-chunk`, `chunk-lost`."""
    ordered = sorted(rows, key=lambda row: (row.pack, row.start))
    bases = house.reader.bases(ordered)
    ordered.sort(key=lambda row: _place(bases.get(row.base_id or 0) or row))
    groups = list(_groups(ordered))
    with ThreadPoolExecutor(4, "fetch") as pool:
        waiting = None
        for number, group in enumerate(groups):
            found = _fetch(house, group, bases, pool) if waiting is None else waiting.result()
            if number + 1 < len(groups):
                # one group ahead of the one that is being checked
                waiting = house.pool.submit(_fetch, house, groups[number + 1], bases, pool)
            made = [_piece(row, bases, found) for row in group]
            for _ in house.pool.map(_check, made):
                pass
            yield from made


def decoded(house: House, rows: Iterable[ChunkRow]) -> dict[int, bytes]:
    """Contents of small records by row, all read at once."""
    return {piece.row.id: _content(piece, workspace()).tobytes() for piece in pieces(house, rows)}


def full(piece: Piece) -> Encoded:
    """A chunk without its base: for a target that holds the base only as a delta itself."""
    work = workspace()
    content = _content(piece, work).copy()
    width = piece.payload[0] if piece.row.codec == _DELTA else 1
    encoded = encode(content, width, True, None, work)
    return Encoded(encoded.codec, [bytes(part) for part in encoded.parts], encoded.length)


def _place(row: ChunkRow) -> tuple[str, int]:
    return row.pack, row.start


def _groups(rows: Sequence[ChunkRow]) -> Iterator[list[ChunkRow]]:
    group: list[ChunkRow] = []
    size = 0
    for row in rows:
        if group and size + row.size > _GROUP:
            yield group
            group, size = [], 0
        group.append(row)
        size += row.size
    if group:
        yield group


def _piece(row: ChunkRow, bases: Mapping[int, ChunkRow], found: Mapping[int, memoryview]) -> Piece:
    if not needs_base(row.codec):
        return Piece(row, found[row.id], None, None)
    base = bases.get(row.base_id or 0)
    if base is None or base.base_id is not None:
        raise Corrupt("chunk-lost", f"the base of chunk {row.hash.hex()[:16]} is lost")
    return Piece(row, found[row.id], found[base.id], base)


def _check(piece: Piece) -> None:
    """The bytes are what their name says; else they do not travel."""
    row = piece.row
    if chunk_id(row.kind, _content(piece, workspace()).data) != row.hash:
        raise Corrupt(
            "bad-chunk", f"chunk {row.hash.hex()[:16]} in {row.pack} is damaged",
            hint="yard verify tells which versions need it",
        )  # fmt: skip


def _content(piece: Piece, work: Workspace) -> Bytes:
    base = None
    if piece.base is not None and piece.base_row is not None:
        base = _room(work, "travel-base", piece.base_row.size)
        decode(piece.base_row.codec, piece.base, None, base, work)
    out = _room(work, "travel", piece.row.size)
    decode(piece.row.codec, piece.payload, base, out, work)
    return out


def _room(work: Workspace, name: str, size: int) -> Bytes:
    return work.bytes(name, size) if size else np.empty(0, np.uint8)


# -- requests ------------------------------------------------------------------------------------


def _fetch(
    house: House,
    rows: Sequence[ChunkRow],
    bases: Mapping[int, ChunkRow],
    pool: ThreadPoolExecutor,
) -> dict[int, memoryview]:
    """Encoded bytes of chunks and of their bases, by row."""
    wanted = {row.id: row for row in rows}
    for row in rows:
        base = bases.get(row.base_id or 0) if needs_base(row.codec) else None
        if base is not None:
            wanted[base.id] = base
    spans = list(_spans(sorted(wanted.values(), key=_place)))
    found: dict[int, memoryview] = {}
    for part in pool.map(lambda span: _read(house, span), spans):
        found |= part
    return found


def _spans(rows: Sequence[ChunkRow]) -> Iterator[list[ChunkRow]]:
    """Neighbours in a pack that are read by one request."""
    span: list[ChunkRow] = []
    for row in rows:
        if span:
            first, last = span[0], span[-1]
            near = row.pack == first.pack and row.start - last.start - last.length <= _GAP
            if not near or row.start + row.length - first.start > _SPAN:
                yield span
                span = []
        span.append(row)
    if span:
        yield span


def _read(house: House, span: Sequence[ChunkRow]) -> dict[int, memoryview]:
    start, end = span[0].start, max(row.start + row.length for row in span)
    data = memoryview(house.backend.get(span[0].pack, start, end))
    if len(data) < end - start:
        raise Unavailable("short-read", f"{span[0].pack} gave fewer bytes than it was asked for")
    return {row.id: _opened(house, row, data[row.start - start :][: row.length]) for row in span}


def _opened(house: House, row: ChunkRow, box: memoryview) -> memoryview:
    """The encoded bytes, out of their box if the pack is encrypted."""
    if row.seal is None:
        return box
    if house.vault is None:
        raise Denied("no-key", f"{row.pack} is encrypted", hint="[encryption] key in yard.toml")
    return memoryview(house.vault.lock(row.seal).open(Part.PAYLOAD, row.start, box))
