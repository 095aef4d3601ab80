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
from modelyard.store.codecs import Workspace, decode
from modelyard.store.pack import chunk_id, parse_trailer, scan_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import sqlalchemy as sa

    from modelyard.core.digest import ChunkId
    from modelyard.registry.house import House
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
    fresh = place.with_name("catalog.db.new")
    for leftover in place.parent.glob("catalog.db.new*"):
        leftover.unlink()
    catalog = Catalog.open(f"sqlite:///{fresh}")
    migrate(catalog)
    packs = list(_read_packs(house, report))
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


def _read_packs(house: House, report: Callable[[Progress], None]) -> Iterator[PackGrowth]:
    """The index of every pack; an open one has none yet, so its chunks are named by reading."""
    keys = list(house.backend.keys("packs/"))
    sizes = {key: status.size for key in keys if (status := house.backend.stat(key))}
    total, done = sum(sizes.values()), 0
    unnamed: list[tuple[str, list[Record], int]] = []
    for key, size in sizes.items():

        def read(start: int, end: int, key: str = key, size: int = size) -> bytes:
            return house.backend.get(key, start, min(end, size))

        try:
            found = parse_trailer(read, size)
            if found is None:
                records = list(scan_records(read, size))
                unnamed.append((key, records, size))
            else:
                end = max((c.start + c.length for c in found), default=16)
                yield PackGrowth(key, end, True, found)
        except Corrupt:
            continue  # not one of ours; verify will miss what it should have held
        done += size
        report(Progress("rebuild", done, total))
    yield from _name_all(house, unnamed)


def _name_all(house: House, packs: list[tuple[str, list[Record], int]]) -> Iterator[PackGrowth]:
    """Name the chunks of open packs: those stored in full first, then the deltas on them."""
    work = Workspace()
    full: dict[bytes, tuple[str, Record]] = {}
    named: dict[tuple[str, int], NewChunk] = {}
    for with_base in (False, True):
        for key, records, _ in packs:
            for record in records:
                if (record.base is not None) == with_base:
                    content = _content(house, key, record, full, work)
                    if content is None:
                        continue
                    name = chunk_id(record.kind, content)
                    full.setdefault(name, (key, record))
                    named[key, record.start] = NewChunk(
                        name, record.start, record.length, record.size, record.codec,
                        record.kind, record.base,
                    )  # fmt: skip
    for key, records, _ in packs:
        found = [named[key, r.start] for r in records if (key, r.start) in named]
        end = max((c.start + c.length for c in found), default=16)
        yield PackGrowth(key, end, False, tuple(found))


def _content(
    house: House, key: str, record: Record, full: dict[bytes, tuple[str, Record]], work: Workspace
) -> bytes | None:
    """Decoded bytes; None for a record that was torn when its writer died."""
    base = None
    try:
        if record.base is not None:
            where = full.get(record.base)
            if where is None:
                base = _sealed_base(house, record.base)
            else:
                content = _content(house, *where, full, work)
                base = None if content is None else np.frombuffer(content, np.uint8)
            if base is None:
                return None
        payload = house.backend.get(key, record.start, record.start + record.length)
        out = np.empty(record.size, np.uint8)
        decode(record.codec, memoryview(payload), base, out, work)
    except ModelyardError:
        return None
    return out.tobytes()


def _sealed_base(house: House, name: ChunkId) -> np.ndarray | None:
    """A base that lies in a sealed pack: read through those packs' own indexes."""
    for key in house.backend.keys("packs/"):
        status = house.backend.stat(key)
        if status is None:
            continue

        def read(start: int, end: int, key: str = key, size: int = status.size) -> bytes:
            return house.backend.get(key, start, min(end, size))

        for chunk in parse_trailer(read, status.size) or ():
            if chunk.hash == name and chunk.base is None:
                out = np.empty(chunk.size, np.uint8)
                payload = house.backend.get(key, chunk.start, chunk.start + chunk.length)
                decode(chunk.codec, memoryview(payload), None, out, Workspace())
                return out
    return None


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
