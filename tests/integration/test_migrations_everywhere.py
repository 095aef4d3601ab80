"""Migrations on database servers, with data: by several at once, and killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from modelyard.catalog import migrate as module
from modelyard.catalog.engine import Catalog
from modelyard.catalog.migrate import HEAD, REVISIONS, is_new, migrate, migrate_to
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow


@pytest.fixture(params=["postgres_url", "mariadb_url"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    opened = Catalog.open(url)
    yield opened
    opened.close()


def _shape(catalog: Catalog) -> dict[str, Any]:
    with catalog.read() as connection:
        look = sa.inspect(connection)
        return {
            name: (
                sorted((c["name"], str(c["type"]), c["nullable"]) for c in look.get_columns(name)),
                look.get_pk_constraint(name)["constrained_columns"],
                sorted(str(sorted(i["column_names"])) for i in look.get_indexes(name)),
                sorted(str(sorted(u["column_names"])) for u in look.get_unique_constraints(name)),
            )
            for name in look.get_table_names()
        }


def _filled(catalog: Catalog) -> None:
    """Two rows in each table that there is."""

    def work(connection: sa.Connection) -> None:
        tables = sa.MetaData()
        tables.reflect(connection)
        for table in tables.sorted_tables:
            if table.name.startswith(("search_", "alembic_")):
                continue
            for at in (7, 8):
                row = {c.name: _value(c, at) for c in table.columns}
                connection.execute(sa.insert(table), row)

    catalog.migrate(work)  # an old schema may have no gate yet


def _value(column: sa.Column[Any], at: int) -> Any:
    if column.type.python_type is str:
        return f"名{at}\\'"[: column.type.length or 9]  # type: ignore[attr-defined]
    if column.type.python_type is bytes:
        return bytes([at]) * (getattr(column.type, "length", None) or 20)
    return at % 2 if isinstance(column.type, sa.Boolean) or column.name == "purged" else at


def _rows(catalog: Catalog, only: set[str]) -> dict[str, list[Any]]:
    with catalog.read() as connection:
        tables = sa.MetaData()
        tables.reflect(connection)
        return {
            table.name: sorted(map(repr, map(tuple, connection.execute(sa.select(table)))))
            for table in tables.sorted_tables
            if table.name in only
        }


def test_made_at_once_and_step_by_step_is_the_same(catalog: Catalog) -> None:
    for before, revision in zip((None, *REVISIONS), REVISIONS, strict=False):
        catalog.migrate(partial(module.step, current=before, revision=revision))
    by_steps = _shape(catalog)
    migrate_to(catalog, None)
    migrate(catalog)
    assert _shape(catalog) == by_steps


def test_rows_are_the_same_after_up_down_and_up(catalog: Catalog) -> None:
    migrate_to(catalog, "0001")
    _filled(catalog)
    tables = set(_shape(catalog)) - {"alembic_version"}
    before = _rows(catalog, tables)
    assert sum(map(len, before.values())) >= 2 * 15
    migrate(catalog)
    as_they_were = tables - {"pack", "audit"}  # these two got columns
    assert _rows(catalog, as_they_were) == {name: before[name] for name in as_they_were}
    migrate_to(catalog, "0001")
    assert _rows(catalog, tables) == before
    migrate(catalog)
    migrate_to(catalog, "0001")
    assert _rows(catalog, tables) == before


def test_three_processes_may_migrate_at_once(url: str, catalog: Catalog) -> None:
    code = (
        "import sys; from modelyard.catalog.engine import Catalog;"
        "from modelyard.catalog.migrate import migrate;"
        f"c = Catalog.open({url!r}); sys.stdin.readline(); migrate(c)"
    )
    for start in (None, "0001"):
        migrate_to(catalog, start)
        runs = [
            subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) for _ in range(3)
        ]
        for run in runs:
            run.communicate(b"go\n")
        assert [run.returncode for run in runs] == [0, 0, 0]
        assert not is_new(catalog)


def _killed(url: str, work: Callable[[Catalog], None], at: int) -> bool:
    """Whether a process that was to be killed before its change number `at` came so far.

    To be killed before a statement that only reads is to be killed before the next change.
    """
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
        return os.WIFSIGNALED(status)
    try:
        catalog, done = Catalog.open(url), 0

        def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            nonlocal done
            done += not statement.lstrip().upper().startswith(("SELECT", "SHOW"))
            if done > at:
                os.kill(os.getpid(), signal.SIGKILL)

        sa.event.listen(catalog.engine, "before_cursor_execute", count)
        work(catalog)
        os._exit(0)
    finally:
        os._exit(1)


@pytest.mark.parametrize(("start", "end"), [("0001", HEAD), (HEAD, "0001")])
def test_killed_before_any_change_it_goes_on_where_it_was(
    url: str, catalog: Catalog, start: str, end: str
) -> None:
    migrate_to(catalog, "0001")
    tables = set(_shape(catalog)) - {"alembic_version"}
    _filled(catalog)
    before = _rows(catalog, tables)
    at = 0
    while True:
        migrate_to(catalog, start)
        catalog.close()
        killed = _killed(url, lambda mine: migrate_to(mine, end), at)
        migrate_to(catalog, end)
        migrate_to(catalog, "0001")
        assert _rows(catalog, tables) == before, at
        if not killed:
            break
        at += 1
    assert at > 8


def test_a_creation_that_was_killed_is_carried_on(url: str, catalog: Catalog) -> None:
    migrate(catalog)
    whole = _shape(catalog)
    migrate_to(catalog, None)
    with catalog.read() as connection:
        left = sa.inspect(connection).get_table_names()
    assert left == ["alembic_version"]
    catalog.close()
    for at in range(0, 1000, 9):
        killed = _killed(url, migrate, at)
        assert is_new(catalog) == killed
        if not killed:
            break
    assert at > 18
    assert _shape(catalog) == whole


def test_a_database_of_something_else_is_left_alone(catalog: Catalog) -> None:
    catalog.migrate(lambda c: c.exec_driver_sql("CREATE TABLE cat (id INTEGER)"))
    with pytest.raises(InvalidInput) as caught:
        migrate(catalog)
    assert caught.value.kind == "not-a-catalog"
    assert set(_shape(catalog)) == {"cat"}
