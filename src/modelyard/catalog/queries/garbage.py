"""Statements of gc and stats: what is needed, what is not, how much it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries import facts
from modelyard.catalog.queries.chunks import batches
from modelyard.catalog.queries.search_documents import unindex_model, unindex_version
from modelyard.catalog.schema import (
    blob,
    chunk,
    edge,
    file,
    git_object,
    label,
    lease,
    metric,
    model,
    pack,
    param,
    place,
    ref,
    report,
    version,
)
from modelyard.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from modelyard.core.chunks import NewChunk

__all__ = [
    "BlobUse",
    "ChunkUse",
    "Move",
    "PackUse",
    "expired_models",
    "expired_versions",
    "needed_blobs",
]

_PAGE = 20_000
_STATE = sa.select(pack.c.id, pack.c.state).where(pack.c.name == sa.bindparam("n"))


class PackUse(NamedTuple):
    """A pack and how much of it is needed."""

    id: int
    name: str
    state: str
    size: int
    changed: int
    live: int
    """Encoded bytes of its chunks."""


class ChunkUse(NamedTuple):
    """What gc has to know of a chunk."""

    id: int
    hash: bytes
    pack_id: int
    length: int
    base_id: int | None
    kind: int


class BlobUse(NamedTuple):
    """The chunks that a blob names itself."""

    id: int
    content_id: int
    is_recipe: bool
    inspection_id: int | None


# -- what is over ------------------------------------------------------------------------------


def expired_models(connection: sa.Connection, before: int) -> list[int]:
    """Models that were deleted before a time."""
    statement = sa.select(model.c.id).where(model.c.deleted > 0, model.c.deleted <= before)
    return list(connection.execute(statement).scalars())


def expired_versions(connection: sa.Connection, before: int) -> list[tuple[int, int, int]]:
    """(row, model, number) of versions that were purged, or deleted before a time."""
    holds = sa.exists().where(file.c.version_id == version.c.id)
    statement = sa.select(version.c.id, version.c.model_id, version.c.number).where(
        version.c.deleted > 0,
        sa.or_(version.c.deleted <= before, version.c.purged == sa.true()),
        sa.or_(holds, version.c.purged == sa.false()),
    )
    return [(row.id, row.model_id, row.number) for row in connection.execute(statement)]


def versions_of_models(connection: sa.Connection, models: Iterable[int]) -> list[int]:
    statement = sa.select(version.c.id).where(
        version.c.model_id.in_(sa.bindparam("ids", expanding=True))
    )
    return [
        key
        for batch in batches(models)
        for key in connection.execute(statement, {"ids": batch}).scalars()
    ]


# -- what is needed ----------------------------------------------------------------------------


def last_version(connection: sa.Connection) -> int:
    """The highest row of a version, deleted or not."""
    return int(connection.execute(sa.select(sa.func.max(version.c.id))).scalar() or 0)


def versions_after(connection: sa.Connection, key: int) -> list[int]:
    """Rows of versions that came after this one."""
    return list(connection.execute(sa.select(version.c.id).where(version.c.id > key)).scalars())


def needed_blobs(connection: sa.Connection, without: Iterable[int] = ()) -> set[int]:
    """Blobs that files of versions other than these have."""
    gone = set(without)
    if not gone:
        every = sa.select(file.c.blob_id).where(file.c.blob_id > 0).distinct()
        return set(connection.execute(every).scalars())
    statement = sa.select(file.c.version_id, file.c.blob_id).where(file.c.blob_id > 0)
    return {key for version_id, key in connection.execute(statement) if version_id not in gone}


def blobs_of_versions(connection: sa.Connection, keys: Iterable[int]) -> set[int]:
    """Blobs that files of these versions have."""
    statement = sa.select(file.c.blob_id).where(
        file.c.blob_id > 0, file.c.version_id.in_(sa.bindparam("ids", expanding=True))
    )
    return {
        key
        for batch in batches(keys)
        for key in connection.execute(statement, {"ids": batch}).scalars()
    }


def blob_uses(connection: sa.Connection, keys: Iterable[int] | None = None) -> list[BlobUse]:
    """Every blob, or these."""
    statement = sa.select(*(blob.c[name] for name in BlobUse._fields))
    if keys is None:
        return [BlobUse._make(row) for row in connection.execute(statement)]
    some = statement.where(blob.c.id.in_(sa.bindparam("ids", expanding=True)))
    return [
        BlobUse._make(row)
        for batch in batches(keys)
        for row in connection.execute(some, {"ids": batch})
    ]


def every_chunk(connection: sa.Connection) -> Iterator[list[ChunkUse]]:
    """Every chunk by its number, some thousand at a time."""
    columns = [chunk.c[name] for name in ChunkUse._fields]
    statement = (
        sa.select(*columns)
        .where(chunk.c.id > sa.bindparam("last"))
        .order_by(chunk.c.id)
        .limit(_PAGE)
    )
    last = 0
    while page := list(map(ChunkUse._make, connection.execute(statement, {"last": last}))):
        yield page
        last = page[-1].id


def bases_of(connection: sa.Connection, hashes: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """(row, its base's row or 0) of chunks, condemned or not."""
    statement = sa.select(chunk.c.id, sa.func.coalesce(chunk.c.base_id, 0)).where(
        chunk.c.hash.in_(sa.bindparam("hashes", expanding=True))
    )
    for batch in batches(hashes):
        yield from ((row[0], row[1]) for row in connection.execute(statement, {"hashes": batch}))


def deltas_on(connection: sa.Connection, keys: Iterable[int]) -> Iterator[tuple[int, int]]:
    """(row, its base's row) of all chunks that are deltas on one of these."""
    statement = sa.select(chunk.c.id, chunk.c.base_id).where(
        chunk.c.base_id.in_(sa.bindparam("ids", expanding=True))
    )
    for batch in batches(keys):
        yield from ((row[0], row[1]) for row in connection.execute(statement, {"ids": batch}))


# -- packs -------------------------------------------------------------------------------------


def leased_packs(connection: sa.Connection, now: int) -> set[int]:
    statement = sa.select(lease.c.pack_id).where(lease.c.expires > sa.bindparam("now"))
    return set(connection.execute(statement, {"now": now}).scalars())


def end_leases(connection: sa.Connection, now: int) -> None:
    """Leases that have run out go."""
    connection.execute(sa.delete(lease).where(lease.c.expires <= now))


def pack_uses(connection: sa.Connection) -> list[PackUse]:
    """Every pack, in the order they came."""
    live = sa.func.coalesce(sa.func.sum(chunk.c.length), 0)
    columns = (pack.c.id, pack.c.name, pack.c.state, pack.c.size, pack.c.changed)
    statement = (
        sa.select(*columns, live)
        .outerjoin_from(pack, chunk, chunk.c.pack_id == pack.c.id)
        .group_by(*columns)
        .order_by(pack.c.id)
    )
    return [PackUse(*row[:5], int(row[5])) for row in connection.execute(statement)]


def packs_in(connection: sa.Connection, state: str) -> list[PackUse]:
    """The packs of one state; what is needed of them is not counted."""
    statement = sa.select(
        pack.c.id, pack.c.name, pack.c.state, pack.c.size, pack.c.changed, sa.literal(0)
    ).where(pack.c.state == sa.bindparam("s"))
    return [PackUse(*row) for row in connection.execute(statement, {"s": state})]


def empty_packs(connection: sa.Connection) -> list[int]:
    """Sealed packs that hold nothing."""
    holds = sa.exists().where(chunk.c.pack_id == pack.c.id)
    statement = sa.select(pack.c.id).where(pack.c.state == "live", ~holds)
    return list(connection.execute(statement).scalars())


def pack_names(connection: sa.Connection) -> set[str]:
    return set(connection.execute(sa.select(pack.c.name)).scalars())


def add_strays(connection: sa.Connection, names: Iterable[str], now: int) -> None:
    """Note objects that no row names; a writer that comes late may still take them."""
    rows = [{"name": n, "state": "stray", "size": 0, "changed": now} for n in names]
    if rows:
        connection.execute(sa.insert(pack), rows)


def take_pack(connection: sa.Connection, name: str) -> int | None:
    """The row of a pack that is being registered; None if it has none yet.

    Unavailable: `store-changed`, gc took the object for one that nobody would register any more.
    """
    row = connection.execute(_STATE, {"n": name}).first()
    if row is None and facts.get(connection, tombstone(name)) is None:
        return None
    if row is None or row.state in ("condemned", "dropping"):
        raise Unavailable(
            "store-changed", "gc took what was written long before it was registered",
            hint="run the command again",
        )  # fmt: skip
    return int(row.id)


def tombstone(name: str) -> str:
    """The fact that tells that a stray object was deleted."""
    return f"gone {name.rpartition('/')[2][:35]}"


def set_pack_state(connection: sa.Connection, keys: Iterable[int], state: str, now: int) -> None:
    statement = sa.update(pack).where(pack.c.id.in_(sa.bindparam("ids", expanding=True)))
    for batch in batches(keys):
        connection.execute(
            statement.values(state=sa.bindparam("s"), changed=sa.bindparam("n")),
            {"ids": batch, "s": state, "n": now},
        )


def drop_packs(connection: sa.Connection, keys: Sequence[int]) -> None:
    _delete(connection, pack, pack.c.id, keys)
    _delete(connection, lease, lease.c.pack_id, keys)


# -- moving ------------------------------------------------------------------------------------


def chunks_of_pack(connection: sa.Connection, key: int) -> list[int]:
    statement = sa.select(chunk.c.id).where(chunk.c.pack_id == sa.bindparam("k"))
    return list(connection.execute(statement.order_by(chunk.c.start), {"k": key}).scalars())


def full_packs(connection: sa.Connection, keys: Iterable[int]) -> set[int]:
    """Those of some packs that hold chunks."""
    statement = (
        sa.select(chunk.c.pack_id)
        .where(chunk.c.pack_id.in_(sa.bindparam("ids", expanding=True)))
        .distinct()
    )
    return {
        key
        for batch in batches(keys)
        for key in connection.execute(statement, {"ids": batch}).scalars()
    }


class Move(NamedTuple):
    """A chunk that lies elsewhere now."""

    name: bytes
    old: int
    """Row of the pack that it was in; if it is not there any more, it does not move."""
    new: int
    at: int
    span: int
    """Encoded bytes, box included."""


def move_chunks(connection: sa.Connection, moves: Sequence[Move]) -> None:
    statement = (
        sa.update(chunk)
        .where(chunk.c.hash == sa.bindparam("name"), chunk.c.pack_id == sa.bindparam("old"))
        .values(pack_id=sa.bindparam("new"), start=sa.bindparam("at"), length=sa.bindparam("span"))
    )
    if moves:
        connection.execute(statement, [move._asdict() for move in moves])


def replace_chunk(connection: sa.Connection, key: int, pack_id: int, new: NewChunk) -> None:
    """A chunk was stored anew in full: from now on it is read there."""
    connection.execute(
        sa.update(chunk).where(chunk.c.id == key).values(
            pack_id=pack_id, start=new.start, length=new.length, size=new.size, codec=new.codec,
            kind=new.kind, base_id=None,
        )
    )  # fmt: skip


# -- dropping ----------------------------------------------------------------------------------


def _delete(
    connection: sa.Connection, table: sa.Table, column: sa.Column[int], ids: Iterable[int]
) -> int:
    statement = sa.delete(table).where(column.in_(sa.bindparam("ids", expanding=True)))
    return sum(connection.execute(statement, {"ids": batch}).rowcount for batch in batches(ids))


def drop_chunks(connection: sa.Connection, ids: Iterable[int]) -> int:
    """How many there were."""
    return _delete(connection, chunk, chunk.c.id, ids)


def drop_blobs(connection: sa.Connection, ids: Iterable[int]) -> int:
    return _delete(connection, blob, blob.c.id, ids)


def drop_places(connection: sa.Connection) -> None:
    """Files seen before whose content is not kept any more."""
    kept = sa.exists().where(blob.c.id == place.c.blob_id)
    connection.execute(sa.delete(place).where(~kept))


def drop_models(connection: sa.Connection, models: Iterable[int]) -> None:
    """Every row of models whose time is over."""
    keys = list(models)
    for key in versions_of_models(connection, keys):
        unindex_version(connection, key)
    for key in keys:
        unindex_model(connection, key)
    rows = versions_of_models(connection, keys)
    for table, column in ((file, file.c.version_id), (metric, metric.c.version_id),
                          (param, param.c.version_id), (edge, edge.c.version_id),
                          (report, report.c.version_id),
                          (version, version.c.id)):  # fmt: skip
        _delete(connection, table, column, rows)
    for table, column in ((ref, ref.c.model_id),
                          (label, label.c.model_id), (git_object, git_object.c.model_id),
                          (model, model.c.id)):  # fmt: skip
        _delete(connection, table, column, keys)


# -- stats -------------------------------------------------------------------------------------


def counts(connection: sa.Connection, content_kind: int) -> dict[str, int]:
    """How many blobs and chunks there are, and the bytes of distinct content."""
    one = connection.execute(
        sa.select(
            sa.select(sa.func.count()).select_from(blob).scalar_subquery().label("blobs"),
            sa.select(sa.func.count()).select_from(chunk).scalar_subquery().label("chunks"),
            sa.select(sa.func.coalesce(sa.func.sum(chunk.c.size), 0))
            .where(chunk.c.kind == content_kind)
            .scalar_subquery()
            .label("unique"),
        )
    ).one()
    return {name: int(value) for name, value in one._mapping.items()}


def decoded_bytes(connection: sa.Connection) -> int:
    """Of all chunks together."""
    return int(connection.execute(sa.select(sa.func.sum(chunk.c.size))).scalar() or 0)


def users(connection: sa.Connection, blob_ids: Iterable[int]) -> list[tuple[int, int]]:
    """(version, blob) for every file that has one of these blobs."""
    statement = (
        sa.select(file.c.version_id, file.c.blob_id)
        .where(file.c.blob_id.in_(sa.bindparam("ids", expanding=True)))
        .distinct()
    )
    return [
        (row.version_id, row.blob_id)
        for batch in batches(blob_ids)
        for row in connection.execute(statement, {"ids": batch})
    ]


def bundle_users(connection: sa.Connection, keys: Iterable[int]) -> list[tuple[int, int]]:
    """(model, bundle's chunk) for git objects in these bundles."""
    statement = (
        sa.select(git_object.c.model_id, git_object.c.bundle_id)
        .where(git_object.c.bundle_id.in_(sa.bindparam("ids", expanding=True)))
        .distinct()
    )
    return [
        (row.model_id, row.bundle_id)
        for batch in batches(keys)
        for row in connection.execute(statement, {"ids": batch})
    ]


_SIZE = {
    "postgresql": "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace",
    "mysql": "SELECT coalesce(sum(data_length + index_length), 0) FROM information_schema.tables"
    " WHERE table_schema = database()",
}


def catalog_bytes(connection: sa.Connection) -> int:
    """What a database server keeps for the catalog; 0 for a file, which tells its size itself."""
    name = connection.dialect.name
    statement = _SIZE.get("mysql" if name == "mariadb" else name)
    return int(connection.execute(sa.text(statement)).scalar_one()) if statement else 0
