"""What packs say of themselves: their trailers, or their records where there is no trailer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelyard.core.chunks import ChunkRow, NewChunk, PackGrowth
from modelyard.core.version import Progress
from modelyard.errors import Conflict, Corrupt, ModelyardError, NotFound
from modelyard.registry.many import each
from modelyard.store.codecs import decode, workspace
from modelyard.store.interface import SupportsAppend
from modelyard.store.pack import chunk_id, header_size, parse_trailer, scan_records
from modelyard.store.rewrapped import open_pack, read_seals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelyard.core.digest import ChunkId
    from modelyard.registry.house import House
    from modelyard.store.codecs.workspace import Bytes
    from modelyard.store.pack import Record

__all__ = ["Found", "read_packs"]

_AHEAD = 256


@dataclass(frozen=True, slots=True)
class Found:
    """A pack as it lies in the store."""

    key: str
    seal: bytes | None
    chunks: tuple[NewChunk, ...] | None
    """What its trailer lists; None if it has none."""
    records: tuple[Record, ...] = ()
    """Where there is no trailer: its whole records, whose names are not known yet."""


def read_packs(house: House, report: Callable[[Progress], None]) -> list[PackGrowth]:
    """The index of every pack. Denied: `wrong-key`, `no-master-key`. Conflict: `not-sealed`."""
    keys = list(house.backend.keys("packs/"))
    rewrapped = read_seals(house.backend)
    found: list[Found] = []
    for at in range(0, len(keys), _AHEAD):
        some = keys[at : at + _AHEAD]
        found += [p for p in each(house, lambda key: _look(house, key, rewrapped), some) if p]
        report(Progress("rebuild", at + len(some), len(keys)))
    return _named(house, found)


def _look(house: House, key: str, rewrapped: Mapping[bytes, Sequence[bytes]]) -> Found | None:
    """None if this is no pack of ours, or it went meanwhile; verify misses what it held."""
    status = house.backend.stat(key)
    if status is None:
        return None
    size = status.size

    def read(start: int, end: int) -> bytes:
        return house.backend.get(key, start, max(min(end, size), start))

    try:
        lock = open_pack(read, house.vault, rewrapped)
        if lock is None and house.vault is not None:
            raise _planted(key)
        chunks = parse_trailer(read, size, lock)
        records = () if chunks is not None else tuple(scan_records(read, size, lock))
    except (Corrupt, NotFound):
        return None
    return Found(key, lock.seal if lock else None, chunks, records)


def _planted(key: str) -> Conflict:
    """Who can write to the store, and has no key, must not be able to make versions."""
    return Conflict(
        "not-sealed", f"pack {key} is not encrypted, and this yard is: it may be forged",
        hint="take it out of the store; if the yard never had a key, take that out of yard.toml",
    )  # fmt: skip


def _named(house: House, packs: Sequence[Found]) -> list[PackGrowth]:
    """With names for the chunks of packs that have no trailer: first those stored in full."""
    full: dict[bytes, ChunkRow] = {}
    for pack in packs:
        for chunk in pack.chunks or ():
            if chunk.base is None:
                full.setdefault(chunk.hash, _row(pack, chunk, chunk.hash))
    named: dict[tuple[str, int], NewChunk] = {}
    for with_base in (False, True):
        for pack in packs:
            for record in pack.records:
                if (record.base is not None) == with_base:
                    name = _name(house, pack, record, full)
                    if name is not None:
                        named[pack.key, record.start] = _new(record, name)
                        if not with_base:
                            full.setdefault(name, _row(pack, record, name))
    return [_growth(house, pack, named) for pack in packs]


def _growth(house: House, pack: Found, named: Mapping[tuple[str, int], NewChunk]) -> PackGrowth:
    found = pack.chunks
    if found is None:
        places = ((pack.key, record.start) for record in pack.records)
        found = tuple(named[place] for place in places if place in named)
    ended = pack.chunks is not None or not isinstance(house.backend, SupportsAppend)
    end = max((c.start + c.length for c in found), default=header_size(pack.seal))
    return PackGrowth(pack.key, end, ended, found, pack.seal)


def _name(
    house: House, pack: Found, record: Record, full: Mapping[bytes, ChunkRow]
) -> ChunkId | None:
    """The name of what a record holds; None if it was torn when its writer died."""
    before = None
    try:
        if record.base is not None:
            if record.base not in full:
                return None
            before = _decoded(house, full[record.base], None)
        content = _decoded(house, _row(pack, record, b""), before)
    except ModelyardError:
        return None
    return chunk_id(record.kind, content.data)


def _decoded(house: House, row: ChunkRow, before: Bytes | None) -> Bytes:
    work = workspace()
    out = np.empty(row.size, np.uint8)
    decode(row.codec, house.reader.payload(row, work), before, out, work)
    return out


def _row(pack: Found, of: Record | NewChunk, name: bytes) -> ChunkRow:
    return ChunkRow(
        0, name, pack.key, of.start, of.length, of.size, of.codec, of.kind, None, pack.seal  # type: ignore[arg-type]
    )  # fmt: skip


def _new(record: Record, name: ChunkId) -> NewChunk:
    return NewChunk(
        name, record.start, record.length, record.size, record.codec, record.kind, record.base
    )
