"""Statements about monitoring: references, tiles, and who does what."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries.dialects import insert_new, put
from modelyard.catalog.schema import watch_lease, watch_profile, watch_tile

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ProfileRow",
    "TileRow",
    "add_lease",
    "drop_these",
    "drop_tiles",
    "lease_of",
    "numbered",
    "profile",
    "profiles_of",
    "put_profile",
    "put_tiles",
    "take_lease",
    "tile",
    "tiles",
]


class ProfileRow(NamedTuple):
    """A row of `watch_profile`."""

    model_id: int
    number: int
    source: str
    created: int
    info: str
    body: bytes


class TileRow(NamedTuple):
    """A row of `watch_tile`."""

    deployment_id: int
    model_id: int
    number: int
    kind: int
    """0: traffic; 1: truth."""
    level: int
    """0: a minute; 1: an hour; 2: a day."""
    start: int
    """Seconds since 1970."""
    server: str
    """Whose rows they are; empty: everybody's."""
    rows: int
    body: bytes


_TILES = sa.select(*(watch_tile.c[name] for name in TileRow._fields))
_PROFILE = sa.select(*(watch_profile.c[name] for name in ProfileRow._fields)).where(
    watch_profile.c.model_id == sa.bindparam("m"), watch_profile.c.number == sa.bindparam("n")
)
_PROFILES = sa.select(watch_profile.c.number, watch_profile.c.source, watch_profile.c.created)
_OF = (
    watch_tile.c.deployment_id == sa.bindparam("d"),
    watch_tile.c.kind == sa.bindparam("k"),
    watch_tile.c.level == sa.bindparam("l"),
    watch_tile.c.start >= sa.bindparam("a"),
    watch_tile.c.start < sa.bindparam("b"),
)
_LEASE = sa.select(watch_lease.c.server, watch_lease.c.until).where(
    watch_lease.c.name == sa.bindparam("name")
)


# -- references --------------------------------------------------------------------------------


def profile(connection: sa.Connection, model_id: int, number: int) -> ProfileRow | None:
    row = connection.execute(_PROFILE, {"m": model_id, "n": number}).first()
    return None if row is None else ProfileRow._make(row)


def profiles_of(connection: sa.Connection, model_id: int) -> list[tuple[int, str, int]]:
    """Number, source and time of each that a model has."""
    rows = connection.execute(_PROFILES.where(watch_profile.c.model_id == model_id))
    return [(int(row[0]), str(row[1]), int(row[2])) for row in rows]


def put_profile(connection: sa.Connection, row: ProfileRow) -> None:
    """In place of the one before."""
    put(connection, watch_profile, [row._asdict()])


# -- tiles -------------------------------------------------------------------------------------


def put_tiles(connection: sa.Connection, rows: Sequence[TileRow]) -> None:
    """In place of those with the same keys."""
    put(connection, watch_tile, [row._asdict() for row in rows])


def tiles(
    connection: sa.Connection, deployment_id: int, since: int, until: int, kind: int, level: int
) -> list[TileRow]:
    """Those that begin in [since, until), in time's order."""
    told = {"d": deployment_id, "k": kind, "l": level, "a": since, "b": until}
    rows = connection.execute(_TILES.where(*_OF).order_by(watch_tile.c.start), told)
    return [TileRow._make(row) for row in rows]


def tile(connection: sa.Connection, key: TileRow) -> bytes | None:
    """The body of the one with this row's key."""
    statement = sa.select(watch_tile.c.body).where(*_same(key))
    found: bytes | None = connection.execute(statement).scalar()
    return found


def _same(key: TileRow) -> list[sa.ColumnElement[bool]]:
    return [column == getattr(key, column.name) for column in watch_tile.primary_key]


def drop_tiles(connection: sa.Connection, level: int, before: int, *, limit: int = 500) -> int:
    """Forget those that began before a time; gives how many went, at most `limit`."""
    old = connection.execute(
        _TILES.where(watch_tile.c.level == level, watch_tile.c.start < before).limit(limit)
    ).all()
    drop_these(connection, [TileRow._make(row) for row in old])
    return len(old)


def drop_these(connection: sa.Connection, rows: Sequence[TileRow]) -> None:
    """Forget these rows."""
    for row in rows:
        connection.execute(sa.delete(watch_tile).where(*_same(row)))


def numbered(
    connection: sa.Connection, level: int, before: int, *, limit: int = 200
) -> list[tuple[int, int, int, int, int]]:
    """Deployment, model, number, kind and start of tiles that began before a time; each once."""
    columns = (
        watch_tile.c.deployment_id, watch_tile.c.model_id, watch_tile.c.number,
        watch_tile.c.kind, watch_tile.c.start,
    )  # fmt: skip
    rows = connection.execute(
        sa.select(*columns)
        .where(watch_tile.c.level == level, watch_tile.c.start < before)
        .distinct()
        .order_by(watch_tile.c.start)
        .limit(limit)
    )
    return [(int(a), int(b), int(c), int(d), int(e)) for a, b, c, d, e in rows]


# -- who does what -----------------------------------------------------------------------------


def lease_of(connection: sa.Connection, name: str) -> tuple[str, int] | None:
    row = connection.execute(_LEASE, {"name": name}).first()
    return None if row is None else (str(row[0]), int(row[1]))


def add_lease(connection: sa.Connection, name: str) -> None:
    """Let there be one, that nobody has."""
    insert_new(connection, watch_lease, "name", [{"name": name, "server": "", "until": 0}])


def take_lease(connection: sa.Connection, name: str, server: str, now: int, until: int) -> bool:
    """Have it until a time, if nobody else has it now."""
    free = sa.or_(watch_lease.c.until < now, watch_lease.c.server == server)
    done = connection.execute(
        sa.update(watch_lease)
        .where(watch_lease.c.name == name, free)
        .values(server=server, until=until)
    )
    return done.rowcount == 1
