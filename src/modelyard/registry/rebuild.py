"""The catalog made again from the store alone: packs give chunks, their journal gives the rest."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.catalog.engine import Catalog
from modelyard.catalog.index import register
from modelyard.catalog.migrate import migrate
from modelyard.catalog.queries import chunks
from modelyard.core.chunks import ChunkRow, Kind, NewChunk, PackGrowth
from modelyard.core.version import Progress
from modelyard.errors import Corrupt, ModelyardError, Unsupported
from modelyard.registry.replay import Replay
from modelyard.store.codecs import decode, workspace
from modelyard.store.pack import HEADER, chunk_id, parse_trailer, scan_records

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import sqlalchemy as sa

    from modelyard.core.digest import ChunkId
    from modelyard.registry.house import House
    from modelyard.store.codecs.workspace import Bytes
    from modelyard.store.pack import Record

__all__ = ["rebuild"]


def rebuild(house: House, report: Callable[[Progress], None]) -> None:
    """Make a new catalog beside the old one, then put it in its place. Conflict: `yard-in-use`."""
    with house.alone():
        _rebuild(house, report)


def _rebuild(house: House, report: Callable[[Progress], None]) -> None:
    if house.catalog.engine.dialect.name != "sqlite":
        raise Unsupported("rebuild-database", "only a SQLite catalog can be rebuilt in place")
    place = house.catalog_path
    assert place is not None
    fresh = place.with_name("catalog.db.new")
    for leftover in place.parent.glob("catalog.db.new*"):
        leftover.unlink()
    catalog = Catalog.open(f"sqlite:///{fresh}")
    migrate(catalog)
    packs = _read_packs(house, report)
    catalog.write(lambda connection: _register(connection, packs, time.time_ns() // 1000))
    records = _bundles(house, catalog)
    catalog.write(lambda connection: Replay(house, connection).run(records))
    catalog.close()
    house.catalog.close()
    for leftover in place.parent.glob("catalog.db-*"):
        leftover.unlink()
    if place.exists():
        os.replace(place, place.with_name("catalog.db.before-rebuild"))
    os.replace(fresh, place)
    house.use_catalog(Catalog.open(f"sqlite:///{place}"))


def _read_packs(house: House, report: Callable[[Progress], None]) -> list[PackGrowth]:
    """The index of every pack; an open one has none yet, so its chunks are named by reading."""
    keys = list(house.backend.keys("packs/"))
    sizes = {key: status.size for key in keys if (status := house.backend.stat(key))}
    total, done = sum(sizes.values()), 0
    packs: list[PackGrowth] = []
    unnamed: list[tuple[str, list[Record]]] = []
    for key, size in sizes.items():

        def read(start: int, end: int, key: str = key, size: int = size) -> bytes:
            return house.backend.get(key, start, min(end, size))

        try:
            found = parse_trailer(read, size)
            if found is None:
                unnamed.append((key, list(scan_records(read, size))))
            else:
                packs.append(PackGrowth(key, _end(found), True, found))
        except Corrupt:
            continue  # not one of ours; verify will miss what it should have held
        done += size
        report(Progress("rebuild", done, total))
    full = {c.hash: (p.pack, c) for p in packs for c in p.chunks if c.base is None}
    return packs + _name_all(house, unnamed, full)


def _name_all(
    house: House,
    packs: list[tuple[str, list[Record]]],
    full: dict[ChunkId, tuple[str, NewChunk]],
) -> list[PackGrowth]:
    """Name the chunks of open packs: those stored in full first, then the deltas on them."""
    named: dict[tuple[str, int], NewChunk] = {}
    for with_base in (False, True):
        for key, records in packs:
            for record in records:
                if (record.base is not None) == with_base:
                    chunk = _named(house, key, record, full)
                    if chunk is not None:
                        named[key, record.start] = chunk
                        if chunk.base is None:
                            full.setdefault(chunk.hash, (key, chunk))
    growths = []
    for key, records in packs:
        chunks_of = tuple(named[key, r.start] for r in records if (key, r.start) in named)
        growths.append(PackGrowth(key, _end(chunks_of), False, chunks_of))
    return growths


def _named(
    house: House, key: str, record: Record, full: dict[ChunkId, tuple[str, NewChunk]]
) -> NewChunk | None:
    """A record with its name; None if it was torn when its writer died."""
    base = None
    try:
        if record.base is not None:
            if record.base not in full:
                return None
            base = _decoded(house, *full[record.base], None)
        content = _decoded(house, key, record, base)
    except ModelyardError:
        return None
    name = chunk_id(record.kind, content.data)
    return NewChunk(
        name, record.start, record.length, record.size, record.codec, record.kind, record.base
    )


def _decoded(house: House, key: str, record: Record | NewChunk, base: Bytes | None) -> Bytes:
    payload = house.backend.get(key, record.start, record.start + record.length)
    out = np.empty(record.size, np.uint8)
    decode(record.codec, memoryview(payload), base, out, workspace())
    return out


def _end(chunks_of: Sequence[NewChunk]) -> int:
    """Where the records of a pack end."""
    return max((chunk.start + chunk.length for chunk in chunks_of), default=len(HEADER))


def _register(connection: sa.Connection, packs: list[PackGrowth], now: int) -> None:
    """Chunks stored in full come first, whatever pack they are in: deltas refer to them."""
    known: set[bytes] = set()
    for with_base in (False, True):
        for pack in packs:
            fresh = []
            for chunk in pack.chunks:
                wanted = (chunk.base is not None) == with_base and chunk.hash not in known
                if wanted and (chunk.base is None or chunk.base in known):
                    known.add(chunk.hash)
                    fresh.append(chunk)
            register(connection, [pack._replace(chunks=tuple(fresh))], now)


def _bundles(house: House, catalog: Catalog) -> list[tuple[int, bytes]]:
    """Every bundle record that can be read, with its chunk row."""
    from modelyard.catalog.index import CatalogIndex
    from modelyard.store.reader import Reader

    reader = Reader(house.backend, CatalogIndex(catalog))
    with catalog.read() as connection:
        keys = chunks.ids_of_kind(connection, Kind.BUNDLE)
        rows = [ChunkRow._make(row) for row in chunks.by_id(connection, keys)]
    found: list[tuple[int, Any]] = []
    for row in rows:
        try:
            found.append((row.id, reader.record(row)))
        except ModelyardError:
            continue
    return found
