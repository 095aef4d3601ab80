"""Writing packs anew that hold mostly garbage. Readers under way keep the old ones for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.index import register
from modelyard.catalog.queries import chunks, garbage
from modelyard.core.chunks import ChunkRow
from modelyard.store.codecs import Encoded
from modelyard.store.interface import SupportsAppend

if TYPE_CHECKING:
    import sqlalchemy as sa

    from modelyard.core.chunks import PackGrowth
    from modelyard.registry.house import House
    from modelyard.store.interface import Appender

__all__ = ["repack"]

_SMALL = 1 << 16
_HEADER = 16


def repack(house: House, rare: float) -> int:
    """Move the needed chunks out of packs where less than `rare` is needed; how many packs."""
    with house.catalog.read() as connection:
        leased = garbage.leased_packs(connection, house.catalog.now(connection))
        uses = [
            use
            for use in garbage.pack_uses(connection)
            if use.id not in leased and use.state != "condemned" and _worth(use, rare)
        ]
    return sum(_rewrite(house, use) for use in uses)


def _worth(use: garbage.PackUse, rare: float) -> bool:
    if use.state == "open" and use.size <= _HEADER:
        return False
    records = use.size - _HEADER
    return use.live < records * rare and (use.state == "live" or records > _SMALL or not use.live)


def _rewrite(house: House, use: garbage.PackUse) -> bool:
    """Copy encoded bytes as they are; False if somebody is writing to the pack."""
    lock: Appender | None = None
    if use.state == "open" and isinstance(house.backend, SupportsAppend):
        lock = house.backend.append(use.name, use.size)
        if lock is None:
            return False
    session = house.session()
    try:
        with house.catalog.read() as connection:
            keys = garbage.chunks_of_pack(connection, use.id)
            rows = [ChunkRow._make(row) for row in chunks.by_id(connection, keys)]
            bases = {row.id: row for row in map(ChunkRow._make, chunks.by_id(
                connection, {row.base_id for row in rows if row.base_id is not None}))}  # fmt: skip
        session.prepare()
        for row in rows:
            payload = house.backend.get(row.pack, row.start, row.start + row.length)
            base = bases.get(row.base_id) if row.base_id is not None else None
            encoded = Encoded(row.codec, [payload], len(payload))
            session.append(row.kind, row.hash, row.size, encoded, base)
        growth = session.sync()

        def work(connection: sa.Connection) -> bool:
            return _move(house, connection, use, growth)

        moved = house.catalog.write(work)
        session.registered()
        return moved
    finally:
        session.close()
        if lock is not None:
            lock.close()


def _move(
    house: House, connection: sa.Connection, use: garbage.PackUse, growth: tuple[PackGrowth, ...]
) -> bool:
    now = house.catalog.now(connection)
    for pack in growth:
        (new,) = register(connection, [pack._replace(chunks=())], now)
        for chunk in pack.chunks:
            garbage.move_chunk(connection, chunk.hash, use.id, new, chunk.start)
    if garbage.chunks_of_pack(connection, use.id):
        return False  # it grew meanwhile; the copies are garbage for the next time
    garbage.set_pack_state(connection, use.id, "condemned", now)
    return True
