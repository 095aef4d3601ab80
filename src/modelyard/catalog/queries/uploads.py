"""Statements about uploads: commits that are on their way from clients, in several requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries.dialects import insert_new
from modelyard.catalog.schema import upload

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["UploadRow", "add", "begin", "end", "get", "old"]


class UploadRow(NamedTuple):
    """A row of `upload`."""

    session: str
    account_id: int
    model: str
    new_bytes: int
    created: int
    changed: int


_GET = sa.select(*(upload.c[name] for name in UploadRow._fields)).where(
    upload.c.session == sa.bindparam("key")
)
_ADD = (
    sa.update(upload)
    .where(upload.c.session == sa.bindparam("key"))
    .values(new_bytes=upload.c.new_bytes + sa.bindparam("more"), changed=sa.bindparam("now"))
)
_OLD = sa.select(upload.c.session).where(upload.c.changed < sa.bindparam("before")).limit(100)


def get(connection: sa.Connection, session: str) -> UploadRow | None:
    row = connection.execute(_GET, {"key": session}).one_or_none()
    return None if row is None else UploadRow._make(row)


def begin(connection: sa.Connection, session: str, account: int, model: str, now: int) -> UploadRow:
    """The session's row: the one that is there, or a new one."""
    values = UploadRow(session, account, model, 0, now, now)._asdict()
    insert_new(connection, upload, "session", [values])
    found = get(connection, session)
    if found is None:
        raise AssertionError("a row went that was just put")
    return found


def add(connection: sa.Connection, session: str, new_bytes: int, now: int) -> None:
    connection.execute(_ADD, {"key": session, "more": new_bytes, "now": now})


def end(connection: sa.Connection, session: str) -> None:
    connection.execute(sa.delete(upload).where(upload.c.session == session))


def old(connection: sa.Connection, before: int) -> Sequence[str]:
    """Sessions that nobody sent anything to since a time; some of them, if there are many."""
    return connection.execute(_OLD, {"before": before}).scalars().all()
