"""Tiles in the catalog: written by each server, merged by who reads, rolled up when they are old.

What is in them only `monitoring` knows; here they are bytes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from modelyard.catalog.queries import watch
from modelyard.catalog.queries.watch import TileRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import sqlalchemy as sa

    from modelyard.registry.house import House

__all__ = [
    "DAY", "EVERYBODY", "HOUR", "LENGTHS", "MINUTE", "TRAFFIC", "TRUTH", "TileRow", "add_truth",
    "between", "drop", "keep", "roll_up",
]  # fmt: skip

MINUTE, HOUR, DAY = 0, 1, 2
LENGTHS: Final = (60, 3600, 86_400)
"""Seconds of a tile of each level."""
TRAFFIC, TRUTH = 0, 1
EVERYBODY: Final = ""
"""In the place of a server: all of them together."""


def keep(house: House, rows: Sequence[TileRow]) -> None:
    """Write these, in place of those with the same keys. Idempotent."""
    if rows:
        house.catalog.write_soft(lambda connection: watch.put_tiles(connection, rows))


def between(
    house: House, deployment_id: int, since: float, until: float, *, kind: int, level: int
) -> list[TileRow]:
    """Those that begin in [since, until), seconds since 1970, of all servers, in time's order."""
    first, end = math.ceil(since), math.ceil(until)  # a minute that has just begun is in it
    with house.catalog.fresh() as connection:
        return watch.tiles(connection, deployment_id, first, end, kind, level)


def add_truth(
    house: House,
    deployment_id: int,
    model_id: int,
    number: int,
    found: Iterable[tuple[int, int, Callable[[bytes | None], bytes]]],
    *,
    alongside: Callable[[sa.Connection], None] = lambda _: None,
) -> None:
    """Merge what came true into tiles of minutes, all in one transaction.

    Args:
        found: When each minute began, how many rows became known in it, and what makes the new
            body of the old one. It may be called again if the transaction is tried again.
        alongside: Written in the same transaction, before.
    """
    wanted = sorted(found, key=lambda each: each[0])

    def work(connection: sa.Connection) -> None:
        alongside(connection)
        rows = []
        for start, count, merge in wanted:
            key = TileRow(deployment_id, model_id, number, TRUTH, MINUTE, start, EVERYBODY, 0, b"")
            old = watch.tile(connection, key)
            rows.append(key._replace(rows=count, body=merge(old)))
        watch.put_tiles(connection, rows)

    house.catalog.write_alone(work)


def roll_up(
    house: House,
    level: int,
    before: float,
    merge: Callable[[int, int, int, Sequence[bytes]], bytes | None],
) -> int:
    """Make one tile of the next level of all tiles of a level that began before a time.

    A tile that is there already is merged with what came since. Gives how many were merged.

    Args:
        merge: Kind, model, number, bodies: the body of all together, or None if they can't be read.
    """
    with house.catalog.fresh() as connection:
        old = watch.numbered(connection, level, int(before))
    length = LENGTHS[level + 1]
    groups: dict[tuple[int, int, int, int, int], list[int]] = {}
    for deployment_id, model_id, number, kind, start in old:
        groups.setdefault(
            (deployment_id, model_id, number, kind, start // length * length), []
        ).append(start)
    merged = 0
    for (deployment_id, model_id, number, kind, start), starts in groups.items():
        key = TileRow(deployment_id, model_id, number, kind, level + 1, start, EVERYBODY, 0, b"")
        merged += _rolled(house, key, min(starts), max(starts), merge)
    return merged


def _rolled(
    house: House, key: TileRow, first: int, last: int,
    merge: Callable[[int, int, int, Sequence[bytes]], bytes | None],
) -> int:  # fmt: skip
    """Move what began in [first, last] into the tile with this key, in one transaction."""

    def work(connection: sa.Connection) -> int:
        found = watch.tiles(connection, key.deployment_id, first, last + 1, key.kind, key.level - 1)
        rows = [r for r in found if (r.model_id, r.number) == (key.model_id, key.number)]
        if not rows:
            return 0
        there = watch.tile(connection, key)
        bodies = [*([there] if there is not None else []), *(row.body for row in rows)]
        body = merge(key.kind, key.model_id, key.number, bodies)
        if body is not None:
            total = sum(row.rows for row in rows)
            watch.put_tiles(connection, [key._replace(rows=total, body=body)])
        watch.drop_these(connection, rows)
        return len(rows)

    return house.catalog.write_alone(work)


def drop(house: House, level: int, before: float) -> int:
    """Forget tiles of a level that began before a time; gives how many went."""
    return house.catalog.write_soft(
        lambda connection: watch.drop_tiles(connection, level, int(before))
    )
