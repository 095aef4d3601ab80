"""Statements about answers whose truth may still come, and truths whose answers may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.schema import watch_answer, watch_waiting

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = [
    "AnswerRow",
    "Head",
    "WaitingRow",
    "add",
    "add_waiting",
    "bodies",
    "count",
    "drop",
    "drop_of",
    "drop_waiting",
    "heads",
    "is_there",
    "joined",
    "kept_of",
    "set_joined",
    "waiting",
    "waiting_at",
    "waiting_count",
    "waiting_of",
]

_MANY = 400
"""Values of one statement: SQLite had no more than 999."""


class AnswerRow(NamedTuple):
    """A row of `watch_answer`, without its id."""

    deployment_id: int
    model_id: int
    number: int
    first: int
    """Seconds since 1970; so is `last`."""
    last: int
    rows: int
    size: int
    body: bytes
    joined: bytes


class Head(NamedTuple):
    """A row of `watch_answer` without its bodies."""

    id: int
    model_id: int
    number: int
    first: int
    last: int
    rows: int
    size: int


class WaitingRow(NamedTuple):
    """A row of `watch_waiting`."""

    deployment_id: int
    request: str
    place: int
    truth: str
    time: int


_HEADS = (
    sa.select(*(watch_answer.c[name] for name in Head._fields))
    .where(
        watch_answer.c.deployment_id == sa.bindparam("d"), watch_answer.c.last >= sa.bindparam("l")
    )
    .order_by(watch_answer.c.last.desc(), watch_answer.c.id.desc())
)
_WAITING = sa.select(*(watch_waiting.c[name] for name in WaitingRow._fields))


# -- answers -----------------------------------------------------------------------------------


def add(connection: sa.Connection, row: AnswerRow) -> None:
    connection.execute(sa.insert(watch_answer), row._asdict())


def is_there(connection: sa.Connection, row: AnswerRow) -> bool:
    """Whether the same answers are there already; what is joined in them does not matter."""
    alike = ("deployment_id", "last", "model_id", "number", "first", "rows", "size")
    found = connection.execute(
        sa.select(watch_answer.c.body).where(
            *(watch_answer.c[name] == getattr(row, name) for name in alike)
        )
    )
    return any(bytes(body) == row.body for (body,) in found)


def heads(connection: sa.Connection, deployment_id: int, since: int = 0) -> list[Head]:
    """Those whose last answer is no older; newest first."""
    rows = connection.execute(_HEADS, {"d": deployment_id, "l": since})
    return [Head._make(row) for row in rows]


def bodies(connection: sa.Connection, keys: Collection[int]) -> dict[int, bytes]:
    """By id; those that are gone are left out."""
    return _read(connection, watch_answer.c.body, keys)


def count(connection: sa.Connection, keys: Collection[int]) -> int:
    """How many of these are there."""
    total, wanted = 0, sorted(keys)
    for at in range(0, len(wanted), _MANY):
        statement = sa.select(sa.func.count()).where(watch_answer.c.id.in_(wanted[at : at + _MANY]))
        total += int(connection.execute(statement).scalar_one())
    return total


def joined(connection: sa.Connection, keys: Collection[int]) -> dict[int, bytes]:
    """By id; those that are gone are left out."""
    return _read(connection, watch_answer.c.joined, keys)


def _read(
    connection: sa.Connection, column: sa.Column[Any], keys: Collection[int]
) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    wanted = sorted(keys)
    for at in range(0, len(wanted), _MANY):
        some = wanted[at : at + _MANY]
        rows = connection.execute(
            sa.select(watch_answer.c.id, column).where(watch_answer.c.id.in_(some))
        )
        found.update((int(row[0]), bytes(row[1])) for row in rows)
    return found


def set_joined(connection: sa.Connection, key: int, value: bytes) -> None:
    connection.execute(sa.update(watch_answer).where(watch_answer.c.id == key).values(joined=value))


def drop(connection: sa.Connection, keys: Collection[int]) -> None:
    wanted = sorted(keys)
    for at in range(0, len(wanted), _MANY):
        some = wanted[at : at + _MANY]
        connection.execute(sa.delete(watch_answer).where(watch_answer.c.id.in_(some)))


def drop_of(connection: sa.Connection, deployment_id: int) -> None:
    """All answers of a deployment, and all truths that wait for some."""
    for table in (watch_answer, watch_waiting):
        connection.execute(sa.delete(table).where(table.c.deployment_id == deployment_id))


def kept_of(connection: sa.Connection) -> list[int]:
    """Ids of deployments that have answers."""
    rows = connection.execute(sa.select(watch_answer.c.deployment_id).distinct())
    return sorted(int(row[0]) for row in rows)


# -- truths that wait --------------------------------------------------------------------------


def waiting_of(connection: sa.Connection) -> list[int]:
    """Ids of deployments that have any."""
    rows = connection.execute(sa.select(watch_waiting.c.deployment_id).distinct())
    return sorted(int(row[0]) for row in rows)


def waiting(connection: sa.Connection, deployment_id: int) -> list[WaitingRow]:
    """All of a deployment, oldest first."""
    rows = connection.execute(
        _WAITING.where(watch_waiting.c.deployment_id == deployment_id).order_by(
            watch_waiting.c.time, watch_waiting.c.request, watch_waiting.c.place
        )
    )
    return [WaitingRow._make(row) for row in rows]


def waiting_at(
    connection: sa.Connection, deployment_id: int, requests: Collection[str]
) -> dict[tuple[str, int], str]:
    """What waits of these requests: by request and place."""
    found: dict[tuple[str, int], str] = {}
    wanted = sorted(requests)
    for at in range(0, len(wanted), _MANY):
        rows = connection.execute(
            _WAITING.where(
                watch_waiting.c.deployment_id == deployment_id,
                watch_waiting.c.request.in_(wanted[at : at + _MANY]),
            )
        )
        for row in rows:
            one = WaitingRow._make(row)
            found[one.request, one.place] = one.truth
    return found


def waiting_count(connection: sa.Connection, deployment_id: int) -> int:
    """How many of a deployment wait."""
    found = connection.execute(
        sa.select(sa.func.count()).where(watch_waiting.c.deployment_id == deployment_id)
    )
    return int(found.scalar_one())


def add_waiting(connection: sa.Connection, rows: Sequence[WaitingRow]) -> None:
    """None of these may be there already."""
    if rows:
        connection.execute(sa.insert(watch_waiting), [row._asdict() for row in rows])


def drop_waiting(
    connection: sa.Connection, deployment_id: int, keys: Collection[tuple[str, int]]
) -> None:
    """Of a deployment, by request and place."""
    if keys:
        statement = sa.delete(watch_waiting).where(
            watch_waiting.c.deployment_id == deployment_id,
            watch_waiting.c.request == sa.bindparam("r"),
            watch_waiting.c.place == sa.bindparam("p"),
        )
        connection.execute(statement, [{"r": request, "p": place} for request, place in keys])
