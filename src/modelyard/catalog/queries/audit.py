"""Statements about the audit log, which is also the reflog."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.schema import audit, version

if TYPE_CHECKING:
    from modelyard.core.version import RefKind

__all__ = [
    "AuditRow", "Line", "Mark", "MoveRow", "add", "before", "is_there", "last", "mark", "moves",
    "moves_page", "put", "watch", "watched",
]  # fmt: skip


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
    account: str | None = None
    """On a server: the name of the account that did it, ..."""
    address: str | None = None
    """... from where, ..."""
    request: str | None = None
    """... and in which request."""


class MoveRow(NamedTuple):
    """A move of a ref."""

    ref: str
    kind: RefKind
    old: int | None
    new: int | None
    who: str
    time: int
    action: str


Line = tuple[int, AuditRow]
"""A line with its number."""

Mark = tuple[int, int]
"""The number of the newest line, and how many lines there are."""

_WATCHED = "yard_audit_lines"
_FLOOR = "yard_audit_floor"
_INSERT = sa.insert(audit)
_OF = sa.select(audit.c.time, audit.c.action, audit.c.model_id).where(
    audit.c.id == sa.bindparam("key")
)
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
_NEWEST = sa.func.coalesce(sa.func.max(audit.c.id), 0)
_LAST = sa.select(_NEWEST)
_MARK = sa.select(_NEWEST, sa.func.count(audit.c.id))
_BEFORE = _LAST.where(audit.c.model_id == sa.bindparam("m"))


def add(connection: sa.Connection, row: AuditRow) -> int:
    """Write a line; its number orders all that ever happened in this yard."""
    values = row._asdict()
    if floor := connection.info.get(_FLOOR):
        values["id"] = max(last(connection) + 1, floor)
    key = connection.execute(_INSERT, values).inserted_primary_key
    number = int(key[0]) if key else 0
    connection.info.setdefault(_WATCHED, []).append((number, row))
    return number


def put(connection: sa.Connection, number: int, row: AuditRow) -> None:
    """Write a line under its old number, when the log is made again."""
    connection.execute(_INSERT, {"id": number, **row._asdict()})


def last(connection: sa.Connection) -> int:
    """Number of the newest line. A lower one may still appear: see `mark`."""
    return int(connection.execute(_LAST).scalar_one())


def mark(connection: sa.Connection) -> Mark:
    """As long as it stays the same, nothing happened.

    PostgreSQL and MySQL hand out numbers before the transaction commits: a line may appear below
    `last`. Lines never go, so their count tells. What is in flight shows only when it is
    committed: to be sure of the moment, ask under the exclusive gate (`Catalog.write_alone`).
    """
    newest, count = connection.execute(_MARK).one()
    return int(newest), int(count)


def before(connection: sa.Connection, model: int) -> int:
    """Number of a model's newest line, 0 if it has none; the model is to be locked."""
    return int(connection.execute(_BEFORE, {"m": model}).scalar_one())


# -- lost replies ------------------------------------------------------------------------------


def watch(connection: sa.Connection, floor: int = 0) -> list[Line]:
    """From now on, remember which lines are written, in the list that this gives.

    Args:
        floor: Numbers below are not given to lines: they are in the store, in entries of others
            that were undone.
    """
    connection.info[_FLOOR] = floor
    lines: list[Line] = []
    connection.info[_WATCHED] = lines
    return lines


def watched(connection: sa.Connection) -> list[Line]:
    """The lines that were written since."""
    return list(connection.info.pop(_WATCHED, ()))


def is_there(connection: sa.Connection, line: Line) -> bool:
    """Whether the transaction that wrote a line took effect; ends as much as it began.

    If it is not over yet, waits for it: writing the same line meets its lock.
    """
    number, row = line
    with connection.begin() as transaction:
        try:
            connection.execute(_INSERT, {"id": number, **row._asdict()})
            return False
        except sa.exc.IntegrityError:
            pass
        finally:
            transaction.rollback()
    with connection.begin():
        found = connection.execute(_OF, {"key": number}).one_or_none()
    return found is not None and tuple(found) == (row.time, row.action, row.model_id)


def moves_page(
    connection: sa.Connection, model: int, name: str | None, *, before: int | None, limit: int
) -> list[tuple[int, MoveRow]]:
    """Moves with the numbers of their lines, newest first, from below a line on."""
    statement = _MOVES.add_columns(audit.c.id).limit(limit)
    given: dict[str, object] = {"m": model}
    if name is not None:
        statement, given = statement.where(audit.c.ref == sa.bindparam("n")), {**given, "n": name}
    if before is not None:
        statement = statement.where(audit.c.id < before)
    return [(int(row[-1]), MoveRow(*row[:-1])) for row in connection.execute(statement, given)]


def moves(connection: sa.Connection, model: int, name: str | None) -> list[MoveRow]:
    """Every move of one ref, or of all, newest first."""
    if name is None:
        return [MoveRow(*row) for row in connection.execute(_MOVES, {"m": model})]
    return [MoveRow(*row) for row in connection.execute(_MOVES_OF, {"m": model, "n": name})]
