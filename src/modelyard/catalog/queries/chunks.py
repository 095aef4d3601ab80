"""Statements about packs, chunks and leases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from modelyard.catalog.queries.among import Among
from modelyard.catalog.queries.dialects import insert_new, put
from modelyard.catalog.schema import chunk, lease, pack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "by_hash",
    "by_id",
    "close_session",
    "contents",
    "create_pack",
    "delta_cost",
    "elsewhere",
    "has_delta",
    "ids_of",
    "insert",
    "largest",
    "lease_count",
    "live_count",
    "open_packs",
    "pack_seal",
    "pack_size",
    "renew_leases",
    "resize_pack",
    "take_lease",
]

Row = tuple[int, bytes, str, int, int, int, int, int, int | None, bytes | None]

_COLUMNS = (
    chunk.c.id, chunk.c.hash, pack.c.name, chunk.c.start, chunk.c.length, chunk.c.size,
    chunk.c.codec, chunk.c.kind, chunk.c.base_id, pack.c.seal,
)  # fmt: skip
_JOINED = sa.select(*_COLUMNS).join_from(chunk, pack, chunk.c.pack_id == pack.c.id)
_BY_HASH = Among(lambda those: _JOINED.where(those, pack.c.state != "condemned"), chunk.c.hash)
_BY_ID = Among(_JOINED.where, chunk.c.id)
_IDS_OF = Among(sa.select(chunk.c.hash, chunk.c.id).where, chunk.c.hash)
_LIVE = Among(
    sa.select(sa.func.count())
    .join_from(chunk, pack, chunk.c.pack_id == pack.c.id)
    .where(pack.c.state != "condemned")
    .where,
    chunk.c.id,
)
_IS_DELTA = Among(sa.select(chunk.c.id).where(chunk.c.base_id.is_not(None)).where, chunk.c.id)
_DELTAS = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(chunk.c.length), 0)).where(
    chunk.c.base_id == sa.bindparam("base")
)
_OPEN = (
    sa.select(pack.c.name, pack.c.size, pack.c.seal)
    .where(pack.c.state == "open", pack.c.size < sa.bindparam("limit"))
    .order_by(pack.c.size)
)
_PACK_SIZE = sa.select(pack.c.size).where(
    pack.c.name == sa.bindparam("name"), pack.c.state == "open"
)
_PACK_SEAL = sa.select(pack.c.seal).where(pack.c.name == sa.bindparam("name"))
_PACK_ID = sa.select(pack.c.id).where(pack.c.name == sa.bindparam("name"))
_RESIZE = (
    sa.update(pack)
    .where(pack.c.id == sa.bindparam("key"))
    .values(
        state=sa.bindparam("to_state"),
        size=sa.bindparam("to_size"),
        changed=sa.bindparam("now"),
        seal=sa.bindparam("to_seal"),
    )
)
_CLOSE = sa.delete(lease).where(lease.c.session == sa.bindparam("key"))
_RENEW = (
    sa.update(lease)
    .where(lease.c.session == sa.bindparam("key"), lease.c.expires > sa.bindparam("now"))
    .values(expires=sa.bindparam("until"))
)
_LEASES = sa.select(sa.func.count()).where(
    lease.c.session == sa.bindparam("key"), lease.c.expires > sa.bindparam("now")
)
_ELSEWHERE = sa.select(chunk.c.id).where(
    chunk.c.hash.in_(sa.bindparam("hashes", expanding=True)),
    chunk.c.pack_id.not_in(sa.bindparam("keys", expanding=True)),
)
_LARGEST = sa.select(sa.func.coalesce(sa.func.max(chunk.c.size), 0))
_BATCH = 500


def batches(values: Iterable[object]) -> Iterable[list[object]]:
    """Lists short enough for the parameter limits of every database."""
    items = list(values)
    return (items[i : i + _BATCH] for i in range(0, len(items), _BATCH))


def by_hash(connection: sa.Connection, hashes: Iterable[bytes]) -> list[Row]:
    """Chunks that are known and in no condemned pack."""
    return [tuple(row) for batch in batches(hashes) for row in _BY_HASH.run(connection, batch)]


def by_id(connection: sa.Connection, ids: Iterable[int]) -> list[Row]:
    return [tuple(row) for batch in batches(ids) for row in _BY_ID.run(connection, batch)]


def ids_of(connection: sa.Connection, hashes: Iterable[bytes]) -> dict[bytes, int]:
    return {row.hash: row.id for batch in batches(hashes) for row in _IDS_OF.run(connection, batch)}


def has_delta(connection: sa.Connection, ids: Iterable[int]) -> bool:
    """Whether one of these chunks is a delta itself, and so can't be a base."""
    return any(_IS_DELTA.run(connection, batch).first() is not None for batch in batches(ids))


