"""Statements about the chain of seals over the audit log, and about the lines that they cover."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.schema import audit, chain

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SealRow", "add", "all_seals", "by_digest", "is_behind", "last", "lines"]


class SealRow(NamedTuple):
    """A row of `chain`."""

    id: int
    first: int
    last: int
    lines: int
    digest: bytes
    time: int


_SELECT = sa.select(*(chain.c[name] for name in SealRow._fields))
_LAST = _SELECT.order_by(chain.c.id.desc()).limit(1)
_ALL = _SELECT.where(chain.c.id > sa.bindparam("after")).order_by(chain.c.id).limit(500)
_BY_DIGEST = _SELECT.where(chain.c.digest == sa.bindparam("digest")).limit(1)
_LINES = (
    sa.select(
        audit.c.id, audit.c.time, audit.c.action, audit.c.model_id, audit.c.who, audit.c.ref,
        audit.c.kind, audit.c.old, audit.c.new, audit.c.detail, audit.c.account,
        audit.c.address, audit.c.request,
    )
    .where(audit.c.id > sa.bindparam("after"), audit.c.id <= sa.bindparam("upto"))
    .order_by(audit.c.id)
    .limit(sa.bindparam("n"))
)  # fmt: skip
_BEHIND = sa.select(audit.c.id).where(audit.c.id > sa.bindparam("after")).limit(1)
_TOP = 1 << 62


def last(connection: sa.Connection) -> SealRow | None:
    """The head of the chain."""
    row = connection.execute(_LAST).first()
    return None if row is None else _seal(row)


def all_seals(connection: sa.Connection) -> Iterator[SealRow]:
    """From the first on."""
    after = 0
    while True:
        rows = [_seal(row) for row in connection.execute(_ALL, {"after": after})]
        yield from rows
        if not rows:
            return
        after = rows[-1].id


def by_digest(connection: sa.Connection, digest: bytes) -> SealRow | None:
    row = connection.execute(_BY_DIGEST, {"digest": digest}).first()
    return None if row is None else _seal(row)


def add(connection: sa.Connection, seal: SealRow) -> None:
    values = seal._asdict()
    del values["id"]
    connection.execute(sa.insert(chain), values)


def lines(
    connection: sa.Connection, after: int, upto: int | None, limit: int
) -> list[tuple[Any, ...]]:
    """Lines with all that they say, in order: at most `limit`, from behind a number on."""
    given = {"after": after, "upto": _TOP if upto is None else upto, "n": limit}
    return [tuple(row) for row in connection.execute(_LINES, given)]


def is_behind(connection: sa.Connection, after: int) -> bool:
    """Whether there are lines behind this number."""
    return connection.execute(_BEHIND, {"after": after}).first() is not None


def _seal(row: Any) -> SealRow:
    return SealRow._make(row)._replace(digest=bytes(row.digest))
