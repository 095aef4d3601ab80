"""Statements about branches, tags and aliases, and every move of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries.chunks import batches
from modelyard.catalog.schema import ref, ref_move

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelyard.core.version import RefKind

__all__ = ["MoveRow", "RefRow", "compare_and_swap", "create", "delete", "get", "moves", "of_models"]


class RefRow(NamedTuple):
    """A row of `ref`."""

    model_id: int
    name: str
    kind: RefKind
    number: int


class MoveRow(NamedTuple):
    """A row of `ref_move`."""

    id: int
    model_id: int
    ref: str
    kind: RefKind
    old: int | None
    new: int | None
    who: str
    time: int
    reason: str


_THIS = sa.and_(ref.c.model_id == sa.bindparam("m"), ref.c.name == sa.bindparam("n"))
_SELECT = sa.select(*(ref.c[name] for name in RefRow._fields))
_GET = _SELECT.where(_THIS)
_SWAP = (
    sa.update(ref)
    .where(_THIS, ref.c.number == sa.bindparam("old"))
    .values(number=sa.bindparam("new"))
)
_OF = _SELECT.where(ref.c.model_id.in_(sa.bindparam("ids", expanding=True))).order_by(ref.c.name)
_MOVES = sa.select(*(ref_move.c[name] for name in MoveRow._fields)).where(
    ref_move.c.model_id == sa.bindparam("m")
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


def of_models(connection: sa.Connection, models: Iterable[int]) -> list[RefRow]:
    return [
        RefRow._make(row)
        for batch in batches(models)
        for row in connection.execute(_OF, {"ids": batch})
    ]


def add_move(
    connection: sa.Connection,
    model: int,
    name: str,
    kind: str,
    *,
    old: int | None,
    new: int | None,
    who: str,
    time: int,
    reason: str,
) -> None:
    values = {
        "model_id": model, "ref": name, "kind": kind, "old": old, "new": new,
        "who": who, "time": time, "reason": reason,
    }  # fmt: skip
    connection.execute(sa.insert(ref_move), values)


def moves(connection: sa.Connection, model: int, name: str | None) -> list[MoveRow]:
    """Newest first."""
    statement = _MOVES.order_by(ref_move.c.id.desc())
    if name is not None:
        statement = statement.where(ref_move.c.ref == sa.bindparam("n"))
    rows = connection.execute(statement, {"m": model} | ({"n": name} if name else {}))
    return [MoveRow._make(row) for row in rows]
