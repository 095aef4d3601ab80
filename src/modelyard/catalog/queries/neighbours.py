"""Statements about versions before and after one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from modelyard.catalog.queries.chunks import batches
from modelyard.catalog.schema import metric, version

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Neighbours", "metric_of", "of_version"]

_ALIVE = sa.and_(version.c.model_id == sa.bindparam("model"), version.c.deleted == 0)
_NUMBER: sa.BindParameter[int] = sa.bindparam("number")
_AROUND = sa.select(
    sa.select(sa.func.max(version.c.number))
    .where(_ALIVE, version.c.number < _NUMBER)
    .scalar_subquery(),
    sa.select(sa.func.min(version.c.number))
    .where(_ALIVE, version.c.number > _NUMBER)
    .scalar_subquery(),
)


_METRIC = (
    sa.select(version.c.number, metric.c.value)
    .join_from(version, metric, metric.c.version_id == version.c.id)
    .where(
        version.c.model_id == sa.bindparam("model"),
        version.c.number.in_(sa.bindparam("numbers", expanding=True)),
        metric.c.name == sa.bindparam("name"),
    )
)


class Neighbours(NamedTuple):
    """Numbers of the nearest versions that live."""

    before: int | None
    after: int | None


def of_version(connection: sa.Connection, model: int, number: int) -> Neighbours:
    row = connection.execute(_AROUND, {"model": model, "number": number}).one()
    return Neighbours._make(row)


def metric_of(
    connection: sa.Connection, model: int, numbers: Iterable[int], name: str
) -> dict[int, float]:
    """One metric of versions by their number, of those that have it."""
    return {
        row.number: row.value
        for batch in batches(numbers)
        for row in connection.execute(_METRIC, {"model": model, "numbers": batch, "name": name})
    }
