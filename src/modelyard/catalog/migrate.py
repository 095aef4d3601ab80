"""Making and upgrading the schema, safe when several processes do it at once.

A new database is made from `schema.metadata` at once, without alembic, whose import costs more than
the whole work; one that is up to date costs one SELECT. Only a real upgrade imports alembic. A test
holds both ways to the same schema.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from modelyard.catalog.queries import facts
from modelyard.catalog.queries.facts import GATE
from modelyard.catalog.queries.search_index import term_index
from modelyard.catalog.schema import metadata
from modelyard.errors import InvalidInput, Unsupported

if TYPE_CHECKING:
    from modelyard.catalog.engine import Catalog

__all__ = [
    "HEAD",
    "REVISIONS",
    "is_new",
    "make_unstamped",
    "migrate",
    "migrate_to",
    "stamp",
    "step",
]

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
"""Every revision of the schema, oldest first; `migrations/versions` has a file for each."""

HEAD = REVISIONS[-1]
MIGRATIONS = Path(__file__).with_name("migrations")

_SEARCH = ("search_version", "search_model")

_STAMPS = sa.MetaData()
_stamp = sa.Table(  # as alembic makes it
    "alembic_version",
    _STAMPS,
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def migrate(catalog: Catalog) -> None:
    """Bring the catalog to this program's schema, or make it.

    Unsupported: `catalog-newer`. InvalidInput: `not-a-catalog`.
    """
    if _revision(catalog) != HEAD:
        catalog.migrate(lambda connection: _bring(connection, HEAD))


def migrate_to(catalog: Catalog, revision: str | None) -> None:
    """Bring the catalog up or down to a revision; None is before the first, without any table."""
    catalog.migrate(lambda connection: _bring(connection, revision))


def make_unstamped(connection: sa.Connection) -> None:
    """Empty tables in place of whatever catalog is there, not yet stamped: it counts as new.

    InvalidInput: `not-a-catalog`.
    """
    tables = set(sa.inspect(connection).get_table_names())
    ours = [table for table in metadata.sorted_tables if table.name in tables]
    if _strange(tables, [*ours, _stamp]):
        raise _not_a_catalog()
    if _stamp.name in tables:  # first of all, so that half a catalog is never taken for a whole one
        _stamp.drop(connection)
    for name in _SEARCH:
        if name in tables:
            connection.exec_driver_sql(f"DROP TABLE {name}")
    for table in ours:
        table.drop(connection)
    _make(connection)
    connection.execute(sa.delete(_stamp))


def stamp(connection: sa.Connection) -> None:
    """What was made unstamped is a catalog now; new rows get numbers above those that are there."""
    if connection.dialect.name == "postgresql":
        for name in ("audit", "model"):
            connection.exec_driver_sql(
                f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), coalesce(max(id), 0) + 1,"
                f" false) FROM {name}"
            )
    connection.execute(sa.insert(_stamp).values(version_num=HEAD))


def is_new(catalog: Catalog) -> bool:
    """Nothing was ever made in this database, or its making was never finished."""
    return _revision(catalog) is None


def _revision(catalog: Catalog) -> str | None:
    """What the catalog says it is; None for a new one."""
    try:
        with catalog.read() as connection:
            return connection.execute(sa.select(_stamp.c.version_num)).scalar()
    except (sa.exc.OperationalError, sa.exc.ProgrammingError):
        return None  # no such table


def _bring(connection: sa.Connection, revision: str | None) -> None:
    """Looks again, for the lock on migrating is held only now."""
    tables = set(sa.inspect(connection).get_table_names())
    current: str | None = None
    if _stamp.name in tables:
        current = connection.execute(sa.select(_stamp.c.version_num)).scalar()
    if current is None:
        _clear(connection, tables - {_stamp.name})
    if current == revision:
        return
    if current is not None and current not in REVISIONS:
        raise Unsupported(
            "catalog-newer",
            f"the catalog is of revision {current}, which this modelyard does not know",
            hint="upgrade modelyard",
        )
    if current is None and revision == HEAD:
        _make(connection)
    else:
        step(connection, current, revision)


def _strange(tables: set[str], ours: list[sa.Table]) -> set[str]:
    """Tables of somebody else. A store may be in the same database: it is no stranger."""
    known = (*_SEARCH, "yard_store_")
    return {name for name in tables if not name.startswith(known)} - {t.name for t in ours}


def _clear(connection: sa.Connection, tables: set[str]) -> None:
    """Drop what an interrupted creation left: tables of ours, without a stamp and without a row."""
    search = [name for name in _SEARCH if name in tables]
    ours = [table for table in metadata.sorted_tables if table.name in tables]
    if _strange(tables, ours) or any(
        _has_rows(connection, table) for table in ours if table.name != "fact"
    ):
        raise _not_a_catalog()
    for name in search:
        connection.exec_driver_sql(f"DROP TABLE {name}")
    for table in ours:
        table.drop(connection)


def _not_a_catalog() -> InvalidInput:
    return InvalidInput(
        "not-a-catalog",
        "this database holds tables of something else",
        hint="give modelyard a database of its own",
    )


def _has_rows(connection: sa.Connection, table: sa.Table) -> bool:
    found = connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1))
    return found.first() is not None


def _make(connection: sa.Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    for statement in term_index(connection).create():
        connection.exec_driver_sql(statement)
    facts.put(connection, GATE, "")
    _STAMPS.create_all(connection)
    connection.execute(sa.insert(_stamp).values(version_num=HEAD))


def step(connection: sa.Connection, current: str | None, revision: str | None) -> None:
    """From one revision to another by the migrations between; None is before the first."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = ("base", *REVISIONS)
    target = revision or "base"
    if known.index(current or "base") < known.index(target):
        command.upgrade(config, target)
    else:
        command.downgrade(config, target)
