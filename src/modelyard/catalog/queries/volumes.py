"""Statements about bytes: how they grew, and which files only one model has."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.schema import blob, file, model, version

if TYPE_CHECKING:
    Truth = sa.ColumnElement[bool]

__all__ = ["Day", "Held", "few_files", "growth", "held"]

_DAY = 86_400_000_000


class Day(NamedTuple):
    """What came on one day."""

    start: int
    """Microseconds since 1970, UTC."""
    versions: int
    size: int
    new_bytes: int


class Held(NamedTuple):
    """Bytes of the different large files of a model."""

    own: int
    """Of files that no other model has."""
    shared: int


def growth(connection: sa.Connection, where: Truth | None = None) -> list[Day]:
    """By day, the oldest first; of versions that live."""
    start = version.c.created - version.c.created % _DAY
    statement = (
        sa.select(
            start.label("day"), sa.func.count(), sa.func.sum(version.c.size),
            sa.func.sum(version.c.new_bytes),
        )
        .where(version.c.deleted == 0)
        .group_by(sa.text("day"))
        .order_by(sa.text("day"))
    )  # fmt: skip
    if where is not None:
        statement = statement.where(version.c.model_id.in_(sa.select(model.c.id).where(where)))
    return [Day(*map(int, row)) for row in connection.execute(statement)]


def few_files(connection: sa.Connection, most: int) -> bool:
    """Whether the catalog has at most so many rows of files."""
    some = sa.select(file.c.version_id).limit(most + 1).subquery()
    return (
        int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()) <= most
    )


def held(connection: sa.Connection, where: Truth | None = None) -> dict[int, Held]:
    """By model, among living ones, or those of them that meet a condition. Looks at every file."""
    uses = (
        sa.select(file.c.blob_id, version.c.model_id)
        .join_from(file, version, version.c.id == file.c.version_id)
        .join(model, model.c.id == version.c.model_id)
        .where(file.c.blob_id > 0, version.c.deleted == 0, model.c.deleted == 0)
        .distinct()
    )
    if where is not None:
        uses = uses.where(where)
    used = uses.subquery()
    counted = (
        sa.select(used.c.blob_id, sa.func.count().label("models"))
        .group_by(used.c.blob_id)
        .subquery()
    )
    own = sa.case((counted.c.models == 1, blob.c.size), else_=0)
    statement = (
        sa.select(used.c.model_id, sa.func.sum(own), sa.func.sum(blob.c.size))
        .join_from(used, counted, counted.c.blob_id == used.c.blob_id)
        .join(blob, blob.c.id == used.c.blob_id)
        .group_by(used.c.model_id)
    )
    return {
        int(key): Held(int(mine), int(every) - int(mine))
        for key, mine, every in connection.execute(statement)
    }
