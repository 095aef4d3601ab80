"""Statements about deployments: what is wished, what servers say of it, how it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries.dialects import put
from modelyard.catalog.schema import (
    deployment,
    deployment_change,
    deployment_server,
    deployment_share,
    model,
    ref,
    version,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "LATEST",
    "ChangeRow",
    "DeploymentRow",
    "ServerRow",
    "ShareRow",
    "add_change",
    "beat",
    "by_name",
    "changes_of",
    "create",
    "due",
    "forget",
    "living",
    "servers_of",
    "set_shares",
    "shares",
    "update",
    "using",
    "wished",
]  # fmt: skip

LATEST = "latest"
"""In the place of a ref: the newest version."""
_PAGE = 100


class DeploymentRow(NamedTuple):
    """A row of `deployment`."""

    id: int
    name: str
    generation: int
    spec: str
    due: int
    created: int
    updated: int
    who: str
    paused: bool
    deleted: int


class ShareRow(NamedTuple):
    """A row of `deployment_share`, with what it is called and where its ref is now."""

    deployment_id: int
    place: int
    generation: int
    paused: bool
    model_id: int
    model: str
    ref: str
    number: int
    """Of the version that is served."""
    now: int
    """Of the version that the ref means; `number` if it follows none."""
    commit_id: bytes | None
    """Of the version `now`."""
    served_commit: bytes | None
    """Of the version `number`."""


class ServerRow(NamedTuple):
    """A row of `deployment_server`."""

    deployment_id: int
    server: str
    generation: int
    seen: int
    versions: str


class ChangeRow(NamedTuple):
    """A row of `deployment_change`."""

    generation: int
    time: int
    who: str
    action: str
    spec: str
    detail: str


_SELECT = sa.select(*(deployment.c[name] for name in DeploymentRow._fields))
_BY_NAME = _SELECT.where(deployment.c.name == sa.bindparam("name"))
_LIVING = _SELECT.where(deployment.c.deleted == 0).order_by(deployment.c.name)
_DUE = _SELECT.where(
    deployment.c.due > 0, deployment.c.due <= sa.bindparam("now"), deployment.c.deleted == 0
).order_by(deployment.c.due)

_newest = (
    sa.select(sa.func.max(version.c.number))
    .where(version.c.model_id == deployment_share.c.model_id, version.c.deleted == 0)
    .scalar_subquery()
)
_now = sa.func.coalesce(
    sa.case((deployment_share.c.ref == LATEST, _newest), else_=ref.c.number),
    deployment_share.c.number,
)
_there, _served = version.alias("there"), version.alias("served")
_SHARES = (
    sa.select(
        deployment_share.c.deployment_id, deployment_share.c.place, deployment.c.generation,
        deployment.c.paused, deployment_share.c.model_id, model.c.name, deployment_share.c.ref,
        deployment_share.c.number, _now, _there.c.commit_id, _served.c.commit_id,
    )
    .select_from(deployment_share)
    .join(deployment, deployment.c.id == deployment_share.c.deployment_id)
    .join(model, model.c.id == deployment_share.c.model_id)
    .outerjoin(
        ref,
        sa.and_(
            ref.c.model_id == deployment_share.c.model_id, ref.c.name == deployment_share.c.ref
        ),
    )
    .outerjoin(
        _there,
        sa.and_(_there.c.model_id == deployment_share.c.model_id, _there.c.number == _now),
    )
    .outerjoin(
        _served,
        sa.and_(
            _served.c.model_id == deployment_share.c.model_id,
            _served.c.number == deployment_share.c.number,
        ),
    )
    .order_by(deployment_share.c.deployment_id, deployment_share.c.place)
)  # fmt: skip
_USING = (
    sa.select(deployment.c.name, deployment_share.c.number)
    .join(deployment, deployment.c.id == deployment_share.c.deployment_id)
    .where(deployment_share.c.model_id == sa.bindparam("m"), deployment.c.deleted == 0)
    .order_by(deployment.c.name)
)
_DROP_SHARES = sa.delete(deployment_share).where(
    deployment_share.c.deployment_id == sa.bindparam("key")
)
_SERVERS = sa.select(*(deployment_server.c[name] for name in ServerRow._fields))
_CHANGES = (
    sa.select(*(deployment_change.c[name] for name in ChangeRow._fields))
    .where(
        deployment_change.c.deployment_id == sa.bindparam("key"),
        deployment_change.c.generation < sa.bindparam("below"),
    )
    .order_by(deployment_change.c.generation.desc())
    .limit(_PAGE)
)


# -- what is wished ----------------------------------------------------------------------------


def by_name(connection: sa.Connection, name: str) -> DeploymentRow | None:
    """Also one that is served no more: its history stays."""
    row = connection.execute(_BY_NAME, {"name": name}).first()
    return None if row is None else DeploymentRow._make(row)


def living(connection: sa.Connection) -> list[DeploymentRow]:
    """All that are to be served, by name."""
    return [DeploymentRow._make(row) for row in connection.execute(_LIVING)]


def due(connection: sa.Connection, now: int) -> list[DeploymentRow]:
    """Those whose rollout has a step to take."""
    return [DeploymentRow._make(row) for row in connection.execute(_DUE, {"now": now})]


def wished(connection: sa.Connection) -> tuple[ShareRow, ...]:
    """Everything that is to be served, and where it moved: equal as long as nothing changed."""
    rows = connection.execute(_SHARES.where(deployment.c.deleted == 0))
    return tuple(ShareRow._make(row) for row in rows)


def shares(connection: sa.Connection, key: int) -> list[ShareRow]:
    """Of one deployment, in the order of its spec."""
    rows = connection.execute(
        _SHARES.where(deployment_share.c.deployment_id == sa.bindparam("key")), {"key": key}
    )
    return [ShareRow._make(row) for row in rows]


def using(connection: sa.Connection, model_id: int) -> list[tuple[str, int]]:
    """Deployments that serve a model, with the numbers of its versions that they serve."""
    return [(row[0], int(row[1])) for row in connection.execute(_USING, {"m": model_id})]


def create(connection: sa.Connection, **values: object) -> int:
    key = connection.execute(sa.insert(deployment), values).inserted_primary_key
    return int(key[0]) if key else 0


def update(connection: sa.Connection, key: int, **values: object) -> None:
    connection.execute(sa.update(deployment).where(deployment.c.id == key).values(**values))


def set_shares(connection: sa.Connection, key: int, found: Sequence[tuple[int, str, int]]) -> None:
    """What it serves from now on: model, ref and number, in the order of the spec."""
    connection.execute(_DROP_SHARES, {"key": key})
    rows = [
        {"deployment_id": key, "place": at, "model_id": model_id, "ref": name, "number": number}
        for at, (model_id, name, number) in enumerate(found)
    ]
    if rows:
        connection.execute(sa.insert(deployment_share), rows)


# -- how it changed ----------------------------------------------------------------------------


def add_change(connection: sa.Connection, key: int, row: ChangeRow) -> None:
    connection.execute(sa.insert(deployment_change), {"deployment_id": key, **row._asdict()})


def changes_of(connection: sa.Connection, key: int, below: int = 1 << 62) -> list[ChangeRow]:
    """Some changes of a deployment before a generation, newest first; none are left at the end."""
    rows = connection.execute(_CHANGES, {"key": key, "below": below})
    return [ChangeRow._make(row) for row in rows]


# -- servers -----------------------------------------------------------------------------------


def beat(connection: sa.Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """What servers say, in place of what they said before."""
    put(connection, deployment_server, rows)


def forget(
    connection: sa.Connection,
    *,
    before: int = 0,
    server: str | None = None,
    besides: Iterable[int] = (),
    key: int | None = None,
) -> None:
    """Forget servers that were not heard of since a time; and these rows.

    Args:
        server: Its rows, besides those of these deployments.
        key: All rows of this deployment.
    """
    gone = deployment_server.c.seen < before
    if server is not None:
        mine = deployment_server.c.server == server
        kept = deployment_server.c.deployment_id.in_(list(besides))
        gone = sa.or_(gone, sa.and_(mine, sa.not_(kept)))
    if key is not None:
        gone = sa.or_(gone, deployment_server.c.deployment_id == key)
    connection.execute(sa.delete(deployment_server).where(gone))


def servers_of(
    connection: sa.Connection, since: int, key: int | None = None
) -> dict[int, list[ServerRow]]:
    """Servers heard of since a time, by deployment."""
    statement = _SERVERS.where(deployment_server.c.seen >= since)
    if key is not None:
        statement = statement.where(deployment_server.c.deployment_id == key)
    found: dict[int, list[ServerRow]] = {}
    for row in connection.execute(statement.order_by(deployment_server.c.server)):
        found.setdefault(row.deployment_id, []).append(ServerRow._make(row))
    return found
