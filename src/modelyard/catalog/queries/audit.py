"""Statements about the audit log, which is also the reflog."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.schema import audit, version

if TYPE_CHECKING:
    from modelyard.core.version import RefKind

__all__ = ["AuditRow", "MoveRow", "add", "last", "moves", "put"]


class AuditRow(NamedTuple):
    """One line: what happened, and which ref it moved if it moved one."""

    time: int
    action: str
    model_id: int
    who: str | None
    """None for a commit: the author of version `new`."""
    ref: str | None = None
    kind: RefKind | None = None
    old: int | None = None
    new: int | None = None
    detail: str | None = None


class MoveRow(NamedTuple):
    """A move of a ref."""

    ref: str
    kind: RefKind
    old: int | None
    new: int | None
    who: str
    time: int
    action: str


_INSERT = sa.insert(audit)
_MOVES = (
    sa.select(
        audit.c.ref, audit.c.kind, audit.c.old, audit.c.new,
        sa.func.coalesce(audit.c.who, version.c.author, ""), audit.c.time, audit.c.action,
    )
    .outerjoin_from(
        audit,
        version,
        sa.and_(version.c.model_id == audit.c.model_id, version.c.number == audit.c.new),
    )
    .where(audit.c.model_id == sa.bindparam("m"), audit.c.ref.is_not(None))
    .order_by(audit.c.id.desc())
)  # fmt: skip
_MOVES_OF = _MOVES.where(audit.c.ref == sa.bindparam("n"))
_LAST = sa.select(sa.func.coalesce(sa.func.max(audit.c.id), 0))


def add(connection: sa.Connection, row: AuditRow) -> int:
    """Write a line; its number orders all that ever happened in this yard."""
    key = connection.execute(_INSERT, row._asdict()).inserted_primary_key
    return int(key[0]) if key else 0


def put(connection: sa.Connection, number: int, row: AuditRow) -> None:
    """Write a line under its old number, when the log is made again."""
    connection.execute(_INSERT, {"id": number, **row._asdict()})


def last(connection: sa.Connection) -> int:
    """Number of the newest line: as long as it stays, nothing happened."""
    return int(connection.execute(_LAST).scalar_one())


def moves(connection: sa.Connection, model: int, name: str | None) -> list[MoveRow]:
    """Every move of one ref, or of all, newest first."""
    if name is None:
        return [MoveRow(*row) for row in connection.execute(_MOVES, {"m": model})]
    return [MoveRow(*row) for row in connection.execute(_MOVES_OF, {"m": model, "n": name})]
