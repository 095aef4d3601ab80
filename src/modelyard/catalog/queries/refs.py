"""Statements about branches, tags and aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries.chunks import batches
from modelyard.catalog.schema import ref, version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelyard.core.version import RefKind

__all__ = [
    "RefRow", "commits_of", "compare_and_swap", "create", "delete", "get", "of_models",
]  # fmt: skip


class RefRow(NamedTuple):
    """A row of `ref`."""

    model_id: int
    name: str
    kind: RefKind
    number: int


_THIS = sa.and_(ref.c.model_id == sa.bindparam("m"), ref.c.name == sa.bindparam("n"))
_SELECT = sa.select(*(ref.c[name] for name in RefRow._fields))
_GET = _SELECT.where(_THIS)
_SWAP = (
    sa.update(ref)
    .where(_THIS, ref.c.number == sa.bindparam("old"))
    .values(number=sa.bindparam("new"))
)
_OF = _SELECT.where(ref.c.model_id.in_(sa.bindparam("ids", expanding=True))).order_by(ref.c.name)

_COMMITS_OF = _OF.add_columns(version.c.commit_id).outerjoin_from(
    ref,
    version,
    sa.and_(version.c.model_id == ref.c.model_id, version.c.number == ref.c.number),
)


def get(connection: sa.Connection, model: int, name: str) -> RefRow | None:
    row = connection.execute(_GET, {"m": model, "n": name}).first()
    return None if row is None else RefRow._make(row)


def create(connection: sa.Connection, model: int, name: str, kind: str, number: int) -> None:
    values = {"model_id": model, "name": name, "kind": kind, "number": number}
    connection.execute(sa.insert(ref), values)


def compare_and_swap(connection: sa.Connection, model: int, name: str, old: int, new: int) -> bool:
    """Move a ref if it still points where the caller thinks."""
    values = {"m": model, "n": name, "old": old, "new": new}
    return connection.execute(_SWAP, values).rowcount == 1


def delete(connection: sa.Connection, model: int, name: str) -> None:
    connection.execute(sa.delete(ref).where(_THIS), {"m": model, "n": name})


def commits_of(connection: sa.Connection, models: Iterable[int]) -> list[tuple[RefRow, str]]:
    """All refs of these models by name, with the commits they point at in hex."""
    return [
        (RefRow._make(row[:-1]), row[-1].hex() if row[-1] else "")
        for batch in batches(models)
        for row in connection.execute(_COMMITS_OF, {"ids": batch})
    ]


def of_models(connection: sa.Connection, models: Iterable[int]) -> list[RefRow]:
    return [
        RefRow._make(row)
        for batch in batches(models)
        for row in connection.execute(_OF, {"ids": batch})
    ]
