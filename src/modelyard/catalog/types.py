"""Text of the catalog's columns: compared byte by byte, blanks at the end included, everywhere.

So names are unique, ordered and found alike on every database, whatever language it was set up
for. A NUL, which PostgreSQL can't hold, becomes U+FFFD.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import Dialect

__all__ = ["Name", "Words"]


class _Plain(sa.types.TypeDecorator[str]):
    """What both kinds of text share."""

    impl = sa.String
    cache_ok = True

    @property
    def python_type(self) -> type[str]:
        return str

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is not None and "\0" in value:
            return value.replace("\0", "\ufffd")
        return value


class Name(_Plain):
    """Text of at most so many characters, which may be a key."""

    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[str]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.Text(collation="C"))
        if dialect.name in ("mysql", "mariadb"):
            kind = mysql.VARCHAR(self.length, charset="utf8mb4", collation=_collation(dialect))
            return dialect.type_descriptor(kind)
        return dialect.type_descriptor(sa.String(self.length))


class Words(_Plain):
    """Text of any length."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[str]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.Text(collation="C"))
        if dialect.name in ("mysql", "mariadb"):
            kind = mysql.LONGTEXT(charset="utf8mb4", collation=_collation(dialect))
            return dialect.type_descriptor(kind)
        return dialect.type_descriptor(sa.Text())


def _collation(dialect: Dialect) -> str:
    """Bytes compared without padding: `utf8mb4_bin` would take `a` and `a ` for the same."""
    is_mariadb = getattr(dialect, "is_mariadb", False)
    return "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"