def live_count(connection: sa.Connection, ids: Iterable[int]) -> int:
    """How many of these chunks are still there and in no condemned pack."""
    return sum(_LIVE.run(connection, batch).scalar_one() for batch in batches(ids))


def largest(connection: sa.Connection) -> int:
    """Bytes of the largest chunk, decoded."""
    return int(connection.execute(_LARGEST).scalar_one())


def contents(connection: sa.Connection, name: str) -> list[tuple[object, ...]]:
    """(hash, start, length, size, codec, kind, base's hash) of a pack's chunks, in order."""
    base = chunk.alias("base")
    statement = (
        sa.select(
            chunk.c.hash, chunk.c.start, chunk.c.length, chunk.c.size, chunk.c.codec,
            chunk.c.kind, base.c.hash.label("base"),
        )
        .join_from(chunk, pack, chunk.c.pack_id == pack.c.id)
        .outerjoin(base, chunk.c.base_id == base.c.id)
        .where(pack.c.name == name)
        .order_by(chunk.c.start)
    )  # fmt: skip
    return [tuple(row) for row in connection.execute(statement)]


def delta_cost(connection: sa.Connection, base_id: int) -> tuple[int, int]:
    """How many chunks are deltas to this one, and their bytes together."""
    count, total = connection.execute(_DELTAS, {"base": base_id}).one()
    return int(count), int(total)


def insert(connection: sa.Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """Of a chunk that another session registers at the same time, its row stays."""
    insert_new(connection, chunk, "hash", rows)


def open_packs(connection: sa.Connection, limit: int) -> list[tuple[str, int, bytes | None]]:
    """Keys, sizes and wrapped keys of packs that may grow, the smallest first."""
    found = connection.execute(_OPEN, {"limit": limit})
    return [(row.name, row.size, row.seal) for row in found]


def pack_size(connection: sa.Connection, name: str) -> int | None:
    """Size of an open pack."""
    return connection.execute(_PACK_SIZE, {"name": name}).scalar_one_or_none()


def pack_seal(connection: sa.Connection, name: str) -> bytes | None:
    """The wrapped key of an encrypted pack."""
    return connection.execute(_PACK_SEAL, {"name": name}).scalar_one_or_none()


def create_pack(
    connection: sa.Connection, name: str, *, state: str, size: int, now: int,
    seal: bytes | None = None,
) -> int:  # fmt: skip
    """Gives its row; the one that is there if this transaction is run again."""
    values = {"name": name, "state": state, "size": size, "changed": now, "seal": seal}
    insert_new(connection, pack, "name", [values])
    return int(connection.execute(_PACK_ID, {"name": name}).scalar_one())


def pack_id(connection: sa.Connection, name: str) -> int | None:
    return connection.execute(_PACK_ID, {"name": name}).scalar_one_or_none()


def resize_pack(
    connection: sa.Connection, key: int, *, state: str, size: int, now: int,
    seal: bytes | None = None,
) -> None:  # fmt: skip
    values = {"key": key, "to_state": state, "to_size": size, "now": now, "to_seal": seal}
    connection.execute(_RESIZE, values)


def take_lease(connection: sa.Connection, session: str, key: int, expires: int) -> None:
    """Hold a pack for a session, longer if it is held already."""
    put(connection, lease, [{"session": session, "pack_id": key, "expires": expires}])


def renew_leases(connection: sa.Connection, session: str, now: int, until: int) -> None:
    """Those that have not run out: what one that has run out held may be gone already."""
    connection.execute(_RENEW, {"key": session, "now": now, "until": until})


def lease_count(connection: sa.Connection, session: str, now: int) -> int:
    """How many packs a session has held from its first write until now."""
    return int(connection.execute(_LEASES, {"key": session, "now": now}).scalar_one())


def elsewhere(
    connection: sa.Connection, hashes: Iterable[bytes], packs: Sequence[int]
) -> list[int]:
    """Rows of those chunks that are in other packs than these."""
    return [
        key
        for batch in batches(hashes)
        for key in connection.execute(_ELSEWHERE, {"hashes": batch, "keys": packs}).scalars()
    ]


def close_session(connection: sa.Connection, session: str) -> None:
    connection.execute(_CLOSE, {"key": session})


def ids_of_kind(connection: sa.Connection, kind: int) -> list[int]:
    statement = sa.select(chunk.c.id).where(chunk.c.kind == sa.bindparam("kind"))
    return list(connection.execute(statement, {"kind": kind}).scalars())
