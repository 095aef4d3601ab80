"""Statements about jobs: long work of servers, which every server can be asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.schema import job

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["JobRow", "add", "drop_old", "get", "lose", "newest", "update"]


class JobRow(NamedTuple):
    """One job."""

    id: str
    account_id: int
    kind: str
    models: str
    state: str
    phase: str
    done: int
    total: int | None
    result: bytes | None
    created: int
    changed: int


_COLUMNS = [job.c[name] for name in JobRow._fields]
_GET = sa.select(*_COLUMNS).where(job.c.id == sa.bindparam("key"))
_OPEN = job.c.state.in_(("waiting", "running"))


def add(connection: sa.Connection, row: JobRow) -> None:
    """A new job."""
    connection.execute(sa.insert(job), row._asdict())


def get(connection: sa.Connection, key: str) -> JobRow | None:
    """A job by its id."""
    row = connection.execute(_GET, {"key": key}).one_or_none()
    return None if row is None else JobRow(*row)


def newest(connection: sa.Connection, account: int | None, limit: int) -> list[JobRow]:
    """The newest jobs of an account, or of all."""
    query = sa.select(*_COLUMNS).order_by(job.c.created.desc(), job.c.id).limit(limit)
    if account is not None:
        query = query.where(job.c.account_id == account)
    return [JobRow(*row) for row in connection.execute(query)]


def update(connection: sa.Connection, row: JobRow) -> None:
    """How far a job is; one that was given up as lost stays so."""
    values = row._asdict()
    key = values.pop("id")
    connection.execute(sa.update(job).where(job.c.id == key, _OPEN).values(values))


def lose(connection: sa.Connection, before: int, now: int, keys: Sequence[str] = ()) -> None:
    """Give up jobs without a sign of life since a time; and these ones."""
    dead = sa.and_(_OPEN, job.c.changed < before)
    if keys:
        dead = sa.or_(dead, sa.and_(_OPEN, job.c.id.in_(keys)))
    connection.execute(sa.update(job).where(dead).values(state="lost", changed=now))


def drop_old(connection: sa.Connection, before: int) -> None:
    """Forget jobs that ended before a time."""
    connection.execute(sa.delete(job).where(sa.not_(_OPEN), job.c.changed < before))
