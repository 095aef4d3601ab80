"""Statements about whole files that came by LFS and are in no version yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from modelyard.catalog.queries.blobs import BlobRow
from modelyard.catalog.queries.chunks import batches
from modelyard.catalog.queries.dialects import put
from modelyard.catalog.schema import arrival, blob, file, version

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["add", "drop_old", "of_caller", "of_model", "take", "untold", "young"]

_COLUMNS = [blob.c[name] for name in BlobRow._fields]
_MINE = (arrival.c.model == sa.bindparam("model"), arrival.c.account_id == sa.bindparam("account"))
_OF_CALLER = (
    sa.select(*_COLUMNS)
    .join_from(arrival, blob, arrival.c.blob_id == blob.c.id)
    .where(*_MINE, arrival.c.sha256.in_(sa.bindparam("digests", expanding=True)))
)
_OF_MODEL = (
    sa.select(*_COLUMNS)
    .distinct()
    .join_from(version, file, file.c.version_id == version.c.id)
    .join(blob, blob.c.id == file.c.blob_id)
    .where(
        version.c.model_id == sa.bindparam("model"),
        version.c.deleted == 0,
        file.c.blob_id.in_(sa.bindparam("ids", expanding=True)),
    )
)
_IDS = sa.select(blob.c.id).where(blob.c.sha256.in_(sa.bindparam("digests", expanding=True)))
_UNTOLD = sa.select(arrival.c.blob_id).where(
    arrival.c.blob_id.in_(sa.bindparam("ids", expanding=True))
)


def add(
    connection: sa.Connection, model: str, sha256: bytes, account: int, blob_id: int, now: int
) -> None:
    """A file has come for a model; again if it was there already."""
    row = {
        "model": model, "sha256": sha256, "account_id": account, "blob_id": blob_id, "created": now
    }  # fmt: skip
    put(connection, arrival, [row])


def of_caller(
    connection: sa.Connection, model: str, account: int, digests: Iterable[bytes]
) -> dict[bytes, BlobRow]:
    """Those files that this account has sent for this model."""
    return {
        row.sha256: BlobRow._make(row)
        for batch in batches(digests)
        for row in connection.execute(
            _OF_CALLER, {"model": model, "account": account, "digests": batch}
        )
    }


def of_model(
    connection: sa.Connection, model: int, digests: Iterable[bytes]
) -> dict[bytes, BlobRow]:
    """Those files that living versions of a model have."""
    ids = [
        key
        for batch in batches(digests)
        for key in connection.execute(_IDS, {"digests": batch}).scalars()
    ]
    return {
        row.sha256: BlobRow._make(row)
        for batch in batches(ids)
        for row in connection.execute(_OF_MODEL, {"model": model, "ids": batch})
    }


def untold(connection: sa.Connection, blob_ids: Iterable[int]) -> set[int]:
    """Those blobs that came as arrivals: perhaps no entry of the journal has told of them yet."""
    return {
        key
        for batch in batches(blob_ids)
        for key in connection.execute(_UNTOLD, {"ids": batch}).scalars()
    }


def take(connection: sa.Connection, model: str, account: int, digests: Iterable[bytes]) -> None:
    """These are in a version now."""
    statement = sa.delete(arrival).where(
        *_MINE, arrival.c.sha256.in_(sa.bindparam("digests", expanding=True))
    )
    for batch in batches(digests):
        connection.execute(statement, {"model": model, "account": account, "digests": batch})


def young(connection: sa.Connection, since: int) -> set[int]:
    """Blobs of files that came after a time: gc keeps them."""
    statement = sa.select(arrival.c.blob_id).where(arrival.c.created > sa.bindparam("since"))
    return set(connection.execute(statement, {"since": since}).scalars())


def drop_old(connection: sa.Connection, before: int) -> None:
    """Forget files that came before a time and are gone, or are in a version that told of them."""
    there = sa.exists().where(blob.c.id == arrival.c.blob_id)
    used = sa.exists().where(file.c.blob_id == arrival.c.blob_id)
    connection.execute(sa.delete(arrival).where(arrival.c.created <= before, sa.or_(~there, used)))
