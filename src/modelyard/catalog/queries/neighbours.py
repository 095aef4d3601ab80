"""Statements about versions before and after one."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from modelyard.catalog.schema import version

__all__ = ["Neighbours", "of_version"]

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


class Neighbours(NamedTuple):
    """Numbers of the nearest versions that live."""

    before: int | None
    after: int | None


def of_version(connection: sa.Connection, model: int, number: int) -> Neighbours:
    row = connection.execute(_AROUND, {"model": model, "number": number}).one()
    return Neighbours._make(row)
