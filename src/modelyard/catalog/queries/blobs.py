"""Statements about blobs, git objects, and files seen before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries.among import Among
from modelyard.catalog.queries.chunks import batches
from modelyard.catalog.queries.dialects import insert_new, put
from modelyard.catalog.schema import blob, git_object, place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "BlobRow",
    "PlaceRow",
    "bundles",
    "by_digest",
    "by_id",
    "find_place",
    "insert",
    "insert_all",
]


class BlobRow(NamedTuple):
    """A row of `blob`."""

    id: int
    sha256: bytes
    size: int
    format: str
    content_id: int
    is_recipe: bool
    inspection_id: int | None


class PlaceRow(NamedTuple):
    """What a file looked like when it was committed last."""

    path: bytes
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


_SELECT = sa.select(*(blob.c[name] for name in BlobRow._fields))
_BY_DIGEST = Among(_SELECT.where, blob.c.sha256)
_BY_ID = Among(_SELECT.where, blob.c.id)
_PLACE = _SELECT.join(place, place.c.blob_id == blob.c.id).where(
    *(place.c[name] == sa.bindparam(name) for name in PlaceRow._fields)
)
_BUNDLES = Among(
    sa.select(git_object.c.sha, git_object.c.bundle_id)
    .where(git_object.c.model_id == sa.bindparam("m"))
    .where,
    git_object.c.sha,
)


def by_digest(connection: sa.Connection, digests: Iterable[bytes]) -> dict[bytes, BlobRow]:
    return {
        row.sha256: BlobRow._make(row)
        for batch in batches(digests)
        for row in _BY_DIGEST.run(connection, batch)
    }


def by_id(connection: sa.Connection, ids: Iterable[int]) -> dict[int, BlobRow]:
    return {
        row.id: BlobRow._make(row)
        for batch in batches(ids)
        for row in _BY_ID.run(connection, batch)
    }


def insert(
    connection: sa.Connection,
    *,
    sha256: bytes,
    size: int,
    format: str,
    content_id: int,
    is_recipe: bool,
    inspection_id: int | None,
) -> int:
    values = {
        "sha256": sha256, "size": size, "format": format, "content_id": content_id,
        "is_recipe": is_recipe, "inspection_id": inspection_id,
    }  # fmt: skip
    return insert_all(connection, [values])[sha256]


def insert_all(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> dict[bytes, int]:
    """Rows without their ids; gives the ids, which are others' for blobs that were there already.

    Args:
        rows: `sha256`, `size`, `format`, `content_id`, `is_recipe`, `inspection_id`.
    """
    insert_new(connection, blob, "sha256", rows)
    digests = [row["sha256"] for row in rows]
    return {raw: row.id for raw, row in by_digest(connection, digests).items()}


def find_place(connection: sa.Connection, seen: PlaceRow) -> BlobRow | None:
    """The blob of a file that has not changed since, by size, times and inode."""
    row = connection.execute(_PLACE, seen._asdict()).first()
    return None if row is None else BlobRow._make(row)


def remember_places(connection: sa.Connection, seen: Sequence[tuple[PlaceRow, int]]) -> None:
    """Keep how these files look now, with their blobs."""
    put(connection, place, [{**row._asdict(), "blob_id": blob_id} for row, blob_id in seen])


def bundles(connection: sa.Connection, model: int, shas: Iterable[bytes]) -> dict[bytes, int]:
    """Which record holds each of these git objects of a model."""
    return {
        row.sha: row.bundle_id
        for batch in batches(shas)
        for row in _BUNDLES.run(connection, batch, m=model)
    }


def add_objects(connection: sa.Connection, model: int, shas: Sequence[bytes], bundle: int) -> None:
    rows = [{"model_id": model, "sha": sha, "bundle_id": bundle} for sha in shas]
    if rows:
        connection.execute(sa.insert(git_object), rows)
