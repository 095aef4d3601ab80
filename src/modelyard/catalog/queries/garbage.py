"""Statements of gc and stats: what is needed, what is not, how much it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries.chunks import batches
from modelyard.catalog.queries.search_documents import unindex_model, unindex_version
from modelyard.catalog.schema import (
    blob,
    chunk,
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

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PackUse", "expired_models", "expired_versions", "needed_blobs"]


class PackUse(NamedTuple):
    """A pack and how much of it is needed."""

    id: int
    name: str
    state: str
    size: int
    changed: int
    live: int


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


def needed_blobs(connection: sa.Connection, without: Iterable[int]) -> set[int]:
    """Blobs that files of versions other than these have."""
    gone = set(without)
    statement = sa.select(file.c.version_id, file.c.blob_id).where(file.c.blob_id > 0)
    return {key for version_id, key in connection.execute(statement) if version_id not in gone}


def versions_of_models(connection: sa.Connection, models: Iterable[int]) -> list[int]:
    statement = sa.select(version.c.id).where(
        version.c.model_id.in_(sa.bindparam("ids", expanding=True))
    )
    return [
        key
        for batch in batches(models)
        for key in connection.execute(statement, {"ids": batch}).scalars()
    ]


def bundles_not_of(connection: sa.Connection, models: Iterable[int], kind: int) -> set[int]:
    """Every bundle record but those of these models."""
    theirs: set[int] = set()
    of = sa.select(git_object.c.bundle_id).where(
        git_object.c.model_id.in_(sa.bindparam("ids", expanding=True))
    )
    for batch in batches(models):
        theirs.update(connection.execute(of, {"ids": batch}).scalars())
    every = sa.select(chunk.c.id).where(chunk.c.kind == sa.bindparam("kind"))
    return set(connection.execute(every, {"kind": kind}).scalars()) - theirs


def every_chunk(connection: sa.Connection) -> dict[int, tuple[int, int, int | None]]:
    """(pack, encoded length, base) of every chunk."""
    statement = sa.select(chunk.c.id, chunk.c.pack_id, chunk.c.length, chunk.c.base_id)
    return {row.id: (row.pack_id, row.length, row.base_id) for row in connection.execute(statement)}


def leased_packs(connection: sa.Connection, now: int) -> set[int]:
    statement = sa.select(lease.c.pack_id).where(lease.c.expires > sa.bindparam("now"))
    return set(connection.execute(statement, {"now": now}).scalars())


def pack_uses(connection: sa.Connection) -> list[PackUse]:
    live = sa.func.coalesce(sa.func.sum(chunk.c.length), 0)
    statement = (
        sa.select(pack.c.id, pack.c.name, pack.c.state, pack.c.size, pack.c.changed, live)
        .outerjoin_from(pack, chunk, chunk.c.pack_id == pack.c.id)
        .group_by(pack.c.id, pack.c.name, pack.c.state, pack.c.size, pack.c.changed)
    )
    return [PackUse(*row) for row in connection.execute(statement)]


def _delete(
    connection: sa.Connection, table: sa.Table, column: sa.Column[int], ids: Iterable[int]
) -> None:
    statement = sa.delete(table).where(column.in_(sa.bindparam("ids", expanding=True)))
    for batch in batches(ids):
        connection.execute(statement, {"ids": batch})


def drop_chunks(connection: sa.Connection, ids: Iterable[int]) -> None:
    _delete(connection, chunk, chunk.c.id, ids)


def drop_blobs_but(connection: sa.Connection, kept: set[int]) -> None:
    every = set(connection.execute(sa.select(blob.c.id)).scalars())
    gone = every - kept
    _delete(connection, blob, blob.c.id, gone)
    _delete(connection, place, place.c.blob_id, gone)


def drop_models(connection: sa.Connection, models: Iterable[int]) -> None:
    """Every row of models whose time is over."""
    keys = list(models)
    for key in versions_of_models(connection, keys):
        unindex_version(connection, key)
    for key in keys:
        unindex_model(connection, key)
    rows = versions_of_models(connection, keys)
    for table, column in ((file, file.c.version_id), (metric, metric.c.version_id),
                          (param, param.c.version_id), (report, report.c.version_id),
                          (version, version.c.id)):  # fmt: skip
        _delete(connection, table, column, rows)
    for table, column in ((ref, ref.c.model_id),
                          (label, label.c.model_id), (git_object, git_object.c.model_id),
                          (model, model.c.id)):  # fmt: skip
        _delete(connection, table, column, keys)


def set_pack_state(connection: sa.Connection, key: int, state: str, now: int) -> None:
    statement = sa.update(pack).where(pack.c.id == sa.bindparam("k"))
    connection.execute(
        statement.values(state=sa.bindparam("s"), changed=sa.bindparam("n")),
        {"k": key, "s": state, "n": now},
    )


def drop_pack(connection: sa.Connection, key: int) -> None:
    _delete(connection, pack, pack.c.id, [key])
    _delete(connection, lease, lease.c.pack_id, [key])


def pack_names(connection: sa.Connection) -> set[str]:
    return set(connection.execute(sa.select(pack.c.name)).scalars())


def chunks_of_pack(connection: sa.Connection, key: int) -> list[int]:
    statement = sa.select(chunk.c.id).where(chunk.c.pack_id == sa.bindparam("k"))
    return list(connection.execute(statement.order_by(chunk.c.start), {"k": key}).scalars())


def move_chunk(connection: sa.Connection, hash: bytes, old: int, new: int, start: int) -> None:
    statement = (
        sa.update(chunk)
        .where(chunk.c.hash == sa.bindparam("h"), chunk.c.pack_id == sa.bindparam("o"))
        .values(pack_id=sa.bindparam("n"), start=sa.bindparam("s"))
    )
    connection.execute(statement, {"h": hash, "o": old, "n": new, "s": start})


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
