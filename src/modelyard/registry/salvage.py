"""What packs say of themselves: their trailers, or their records where there is no trailer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelyard.core.chunks import ChunkRow, Kind, NewChunk, PackGrowth
from modelyard.core.version import Progress
from modelyard.errors import Conflict, Corrupt, Denied, NotFound
from modelyard.registry.many import each
from modelyard.store.codecs import decode, workspace
from modelyard.store.interface import SupportsAppend
from modelyard.store.pack import chunk_id, header_size, parse_trailer, salvage_records
from modelyard.store.rewrapped import open_pack, read_seals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelyard.core.digest import ChunkId
    from modelyard.registry.house import House
    from modelyard.store.codecs.workspace import Bytes
    from modelyard.store.pack import Record

__all__ = ["Found", "holds_journal", "read_packs"]

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
    is_damaged: bool = False
    """Whether there may be more than these: nobody may write to it any more."""


def read_packs(house: House, report: Callable[[Progress], None]) -> list[PackGrowth]:
    """The index of every pack. Denied: `wrong-key`, `no-master-key`. Conflict: `not-sealed`."""
    keys = list(house.backend.keys("packs/"))
    rewrapped = read_seals(house.backend)
    found: list[Found] = []
    for at in range(0, len(keys), _AHEAD):
        some = keys[at : at + _AHEAD]
        found += [p for p in each(house, lambda key: _look(house, key, rewrapped), some) if p]
        report(Progress("rebuild", at + len(some), len(keys)))
    return _sound(house, _named(house, found))


def holds_journal(house: House, key: str) -> bool:
    """Whether a pack that the catalog does not know may hold what somebody was told is done."""
    try:
        found = _look(house, key, read_seals(house.backend))
    except Conflict:
        return False  # not ours
    except Denied:
        return True
    if found is None:
        return False
    kinds = {chunk.kind for chunk in found.chunks or ()} | {r.kind for r in found.records}
    return Kind.BUNDLE in kinds


def _look(house: House, key: str, rewrapped: Mapping[bytes, Sequence[bytes]]) -> Found | None:
    """None if this is no pack of ours, or it went meanwhile; verify misses what it held."""
    status = house.backend.stat(key)
    if status is None:
        return None
    size = status.size

    def read(start: int, end: int) -> bytes:
        return house.backend.get(key, start, max(min(end, size), start))

    try:
        try:
            lock = open_pack(read, house.vault, rewrapped)
        except Corrupt:
            return _headless(house, key, read, size)
        if lock is None and house.vault is not None:
            raise _planted(key)
        chunks = parse_trailer(read, size, lock)
        records, is_damaged = salvage_records(read, size, lock) if chunks is None else ([], False)
    except (Corrupt, NotFound):
        return None
    return Found(key, lock.seal if lock else None, chunks, tuple(records), is_damaged)


def _headless(house: House, key: str, read: Callable[[int, int], bytes], size: int) -> Found | None:
    """A pack whose header is damaged: what was not encrypted can be read all the same."""
    if house.vault is not None:
        return None
    chunks = parse_trailer(read, size)
    records, _ = salvage_records(read, size) if chunks is None else ([], True)
    if chunks is None and not records:
        return None
    return Found(key, None, chunks, tuple(records), True)


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
    # what has no name, for its bytes or its base are damaged, must not be cut off either
    ends = [c.start + c.length for c in found] + [r.start + r.length for r in pack.records]
    end = max(ends, default=header_size(pack.seal))
    return PackGrowth(pack.key, end, ended or pack.is_damaged, found, pack.seal)


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
    except (Corrupt, NotFound):  # of what can't be read for now, rebuild ends
        return None
    return chunk_id(record.kind, content.data)


def _sound(house: House, packs: list[PackGrowth]) -> list[PackGrowth]:
    """Of a chunk that lies in several packs, only a copy that can be read, if there is one.

    After a repair the damaged bytes are still in the store.
    """
    times = Counter(chunk.hash for pack in packs for chunk in pack.chunks)
    full: dict[bytes, ChunkRow] = {
        chunk.hash: _row(pack, chunk, chunk.hash)
        for pack in packs
        for chunk in pack.chunks
        if chunk.base is None and times[chunk.hash] == 1
    }
    best: dict[bytes, tuple[str, int]] = {}
    for with_base in (False, True):
        for pack in packs:
            for chunk in pack.chunks:
                if times[chunk.hash] < 2 or (chunk.base is not None) != with_base:
                    continue
                if chunk.hash not in best and _is_sound(house, pack, chunk, full):
                    best[chunk.hash] = (pack.pack, chunk.start)
                    if not with_base:
                        full[chunk.hash] = _row(pack, chunk, chunk.hash)
    return [
        pack._replace(
            chunks=tuple(
                chunk
                for chunk in pack.chunks
                if best.get(chunk.hash, (pack.pack, chunk.start)) == (pack.pack, chunk.start)
            )
        )
        for pack in packs
    ]


def _is_sound(
    house: House, pack: PackGrowth, chunk: NewChunk, full: Mapping[bytes, ChunkRow]
) -> bool:
    try:
        before = None
        if chunk.base is not None:
            if chunk.base not in full:
                return False
            before = _decoded(house, full[chunk.base], None)
        content = _decoded(house, _row(pack, chunk, chunk.hash), before)
    except (Corrupt, NotFound):
        return False
    return chunk_id(chunk.kind, content.data) == chunk.hash


def _decoded(house: House, row: ChunkRow, before: Bytes | None) -> Bytes:
    work = workspace()
    out = np.empty(row.size, np.uint8)
    decode(row.codec, house.reader.payload(row, work), before, out, work)
    return out


def _row(pack: Found | PackGrowth, of: Record | NewChunk, name: bytes) -> ChunkRow:
    key = pack.key if isinstance(pack, Found) else pack.pack
    return ChunkRow(
        0, name, key, of.start, of.length, of.size, of.codec, of.kind, None, pack.seal  # type: ignore[arg-type]
    )  # fmt: skip


def _new(record: Record, name: ChunkId) -> NewChunk:
    return NewChunk(
        name, record.start, record.length, record.size, record.codec, record.kind, record.base
    )
