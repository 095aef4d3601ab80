"""What differs between databases, one file for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.databases.interface import Database, Lost, Mode, Retry
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["Database", "Lost", "Mode", "Retry", "database_of"]

_SCHEMES = "sqlite:///, postgresql:// or mysql://"


def database_of(url: sa.URL) -> Database:
    """The database that a URL means. InvalidInput: `bad-catalog-url`."""
    match url.get_backend_name():
        case "sqlite":
            from modelyard.catalog.databases.sqlite import Sqlite

            return Sqlite()
        case "postgresql":
            from modelyard.catalog.databases.postgresql import Postgresql

            return Postgresql()
        case "mysql" | "mariadb":
            from modelyard.catalog.databases.mysql import Mysql

            return Mysql()
        case name:
            raise InvalidInput(
                "bad-catalog-url", f"{name}:// is no database that a catalog can be in",
                hint=f"a catalog's URL begins with {_SCHEMES}",
            )  # fmt: skip
