"""The catalog made again from the store alone: packs give chunks, their journal gives the rest.

A file is made beside the old one and takes its place. In a database, what is there is dropped first
and the stamp that makes it a catalog is written in the transaction that fills it: whoever opens it
before is told `catalog-lost`, and the rebuild can be run again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from modelyard.catalog.engine import Catalog
from modelyard.catalog.index import CatalogIndex, register
from modelyard.catalog.migrate import make_unstamped, migrate, stamp
from modelyard.catalog.presence import Presence
from modelyard.catalog.queries import chunks
from modelyard.catalog.urls import sqlite_url
from modelyard.core.chunks import ChunkRow, Kind, PackGrowth
from modelyard.errors import Corrupt, NotFound, Unavailable
from modelyard.registry.replay import Replay
from modelyard.registry.salvage import read_packs
from modelyard.registry.settings import sync_folder
from modelyard.store.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import sqlalchemy as sa

    from modelyard.core.version import Progress
    from modelyard.registry.house import House

__all__ = ["rebuild", "remove_unfinished"]


def rebuild(house: House, report: Callable[[Progress], None]) -> None:
    """Make the catalog again, while nobody else has this yard open. Conflict: `yard-in-use`."""
    with house.alone():
        place = house.catalog_path
        if place is None:
            _in_place(house, report)
        else:
            _beside(house, read_packs(house, report), place)


def remove_unfinished(place: Path) -> None:
    """Delete what a rebuild that died has left beside the catalog's file."""
    for leftover in place.parent.glob(f"{place.name}.new*"):
        leftover.unlink(missing_ok=True)


def _beside(house: House, packs: Sequence[PackGrowth], place: Path) -> None:
    remove_unfinished(place)
    fresh = place.with_name(f"{place.name}.new")
    catalog = Catalog.open(sqlite_url(fresh))
    try:
        migrate(catalog)
        catalog.write(lambda connection: _fill(house, catalog, connection, packs))
        catalog.close()
        house.catalog.close()
        _swap(fresh, place)
    except BaseException as error:
        catalog.close()
        with suppress(OSError):
            remove_unfinished(place)
        if isinstance(error, OSError):
            raise Unavailable("catalog-write", f"{place}: {error.strerror}") from None
        raise
    house.use_catalog(Catalog.open(sqlite_url(place)))


def _swap(fresh: Path, place: Path) -> None:
    """Put the new file in the old one's place, which is kept."""
    old = place.with_name(f"{place.name}.before-rebuild")
    for leftover in place.parent.glob(f"{old.name}*"):
        leftover.unlink()
    if place.exists():
        os.replace(place, old)
    for rest in place.parent.glob(f"{place.name}-*"):
        os.replace(rest, rest.with_name(rest.name.replace(place.name, old.name, 1)))
    try:
        os.replace(fresh, place)
    except OSError:
        if old.exists():
            os.replace(old, place)
        raise
    sync_folder(place.parent)


def _in_place(house: House, report: Callable[[Progress], None]) -> None:
    catalog = Catalog.open(house.settings.catalog)
    try:
        if house.catalog.engine.dialect.name == "sqlite":  # a stand-in for the one that is lost
            house.presence = Presence(catalog.engine)
        with house.presence.alone():
            packs = read_packs(house, report)  # not before: somebody might commit meanwhile
            house.presence.check_alone()
            catalog.migrate(make_unstamped)
            catalog.write(lambda connection: _fill_and_stamp(house, catalog, connection, packs))
    except BaseException:
        catalog.close()
        raise
    house.catalog.close()
    house.use_catalog(catalog)


def _fill_and_stamp(
    house: House, catalog: Catalog, connection: sa.Connection, packs: Sequence[PackGrowth]
) -> None:
    _fill(house, catalog, connection, packs)
    stamp(connection)


def _fill(
    house: House, catalog: Catalog, connection: sa.Connection, packs: Sequence[PackGrowth]
) -> None:
    _register(connection, packs, catalog.now(connection))
    reader = Reader(house.backend, CatalogIndex(catalog), house.vault)
    Replay(connection, reader).run(_bundles(reader, connection))
    house.take_over(connection)


def _register(connection: sa.Connection, packs: Sequence[PackGrowth], now: int) -> None:
    """Chunks stored in full come first, whatever pack they are in: deltas refer to them."""
    known: set[bytes] = set()
    full: frozenset[bytes] = frozenset()
    for with_base in (False, True):
        full = frozenset(known)
        for pack in packs:
            fresh = []
            for chunk in pack.chunks:
                wanted = (chunk.base is not None) == with_base and chunk.hash not in known
                if wanted and (chunk.base is None or chunk.base in full):
                    known.add(chunk.hash)
                    fresh.append(chunk)
            register(connection, [pack._replace(chunks=tuple(fresh))], now)


def _bundles(reader: Reader, connection: sa.Connection) -> list[tuple[int, bytes]]:
    """Every bundle record that can be read, with its chunk row."""
    keys = chunks.ids_of_kind(connection, Kind.BUNDLE)
    rows = [ChunkRow._make(row) for row in chunks.by_id(connection, keys)]
    found: list[tuple[int, Any]] = []
    with reader.ahead(rows, reader.bases(rows)) as ahead:
        for row in rows:
            try:
                found.append((row.id, reader.record(row, ahead)))
            except (Corrupt, NotFound):  # what can't be read for now ends the rebuild
                continue
    return found
