"""The catalog as the store sees it: an index of chunks, in short transactions of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import chunks, garbage
from modelyard.core.chunks import PACK_LIMIT, ChunkRow, NewChunk, PackGrowth
from modelyard.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.engine import Catalog
    from modelyard.core.digest import ChunkId

__all__ = ["CatalogIndex", "register"]

_LEASE = 3600 * 1_000_000


class CatalogIndex:
    """What `store.interface.Index` asks for."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def find(self, hashes: Iterable[ChunkId]) -> Mapping[ChunkId, ChunkRow]:
        with self._catalog.read() as connection:
            rows = map(ChunkRow._make, chunks.by_hash(connection, hashes))
            return {row.hash: row for row in rows}

    def rows(self, ids: Iterable[int]) -> Mapping[int, ChunkRow]:
        with self._catalog.read() as connection:
            return {row.id: row for row in map(ChunkRow._make, chunks.by_id(connection, ids))}

    def newest(self, name: ChunkId) -> tuple[ChunkRow | None, Mapping[int, ChunkRow]]:
        with self._catalog.fresh() as connection:
            row = next(map(ChunkRow._make, chunks.by_hash(connection, [name])), None)
            wanted = [] if row is None or row.base_id is None else [row.base_id]
            found = map(ChunkRow._make, chunks.by_id(connection, wanted))
            return row, {base.id: base for base in found}

    def open_packs(self) -> Sequence[tuple[str, int, bytes | None]]:
        with self._catalog.fresh() as connection:
            return chunks.open_packs(connection, PACK_LIMIT)

    def pack_size(self, pack: str) -> int | None:
        with self._catalog.fresh() as connection:  # a stale size would cut a pack too short
            return chunks.pack_size(connection, pack)

    def pack_seal(self, pack: str) -> bytes | None:
        with self._catalog.fresh() as connection:
            return chunks.pack_seal(connection, pack)

    def create_pack(self, pack: str, size: int, seal: bytes | None = None) -> None:
        def work(connection: sa.Connection) -> None:
            now = self._catalog.now(connection)
            register(connection, [PackGrowth(pack, size, False, (), seal)], now)

        self._catalog.write(work)

    def contents(self, pack: str) -> Sequence[NewChunk]:
        with self._catalog.read() as connection:
            return [NewChunk._make(row) for row in chunks.contents(connection, pack)]

    def deltas(self, base_id: int) -> tuple[int, int]:
        with self._catalog.read() as connection:
            return chunks.delta_cost(connection, base_id)

    def grow(
        self, growth: Sequence[PackGrowth], session: str, lease: Sequence[str] | None = None
    ) -> Sequence[int]:
        def work(connection: sa.Connection) -> list[int]:
            now = self._catalog.now(connection)
            chunks.renew_leases(connection, session, now, now + _LEASE)
            keys = register(connection, growth, now)
            for key, pack in zip(keys, growth, strict=True):
                if lease is None or pack.pack in lease:
                    chunks.take_lease(connection, session, key, now + _LEASE)
            names = {new.hash for pack in growth for new in pack.chunks}
            return chunks.elsewhere(connection, names, keys)

        return self._catalog.write(work)

    def renew(self, session: str) -> None:
        def work(connection: sa.Connection) -> None:
            now = self._catalog.now(connection)
            chunks.renew_leases(connection, session, now, now + _LEASE)

        self._catalog.write(work)

    def release(self, session: str) -> None:
        self._catalog.write(lambda connection: chunks.close_session(connection, session))


def register(connection: sa.Connection, growth: Sequence[PackGrowth], now: int) -> list[int]:
    """Take durable chunks into the index; gives the row ids of their packs."""
    return [_register_pack(connection, pack, now) for pack in growth]


def _register_pack(connection: sa.Connection, growth: PackGrowth, now: int) -> int:
    state = "live" if growth.sealed else "open"
    key = garbage.take_pack(connection, growth.pack)
    if key is None:
        key = chunks.create_pack(
            connection, growth.pack, state=state, size=growth.size, now=now, seal=growth.seal
        )
    else:
        chunks.resize_pack(
            connection, key, state=state, size=growth.size, now=now, seal=growth.seal
        )
    names = {new.hash for new in growth.chunks}
    there = chunks.ids_of(connection, names | {new.base for new in growth.chunks if new.base})
    # of two sessions that stored a chunk at the same time, the first one's stays
    fresh = [new for new in growth.chunks if new.hash not in there]
    plain = [_values(new, key, None) for new in fresh if new.base is None]
    chunks.insert(connection, plain)
    with_base = [new for new in fresh if new.base is not None]
    missing = {new.base for new in with_base if new.base and new.base not in there}
    there |= chunks.ids_of(connection, missing)  # they may have come just now
    bases = [there[new.base] for new in with_base if new.base in there]
    # one went, or went and came back as a delta itself
    if len(bases) < len(with_base) or chunks.has_delta(connection, set(bases)):
        raise Unavailable("store-changed", "gc ran meanwhile", hint="run the command again")
    chunks.insert(connection, [_values(new, key, there[new.base or b""]) for new in with_base])
    return key


def _values(new: NewChunk, pack_id: int, base_id: int | None) -> dict[str, object]:
    return {
        "hash": new.hash, "pack_id": pack_id, "start": new.start, "length": new.length,
        "size": new.size, "codec": new.codec, "kind": new.kind, "base_id": base_id,
    }  # fmt: skip
