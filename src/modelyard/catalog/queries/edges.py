"""Statements about lineage: what a version came from, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries.chunks import batches
from modelyard.catalog.schema import edge, model, redirect, version

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from modelyard.core.sources import Source

__all__ = ["EdgeRow", "Made", "children", "insert", "made_of", "names_of", "sources", "versions_at"]

_MODELS = 200
"""Of one statement: SQLite takes no condition with more than 1,000 parts."""


class EdgeRow(NamedTuple):
    """What a version came from."""

    version_id: int
    kind: str
    name: str
    """Of a model, or a digest; empty if the source has no such name."""
    number: int
    source: str
    """As it was written."""


class Made(NamedTuple):
    """A version that came of something."""

    model_id: int
    number: int
    kind: str
    name: str
    source_number: int


def insert(connection: sa.Connection, key: int, found: Sequence[Source]) -> None:
    """Keep what a new version came from."""
    rows = [
        {"version_id": key, "place": place, "kind": source.kind, "name": source.name[:200],
         "number": source.number, "source": source.text}
        for place, source in enumerate(found)
    ]  # fmt: skip
    if rows:
        connection.execute(sa.insert(edge), rows)


_SOURCES = (
    sa.select(edge.c.version_id, edge.c.kind, edge.c.name, edge.c.number, edge.c.source)
    .where(edge.c.version_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(edge.c.version_id, edge.c.place)
)


def sources(connection: sa.Connection, ids: Iterable[int]) -> list[EdgeRow]:
    """What these versions came from, other than by their parents."""
    return [
        EdgeRow._make(row)
        for batch in batches(ids)
        for row in connection.execute(_SOURCES, {"ids": batch})
    ]


_MADE = (
    sa.select(version.c.model_id, version.c.number, edge.c.kind, edge.c.name, edge.c.number)
    .join_from(edge, version, version.c.id == edge.c.version_id)
    .join(model, model.c.id == version.c.model_id)
    .where(
        edge.c.name == sa.bindparam("name"), edge.c.number == sa.bindparam("number"),
        version.c.deleted == 0, model.c.deleted == 0,
    )
    .order_by(edge.c.version_id.desc())
)  # fmt: skip


def made_of(
    connection: sa.Connection,
    wanted: Collection[tuple[str, int]],
    limit: int,
    where: sa.ColumnElement[bool] | None = None,
) -> list[Made]:
    """Living versions that name one of these as what they came from, the newest of each first.

    Args:
        wanted: Names and numbers, as edges have them.
        limit: How many of each.
        where: Only of these models.
    """
    found: list[Made] = []
    for name, number in wanted:  # one at a time, each reads no more of the index than it gives
        statement = _MADE.limit(limit) if where is None else _MADE.where(where).limit(limit)
        rows = connection.execute(statement, {"name": name, "number": number})
        found += [Made._make(row) for row in rows]
    return found


def children(
    connection: sa.Connection, model_id: int, numbers: Collection[int], limit: int
) -> list[tuple[int, tuple[int, ...]]]:
    """(number, parents) of living versions of a model that have one of these as a parent."""
    spaced = " " + version.c.parents + " "
    has = sa.or_(*(spaced.like(f"% {number} %") for number in numbers))
    statement = (
        sa.select(version.c.number, version.c.parents)
        .where(
            version.c.model_id == model_id, version.c.number > min(numbers),
            version.c.deleted == 0, has,
        )
        .order_by(version.c.number)
        .limit(limit)
    )  # fmt: skip
    return [
        (row.number, tuple(map(int, row.parents.split()))) for row in connection.execute(statement)
    ]


def versions_at(
    connection: sa.Connection, wanted: Collection[tuple[int, int]]
) -> dict[tuple[int, int], int]:
    """Ids of the versions with these models and numbers, deleted ones too."""
    by_model: dict[int, list[int]] = {}
    for model_id, number in wanted:
        by_model.setdefault(model_id, []).append(number)
    found: dict[tuple[int, int], int] = {}
    models = list(by_model)
    for at in range(0, len(models), _MODELS):
        which = sa.or_(
            *(sa.and_(version.c.model_id == key, version.c.number.in_(by_model[key]))
              for key in models[at : at + _MODELS])
        )  # fmt: skip
        rows = connection.execute(
            sa.select(version.c.id, version.c.model_id, version.c.number).where(which)
        )
        found |= {(row.model_id, row.number): row.id for row in rows}
    return found


def names_of(connection: sa.Connection, ids: Collection[int]) -> dict[int, list[str]]:
    """The names under which each of these models is known: its own, and those it had."""
    found: dict[int, list[str]] = {}
    for batch in batches(ids):
        own = sa.select(model.c.id, model.c.name).where(model.c.id.in_(batch))
        old = sa.select(redirect.c.model_id, redirect.c.name).where(redirect.c.model_id.in_(batch))
        for key, name in [*connection.execute(own), *connection.execute(old)]:
            found.setdefault(key, []).append(name)
    return found
