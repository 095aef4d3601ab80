"""Statements about the audit log as people read it: newest first, filtered, in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.schema import audit, model, version

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LineRow", "page"]


class LineRow(NamedTuple):
    """A line, with what its model is called now."""

    id: int
    time: int
    action: str
    model: str | None
    who: str
    account: str | None
    address: str | None
    request: str | None
    ref: str | None
    kind: str | None
    old: int | None
    new: int | None
    detail: str | None


_ABOUT = sa.func.abs(audit.c.model_id)
"""Lines that are not journalled stand under the model's negative id."""
_version = sa.and_(version.c.model_id == audit.c.model_id, version.c.number == audit.c.new)
_SELECT = (
    sa.select(
        audit.c.id, audit.c.time, audit.c.action, model.c.name,
        sa.func.coalesce(audit.c.who, version.c.author, ""), audit.c.account, audit.c.address,
        audit.c.request, audit.c.ref, audit.c.kind, audit.c.old, audit.c.new, audit.c.detail,
    )
    .select_from(audit)
    .outerjoin(model, model.c.id == _ABOUT)
    .outerjoin(version, _version)
    .order_by(audit.c.id.desc())
)  # fmt: skip


def page(
    connection: sa.Connection,
    *,
    before: int | None,
    limit: int,
    model_id: int | None = None,
    account: str | None = None,
    action: str | None = None,
    since: int | None = None,
    until: int | None = None,
    patterns: Sequence[str] | None = None,
) -> list[LineRow]:
    """Lines below a number, newest first.

    Args:
        patterns: Only lines about models whose names fit one of these; None: all lines.
    """
    wanted: list[Any] = []
    if before is not None:
        wanted.append(audit.c.id < before)
    if model_id is not None:
        wanted.append(audit.c.model_id.in_([model_id, -model_id]))
    if account is not None:
        wanted.append(audit.c.account == account)
    if action is not None:
        wanted.append(audit.c.action == action)
    if since is not None:
        wanted.append(audit.c.time >= since)
    if until is not None:
        wanted.append(audit.c.time < until)
    if patterns is not None:
        wanted.append(model.c.id.is_not(None))
        wanted.append(sa.or_(sa.false(), *(_fits(pattern) for pattern in patterns)))
    rows = connection.execute(_SELECT.where(*wanted).limit(limit))
    return [LineRow._make(row) for row in rows]


def _fits(pattern: str) -> Any:
    if pattern == "*":
        return sa.true()
    if pattern.endswith("/*"):
        start = pattern[:-1]
        return sa.func.substr(model.c.name, 1, len(start)) == start
    return model.c.name == pattern
