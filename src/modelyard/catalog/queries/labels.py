"""Statements about labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from modelyard.catalog.queries.chunks import batches
from modelyard.catalog.schema import label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["of_model", "of_models", "put", "remove"]

_OF = sa.select(label).where(label.c.model_id.in_(sa.bindparam("ids", expanding=True)))


_NUMBERED = _OF.where(label.c.number.in_(sa.bindparam("numbers", expanding=True)))


def of_models(
    connection: sa.Connection, models: Iterable[int], numbers: Iterable[int] | None = None
) -> dict[tuple[int, int], dict[str, str]]:
    """By (model, version number); number 0 is the model itself.

    Args:
        numbers: Only those of these numbers, of a page at most; None is all.
    """
    given = {} if numbers is None else {"numbers": list(numbers)}
    statement = (_NUMBERED if given else _OF).order_by(label.c.name)
    found: dict[tuple[int, int], dict[str, str]] = {}
    for batch in batches(models):
        for row in connection.execute(statement, {"ids": batch, **given}):
            found.setdefault((row.model_id, row.number), {})[row.name] = row.value
    return found


def of_model(connection: sa.Connection, model: int, number: int) -> dict[str, str]:
    statement = sa.select(label.c.name, label.c.value).where(
        label.c.model_id == sa.bindparam("m"), label.c.number == sa.bindparam("num")
    )
    rows = connection.execute(statement.order_by(label.c.name), {"m": model, "num": number})
    return {row.name: row.value for row in rows}


def put(connection: sa.Connection, model: int, number: int, labels: Mapping[str, str]) -> None:
    """Set labels; a key has one value."""
    if labels:
        remove(connection, model, number, labels)
        rows = [
            {"model_id": model, "number": number, "name": name, "value": value}
            for name, value in labels.items()
        ]
        connection.execute(sa.insert(label), rows)


def remove(connection: sa.Connection, model: int, number: int, names: Iterable[str]) -> None:
    statement = sa.delete(label).where(
        label.c.model_id == sa.bindparam("m"),
        label.c.number == sa.bindparam("num"),
        label.c.name == sa.bindparam("key"),
    )
    rows = [{"m": model, "num": number, "key": name} for name in names]
    if rows:
        connection.execute(statement, rows)
