"""The URL of a catalog: which are taken. None holds a secret."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import sqlalchemy as sa

from modelyard.core.urls import MYSQL, POSTGRESQL, hides, is_plain_database, is_plain_user
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["parse_url", "sqlite_url"]

_DRIVERS = {"sqlite": "pysqlite", "postgresql": "psycopg", "mysql": "pymysql", "mariadb": "pymysql"}
_KEYS: Mapping[str, Mapping[str, str]] = {
    "sqlite": {}, "postgresql": POSTGRESQL, "mysql": MYSQL, "mariadb": MYSQL,
}  # fmt: skip


def parse_url(text: str) -> sa.URL:
    """The parts of a catalog's URL. InvalidInput: `bad-catalog-url`, `secret-in-url`."""
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise _bad("this is no URL of a catalog") from None
    name, plus, driver = url.drivername.partition("+")
    pairs = [(key, value) for key, told in url.query.items()
             for value in ((told,) if isinstance(told, str) else told)]  # fmt: skip
    if (
        url.password is not None
        or not is_plain_user(url.username or "")
        or any(hides(key, value) for key, value in pairs)
    ):
        raise InvalidInput(
            "secret-in-url", "the catalog's URL has a password in it",
            hint="leave it out: ~/.pgpass, ~/.my.cnf or YARD_CATALOG_PASSWORD is where it belongs",
        )  # fmt: skip
    if name not in _DRIVERS or (plus and driver != _DRIVERS[name]):
        raise _bad("this is no URL of a catalog")
    if name != "sqlite" and not is_plain_database(f"{url.host}{url.database}"):
        raise _bad("the catalog's URL names no plain host and database")
    for key, value in pairs:
        if key not in _KEYS[name] or not isinstance(url.query[key], str) or not value:
            near = difflib.get_close_matches(key, _KEYS[name], 1)
            known = ", ".join(_KEYS[name]) or "none"
            raise _bad(
                f"the catalog's URL can't have the parameter {key[:40]!r}",
                f"did you mean {near[0]}? known: {known}" if near else f"known: {known}",
            )
    return url


def sqlite_url(file: Path) -> str:
    """The URL of a file, whatever letters its path has."""
    return sa.URL.create("sqlite", database=str(file)).render_as_string()


def _bad(
    problem: str, hint: str = "sqlite:///FILE, postgresql://USER@HOST/DATABASE or mysql://..."
) -> InvalidInput:
    return InvalidInput("bad-catalog-url", problem, hint=hint)
