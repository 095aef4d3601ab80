"""Statements about optimizations and their trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.schema import optimization, optimization_trial

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["OptimizationRow", "add", "change", "get", "page", "put_trials", "trial", "trials"]


class OptimizationRow(NamedTuple):
    """A row of `optimization`."""

    id: int
    model_id: int
    number: int
    state: str
    who: str
    created: int
    changed: int
    body: str


_SELECT = sa.select(*(optimization.c[name] for name in OptimizationRow._fields))


def add(connection: sa.Connection, row: OptimizationRow) -> int:
    """Its id is given by the database."""
    values = row._asdict()
    del values["id"]
    key = connection.execute(sa.insert(optimization), values).inserted_primary_key
    return int(key[0]) if key else 0


def get(connection: sa.Connection, key: int, *, lock: bool = False) -> OptimizationRow | None:
    query = _SELECT.where(optimization.c.id == key)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else OptimizationRow._make(row)


def page(
    connection: sa.Connection, model_id: int | None, before: int | None, limit: int
) -> list[OptimizationRow]:
    """Newest first."""
    query = _SELECT.order_by(optimization.c.id.desc()).limit(limit)
    if model_id is not None:
        query = query.where(optimization.c.model_id == model_id)
    if before is not None:
        query = query.where(optimization.c.id < before)
    return [OptimizationRow._make(row) for row in connection.execute(query)]


def change(connection: sa.Connection, key: int, state: str, changed: int, body: str) -> None:
    where = sa.update(optimization).where(optimization.c.id == key)
    connection.execute(where.values(state=state, changed=changed, body=body))


def put_trials(connection: sa.Connection, key: int, bodies: Mapping[int, str]) -> None:
    """By number; in the place of what was there."""
    if not bodies:
        return
    of_it = optimization_trial.c.optimization_id == key
    connection.execute(
        sa.delete(optimization_trial).where(of_it, optimization_trial.c.number.in_(list(bodies)))
    )
    connection.execute(
        sa.insert(optimization_trial),
        [{"optimization_id": key, "number": n, "body": body} for n, body in bodies.items()],
    )


def trials(connection: sa.Connection, key: int, after: int) -> Sequence[str]:
    """Bodies, in the order of their numbers."""
    query = (
        sa.select(optimization_trial.c.body)
        .where(optimization_trial.c.optimization_id == key, optimization_trial.c.number > after)
        .order_by(optimization_trial.c.number)
    )
    return connection.execute(query).scalars().all()


def trial(connection: sa.Connection, key: int, number: int) -> str | None:
    """The body of one."""
    query = sa.select(optimization_trial.c.body).where(
        optimization_trial.c.optimization_id == key, optimization_trial.c.number == number
    )
    return connection.execute(query).scalar_one_or_none()
