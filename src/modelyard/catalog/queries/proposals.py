"""Statements about proposals, and about who approved them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries.chunks import batches
from modelyard.catalog.schema import approval, proposal

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ProposalRow", "approve", "approvers", "by_id", "create", "end", "listed"]


class ProposalRow(NamedTuple):
    """A row of `proposal`."""

    id: int
    model_id: int
    ref: str
    old: int | None
    new: int
    message: str
    state: str
    who: str
    created: int
    changed: int


_SELECT = sa.select(*(proposal.c[name] for name in ProposalRow._fields))
_BY_ID = _SELECT.where(proposal.c.id == sa.bindparam("key"))
_APPROVERS = (
    sa.select(approval.c.proposal_id, approval.c.who)
    .where(approval.c.proposal_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(approval.c.created, approval.c.who)
)
_END = (
    sa.update(proposal)
    .where(proposal.c.id == sa.bindparam("key"), proposal.c.state == "open")
    .values(state=sa.bindparam("to_state"), changed=sa.bindparam("now"))
)


def by_id(connection: sa.Connection, key: int) -> ProposalRow | None:
    row = connection.execute(_BY_ID, {"key": key}).first()
    return None if row is None else ProposalRow._make(row)


def listed(
    connection: sa.Connection, *, model: int | None, state: str | None, limit: int
) -> list[ProposalRow]:
    """Of one model or of all, in one state or in any; newest first."""
    statement = _SELECT.order_by(proposal.c.id.desc()).limit(limit)
    if model is not None:
        statement = statement.where(proposal.c.model_id == model)
    if state is not None:
        statement = statement.where(proposal.c.state == state)
    return [ProposalRow._make(row) for row in connection.execute(statement)]


def create(connection: sa.Connection, **values: object) -> int:
    key = connection.execute(sa.insert(proposal), values).inserted_primary_key
    return int(key[0]) if key else 0


def end(connection: sa.Connection, key: int, state: str, now: int) -> bool:
    """Close an open proposal; False if it is not open any more."""
    values = {"key": key, "to_state": state, "now": now}
    return connection.execute(_END, values).rowcount == 1


def approve(connection: sa.Connection, key: int, who: str, now: int) -> None:
    """Whoever approved already is refused by the primary key."""
    values = {"proposal_id": key, "who": who, "created": now}
    connection.execute(sa.insert(approval), values)


def approvers(connection: sa.Connection, keys: Iterable[int]) -> dict[int, list[str]]:
    """Who approved, by proposal."""
    found: dict[int, list[str]] = {}
    for batch in batches(keys):
        for row in connection.execute(_APPROVERS, {"ids": batch}):
            found.setdefault(row.proposal_id, []).append(row.who)
    return found
