"""Rows whose column has one of some values. Mostly it is a single one, and then `=` is quicker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Among"]


class Among:
    """A statement made twice: for one value, and for any number of them.

    A list of values is written into the text of the statement each time it is run, which takes
    longer than SQLite needs to answer it.
    """

    def __init__(
        self, build: Callable[[sa.ColumnElement[bool]], sa.Select[Any]], column: sa.Column[Any]
    ) -> None:
        self._one = build(column == sa.bindparam("among"))
        self._many = build(column.in_(sa.bindparam("among", expanding=True)))

    def run(
        self, connection: sa.Connection, values: Sequence[object], **more: object
    ) -> sa.CursorResult[Any]:
        """Rows with one of these values; `more` are the statement's other parameters."""
        if len(values) == 1:
            return connection.execute(self._one, {"among": values[0], **more})
        return connection.execute(self._many, {"among": values, **more})
