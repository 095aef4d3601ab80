"""Statements about requests that may be sent again: their keys, and what was answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.schema import audit, repeat

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RepeatRow", "answer", "begin", "drop", "drop_old", "get", "had_effect", "take_over"]


class RepeatRow(NamedTuple):
    """One request; its status is 0 while it is under way."""

    account_id: int
    key: str
    digest: bytes
    status: int
    headers: str
    body: bytes
    created: int


_THIS = sa.and_(
    repeat.c.account_id == sa.bindparam("account"), repeat.c.key == sa.bindparam("its_key")
)
_MINE = sa.and_(_THIS, repeat.c.created == sa.bindparam("begun"))
"""Of all that were sent with a key, the one that began then."""
_GET = sa.select(*[repeat.c[name] for name in RepeatRow._fields]).where(_THIS)
_BEGIN = sa.insert(repeat)
_BEGIN_ONCE = _BEGIN.prefix_with("OR IGNORE")
_ANSWER = (
    sa.update(repeat)
    .where(_MINE)
    .values(
        status=sa.bindparam("to_status"), headers=sa.bindparam("to_headers"),
        body=sa.bindparam("to_body"),
    )
)  # fmt: skip


def begin(connection: sa.Connection, row: RepeatRow) -> RepeatRow | None:
    """Note that a request is under way; the one that has its key, if there is one."""
    if connection.dialect.name == "sqlite":  # nobody else writes now
        made = connection.execute(_BEGIN_ONCE, row._asdict()).rowcount
        return None if made else get(connection, row)
    found = get(connection, row)
    if found is not None:
        return found
    try:
        with connection.begin_nested():
            connection.execute(_BEGIN, row._asdict())
        return None
    except sa.exc.IntegrityError:  # another server was quicker
        return get(connection, row)


def take_over(connection: sa.Connection, row: RepeatRow, created: int) -> bool:
    """Begin in place of one that was begun at this time and never ended."""
    same = sa.and_(_THIS, repeat.c.status == 0, repeat.c.created == created)
    values = {"headers": row.headers, "created": row.created}
    done = connection.execute(sa.update(repeat).where(same).values(values), _names(row))
    return bool(done.rowcount)


def answer(connection: sa.Connection, rows: Sequence[RepeatRow]) -> None:
    """Keep what was answered to these."""
    told = [
        {
            **_names(row),
            "begun": row.created,
            "to_status": row.status,
            "to_headers": row.headers,
            "to_body": row.body,
        }
        for row in rows
    ]
    connection.execute(_ANSWER, told)


def drop(connection: sa.Connection, row: RepeatRow) -> None:
    """Forget a request: it may be sent again as if it had never been."""
    connection.execute(sa.delete(repeat).where(_MINE), {**_names(row), "begun": row.created})


def drop_old(connection: sa.Connection, before: int) -> None:
    """Forget all that were begun before a time."""
    connection.execute(sa.delete(repeat).where(repeat.c.created < before))


def had_effect(connection: sa.Connection, request: str, since: int) -> bool:
    """Whether a request that began at a time left a line in the audit log."""
    lines = sa.select(audit.c.id).where(audit.c.request == request, audit.c.time >= since)
    return connection.execute(lines.limit(1)).first() is not None


def get(connection: sa.Connection, row: RepeatRow) -> RepeatRow | None:
    """What is known of a request with the key of this one."""
    found = connection.execute(_GET, _names(row)).one_or_none()
    return None if found is None else RepeatRow(*found)


def _names(row: RepeatRow) -> dict[str, object]:
    return {"account": row.account_id, "its_key": row.key}
