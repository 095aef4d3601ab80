"""Statements about models and the names they had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries.chunks import batches
from modelyard.catalog.schema import model, redirect, version
from modelyard.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "ModelRow",
    "Newest",
    "by_id",
    "by_name",
    "create",
    "ids_named",
    "listed",
    "lock",
    "names_of",
    "newest",
    "take_number",
    "update",
]


class ModelRow(NamedTuple):
    """A row of `model`."""

    id: int
    name: str
    kind: str
    description: str
    next_number: int
    created: int
    updated: int
    deleted: int


_SELECT = sa.select(*(model.c[name] for name in ModelRow._fields))
_BY_NAME = _SELECT.where(model.c.name == sa.bindparam("name"), model.c.deleted == 0)
_BY_REDIRECT = _SELECT.join(redirect, redirect.c.model_id == model.c.id).where(
    redirect.c.name == sa.bindparam("name"), model.c.deleted == 0
)
_DELETED = (
    _SELECT.where(model.c.name == sa.bindparam("name"), model.c.deleted > 0)
    .order_by(model.c.deleted.desc())
    .limit(1)
)
_NAMES = sa.select(model.c.id, model.c.name).where(
    model.c.id.in_(sa.bindparam("ids", expanding=True))
)
_TAKE = (
    sa.update(model)
    .where(model.c.id == sa.bindparam("key"), model.c.next_number == sa.bindparam("seen"))
    .values(next_number=model.c.next_number + 1, updated=sa.bindparam("now"))
)
_COUNTED = (
    sa.select(
        version.c.model_id, sa.func.count().label("count"),
        sa.func.max(version.c.number).label("number"),
    )
    .where(version.c.model_id.in_(sa.bindparam("ids", expanding=True)), version.c.deleted == 0)
    .group_by(version.c.model_id)
    .subquery()
)  # fmt: skip
_NEWEST = sa.select(
    version.c.model_id, _COUNTED.c.count, _COUNTED.c.number, version.c.size
).join_from(
    _COUNTED,
    version,
    sa.and_(version.c.model_id == _COUNTED.c.model_id, version.c.number == _COUNTED.c.number),
)
_LOCK = _SELECT.where(model.c.id == sa.bindparam("key")).with_for_update()


def by_name(connection: sa.Connection, name: str) -> ModelRow | None:
    """The living model of this name, or the one that had it before it was renamed."""
    for statement in (_BY_NAME, _BY_REDIRECT):
        row = connection.execute(statement, {"name": name}).first()
        if row is not None:
            return ModelRow._make(row)
    return None


def has_name(connection: sa.Connection, name: str) -> bool:
    """Whether a living model bears this name now."""
    return connection.execute(_BY_NAME, {"name": name}).first() is not None


def deleted_by_name(connection: sa.Connection, name: str) -> ModelRow | None:
    """The model of this name that was deleted last."""
    row = connection.execute(_DELETED, {"name": name}).first()
    return None if row is None else ModelRow._make(row)


def ids_named(connection: sa.Connection, name: str) -> list[int]:
    """Ids of the models that have this name or had it once, deleted ones too."""
    own = sa.select(model.c.id).where(model.c.name == sa.bindparam("n"))
    old = sa.select(redirect.c.model_id).where(redirect.c.name == sa.bindparam("n"))
    return list(connection.execute(own.union(old), {"n": name}).scalars())


def by_id(connection: sa.Connection, key: int) -> ModelRow | None:
    row = connection.execute(_SELECT.where(model.c.id == sa.bindparam("key")), {"key": key}).first()
    return None if row is None else ModelRow._make(row)


def names_of(connection: sa.Connection, keys: Iterable[int]) -> dict[int, str]:
    """Names by id, deleted models included."""
    return {
        row.id: row.name
        for batch in batches(keys)
        for row in connection.execute(_NAMES, {"ids": batch})
    }


def lock(connection: sa.Connection, key: int) -> ModelRow:
    """The model's row as it is now, held until the transaction ends.

    Whoever journals something on a model holds it first, so that the numbers of its entries are in
    the order of their effects.
    """
    row = connection.execute(_LOCK, {"key": key}).first()
    if row is None:
        raise NotFound("no-model", "the model is gone for good", hint="yard list --deleted")
    return ModelRow._make(row)


def listed(
    connection: sa.Connection,
    *,
    deleted: bool,
    where: sa.ColumnElement[bool] | None = None,
    after: tuple[str, int] | None = None,
    limit: int | None = None,
) -> Iterator[ModelRow]:
    """Living (or deleted) models by name.

    Args:
        where: Only those of them.
        after: Only what comes after this name and time of deletion.
    """
    alive = model.c.deleted > 0 if deleted else model.c.deleted == 0
    statement = _SELECT.where(alive).order_by(model.c.name, model.c.deleted).limit(limit)
    if where is not None:
        statement = statement.where(where)
    if after is not None:
        name, gone = after
        later = sa.and_(model.c.name == name, model.c.deleted > gone)
        statement = statement.where(sa.or_(model.c.name > name, later))
    return map(ModelRow._make, connection.execute(statement).all())


def create(connection: sa.Connection, name: str, kind: str, now: int) -> int:
    """A new model; an old name that redirected elsewhere is its own from now on."""
    connection.execute(sa.delete(redirect).where(redirect.c.name == sa.bindparam("n")), {"n": name})
    values = {
        "name": name, "kind": kind, "description": "", "next_number": 1,
        "created": now, "updated": now, "deleted": 0,
    }  # fmt: skip
    key = connection.execute(sa.insert(model), values).inserted_primary_key
    return int(key[0]) if key else 0


def take_number(connection: sa.Connection, row: ModelRow, now: int) -> int:
    """The next version number, from a row read in this transaction.

    The row stays locked, so numbers come in order of arrival and are never given twice.
    """
    values = {"key": row.id, "now": now, "seen": row.next_number}
    if connection.execute(_TAKE, values).rowcount == 1:
        return row.next_number
    return take_number(connection, lock(connection, row.id), now)


def update(connection: sa.Connection, key: int, **values: object) -> None:
    statement = sa.update(model).where(model.c.id == sa.bindparam("row_key"))
    bound: dict[str, Any] = {name: sa.bindparam(f"v_{name}") for name in values}
    connection.execute(
        statement.values(**bound),
        {"row_key": key, **{f"v_{name}": value for name, value in values.items()}},
    )


def redirect_to(connection: sa.Connection, name: str, key: int) -> None:
    """Let an old name lead to a model."""
    connection.execute(sa.delete(redirect).where(redirect.c.name == sa.bindparam("n")), {"n": name})
    connection.execute(sa.insert(redirect), {"name": name, "model_id": key})


def drop_redirect(connection: sa.Connection, name: str) -> None:
    connection.execute(sa.delete(redirect).where(redirect.c.name == sa.bindparam("n")), {"n": name})


def redirects(connection: sa.Connection) -> dict[str, int]:
    return {row.name: row.model_id for row in connection.execute(sa.select(redirect))}


class Newest(NamedTuple):
    """What a list tells of a model's versions."""

    versions: int
    """How many live."""
    number: int
    """Of the newest that lives."""
    size: int


def newest(connection: sa.Connection, ids: Iterable[int]) -> dict[int, Newest]:
    """Of these models, by id; those without a version that lives are left out."""
    return {
        int(key): Newest(int(count), int(number), int(size))
        for batch in batches(ids)
        for key, count, number, size in connection.execute(_NEWEST, {"ids": batch})
    }


def totals(
    connection: sa.Connection, where: sa.ColumnElement[bool] | None = None
) -> dict[int, tuple[int, int, int]]:
    """By model: versions that live, their bytes, and the bytes they added."""
    statement = (
        sa.select(
            version.c.model_id,
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(version.c.size), 0),
            sa.func.coalesce(sa.func.sum(version.c.new_bytes), 0),
        )
        .where(version.c.deleted == 0)
        .group_by(version.c.model_id)
    )
    if where is not None:
        statement = statement.where(version.c.model_id.in_(sa.select(model.c.id).where(where)))
    return {
        int(key): (int(count), int(size), int(new))
        for key, count, size, new in connection.execute(statement)
    }
