"""Statements about the audit log as a feed: in the order of its numbers, nothing skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.schema import audit, model, version

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EventRow", "latest", "newest", "one", "page", "unbroken"]


class EventRow(NamedTuple):
    """A line of the audit log, with what its model and version are called now."""

    id: int
    time: int
    action: str
    model: str | None
    """None if the model is gone for good, or the line is about none."""
    ref: str | None
    kind: str | None
    old: int | None
    new: int | None
    who: str
    account: str | None
    detail: str | None
    commit_id: bytes | None
    message: str | None


_version = sa.and_(version.c.model_id == audit.c.model_id, version.c.number == audit.c.new)
_SELECT = (
    sa.select(
        audit.c.id, audit.c.time, audit.c.action, model.c.name, audit.c.ref, audit.c.kind,
        audit.c.old, audit.c.new, sa.func.coalesce(audit.c.who, version.c.author, ""),
        audit.c.account, audit.c.detail, version.c.commit_id, version.c.message,
    )
    .select_from(audit)
    # what the journal does not hold is under the negative id of its model
    .outerjoin(model, model.c.id == sa.func.abs(audit.c.model_id))
    .outerjoin(version, _version)
)  # fmt: skip
_IS_ACTION = audit.c.action.in_(sa.bindparam("actions", expanding=True))
_PAGE = (
    _SELECT.where(
        audit.c.id > sa.bindparam("after"),
        audit.c.id <= sa.bindparam("upto"),
        sa.or_(
            audit.c.ref.is_not(None), audit.c.action.in_(sa.bindparam("actions", expanding=True))
        ),
    )
    .order_by(audit.c.id)
    .limit(sa.bindparam("n"))
)
_ONE = _SELECT.where(audit.c.id == sa.bindparam("key"))
_SINCE = sa.select(sa.func.coalesce(sa.func.max(audit.c.id), 0), sa.func.count(audit.c.id)).where(
    audit.c.id > sa.bindparam("after")
)
_NEWEST = sa.select(sa.func.coalesce(sa.func.max(audit.c.id), 0))
_following = audit.alias("following")
_UNBROKEN = (
    sa.select(sa.func.min(audit.c.id))
    .select_from(audit)
    .outerjoin(_following, _following.c.id == audit.c.id + 1)
    .where(audit.c.id >= sa.bindparam("after"), _following.c.id.is_(None))
)


def page(
    connection: sa.Connection, after: int, upto: int, actions: Sequence[str], limit: int
) -> list[EventRow]:
    """Lines of these actions, and moves of refs: numbers above `after`, not above `upto`."""
    given = {"after": after, "upto": upto, "actions": list(actions), "n": limit}
    return [EventRow._make(row) for row in connection.execute(_PAGE, given)]


def latest(
    connection: sa.Connection,
    *,
    actions: Sequence[str],
    limit: int,
    before: int | None = None,
    after: int | None = None,
    of: Sequence[int] | None = None,
    account: str | None = None,
    kind: str | None = None,
    action: str | None = None,
    where: sa.ColumnElement[bool] | None = None,
) -> list[EventRow]:
    """Lines of these actions, and moves of refs, the newest first.

    Args:
        before: Numbers below this one.
        after: Numbers above this one.
        of: Of these models, by id.
        kind: Only moves: `created`, `moved`, `deleted`.
        action: Only of this action, and no moves.
        where: Of models that meet a condition.
    """
    moves = sa.and_(audit.c.kind.is_not(None), audit.c.action != "commit")
    wanted = [sa.or_(audit.c.ref.is_not(None), audit.c.action.in_(actions))]
    if before is not None:
        wanted.append(audit.c.id < before)
    if after is not None:
        wanted.append(audit.c.id > after)
    if of is not None:
        wanted.append(audit.c.model_id.in_([*of, *(-key for key in of)]))
    if account is not None:
        wanted.append(audit.c.account == account)
    if kind is not None:
        wanted += [moves, *_MOVED[kind]]
    if action is not None:
        wanted += [audit.c.action == action, sa.not_(moves)]
    if where is not None:
        wanted.append(where)
    statement = _SELECT.where(*wanted).order_by(audit.c.id.desc()).limit(limit)
    return [EventRow._make(row) for row in connection.execute(statement)]


_MOVED = {
    "created": (audit.c.old.is_(None), audit.c.new.is_not(None)),
    "moved": (audit.c.old.is_not(None), audit.c.new.is_not(None)),
    "deleted": (audit.c.new.is_(None),),
}


def one(connection: sa.Connection, key: int) -> EventRow | None:
    row = connection.execute(_ONE, {"key": key}).first()
    return None if row is None else EventRow._make(row)


def newest(connection: sa.Connection, after: int | None = None) -> tuple[int, bool]:
    """The newest number, and whether every number between `after` and it is there."""
    if after is None:
        return int(connection.execute(_NEWEST).scalar_one()), False
    top, lines = connection.execute(_SINCE, {"after": after}).one()
    return (int(top), int(top) - after == int(lines)) if lines else (after, True)


def unbroken(connection: sa.Connection, after: int) -> int:
    """The last number from which none is missing down to `after`, which is to be there; or 0."""
    if after == 0 and connection.execute(_ONE, {"key": 1}).first() is None:
        return 0
    found = connection.execute(_UNBROKEN, {"after": after}).scalar()
    return after if found is None else int(found)
