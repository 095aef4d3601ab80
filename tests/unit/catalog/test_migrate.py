"""The schema: made at once or step by step it is the same, and data survive the steps."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from modelyard.catalog import migrate as module
from modelyard.catalog.engine import Catalog
from modelyard.catalog.migrate import MIGRATIONS, REVISIONS, migrate, migrate_to
from modelyard.catalog.queries.search import index_model, search
from modelyard.catalog.schema import label, metadata, report
from modelyard.core.query import parse_query
from modelyard.errors import InvalidInput, Unsupported

if TYPE_CHECKING:
    from pathlib import Path


def _open(folder: Path, name: str = "catalog.db") -> Catalog:
    return Catalog.open(f"sqlite:///{folder / name}")


def _shape(catalog: Catalog) -> set[tuple[str, str]]:
    with catalog.read() as connection:
        rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master").all()
    return {
        (row[0], re.sub(r"\s*([(),])\s*", r"\1", " ".join(str(row[1]).split()))) for row in rows
    }


def _by_steps(catalog: Catalog) -> None:
    """Each migration in turn; `migrate` itself would take the short way."""
    for before, revision in zip((None, *REVISIONS), REVISIONS, strict=False):
        catalog.write(partial(module.step, current=before, revision=revision))


def test_made_at_once_and_step_by_step_is_the_same(tmp_path: Path) -> None:
    at_once, by_steps = _open(tmp_path, "a.db"), _open(tmp_path, "b.db")
    migrate(at_once)
    _by_steps(by_steps)
    assert _shape(at_once) == _shape(by_steps)


def test_alembic_sees_no_difference_to_the_schema(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    catalog = _open(tmp_path)
    _by_steps(catalog)

    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name in metadata.tables

    with catalog.read() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": ours})
        assert compare_metadata(context, metadata) == []


def test_up_and_down_with_data_in_it(tmp_path: Path) -> None:
    catalog = _open(tmp_path)
    migrate(catalog)
    catalog.write(
        lambda connection: connection.execute(
            sa.insert(label).values(model_id=1, number=0, name="domain", value="nlp")
        )
    )
    migrate(catalog)
    with catalog.read() as connection:
        assert connection.execute(sa.select(label.c.value)).scalar_one() == "nlp"
    migrate_to(catalog, None)
    with catalog.read() as connection:
        left = sa.inspect(connection).get_table_names()
    assert left == ["alembic_version"]
    migrate(catalog)
    with catalog.read() as connection:
        assert connection.execute(sa.select(label)).all() == []


def test_reports_come_with_the_second_revision_and_go_with_it(tmp_path: Path) -> None:
    catalog = _open(tmp_path)
    migrate_to(catalog, "0001")
    catalog.write(
        lambda connection: connection.execute(
            sa.insert(label).values(model_id=1, number=0, name="domain", value="nlp")
        )
    )
    migrate(catalog)
    row = {
        "id": 5, "version_id": 1, "kind": "evaluation", "data": "wine", "digest": "ab",
        "suite": "regression", "created": 1, "who": "ann", "content": b"{}", "outcomes": None,
    }  # fmt: skip
    catalog.write(lambda connection: connection.execute(sa.insert(report), row))
    with catalog.read() as connection:
        assert dict(connection.execute(sa.select(report)).one()._mapping) == row
    migrate_to(catalog, "0001")
    with catalog.read() as connection:
        assert "report" not in sa.inspect(connection).get_table_names()
        assert connection.execute(sa.select(label.c.value)).scalar_one() == "nlp"


def test_a_migration_written_now_would_be_empty(tmp_path: Path) -> None:
    from modelyard.catalog.migrations.__main__ import _page

    catalog = _open(tmp_path)
    _by_steps(catalog)
    with catalog.read() as connection:
        page = _page(connection, "Nothing", "9999", REVISIONS[-1])
    assert "create_table" not in page
    assert "drop_table" not in page


def test_each_revision_has_a_file_and_follows_the_one_before() -> None:
    from alembic.script import ScriptDirectory

    scripts = list(ScriptDirectory(str(MIGRATIONS)).walk_revisions())
    assert tuple(script.revision for script in reversed(scripts)) == REVISIONS


def test_a_made_catalog_can_be_searched_at_once(tmp_path: Path) -> None:
    catalog = _open(tmp_path)
    migrate(catalog)
    catalog.write(lambda connection: index_model(connection, 1, "a/b", ""))
    with catalog.read() as connection:
        assert search(connection, parse_query("a/b"), limit=5, after=None, now=0) == ([], None)


def test_a_newer_catalog_is_refused(tmp_path: Path) -> None:
    catalog = _open(tmp_path)
    migrate(catalog)
    catalog.write(
        lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num='9'")
    )
    with pytest.raises(Unsupported) as caught:
        migrate(catalog)
    assert caught.value.kind == "catalog-newer"
    assert "upgrade" in (caught.value.hint or "")


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    catalog = _open(tmp_path)
    catalog.write(lambda connection: connection.exec_driver_sql("CREATE TABLE cat (id INTEGER)"))
    with pytest.raises(InvalidInput) as caught:
        migrate(catalog)
    assert caught.value.kind == "not-a-catalog"
    assert {name for name, _ in _shape(catalog)} == {"cat"}


def test_two_processes_may_migrate_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, time; from modelyard.catalog.engine import Catalog;"
        "from modelyard.catalog.migrate import migrate; sys.stdin.readline();"
        f"[migrate(Catalog.open('sqlite:///{tmp_path}/%d.db' % n)) for n in range(20)]"
    )
    command = [sys.executable, "-c", code]
    runs = [subprocess.Popen(command, stdin=subprocess.PIPE, text=True) for _ in range(3)]
    for run in runs:
        assert run.stdin is not None
        run.stdin.write("go\n")
        run.stdin.flush()
    for run in runs:
        run.communicate()
    assert [run.returncode for run in runs] == [0, 0, 0]


def test_neither_making_nor_checking_imports_alembic(tmp_path: Path) -> None:
    code = (
        "import sys; from modelyard.catalog.engine import Catalog;"
        "from modelyard.catalog.migrate import migrate;"
        f"c = Catalog.open('sqlite:///{tmp_path}/c.db'); migrate(c); migrate(c);"
        "assert not any(name.partition('.')[0] == 'alembic' for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_up_to_date_catalog_costs_one_select(tmp_path: Path) -> None:
    catalog = _open(tmp_path)
    migrate(catalog)
    statements: list[str] = []
    sa.event.listen(
        catalog.engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_rest: statements.append(statement),
    )
    migrate(catalog)
    assert len([text for text in statements if text.startswith("SELECT")]) == 1
    assert not [text for text in statements if not text.startswith(("SELECT", "BEGIN"))]
