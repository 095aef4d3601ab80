"""The schema as databases see it, and what its import costs."""

from __future__ import annotations

import subprocess
import sys

import sqlalchemy as sa

from modelyard.catalog import schema


def test_starting_loads_no_dialect_of_postgresql() -> None:
    code = (
        "import sys, modelyard.registry.local;"
        "print([name for name in sys.modules if name.startswith('sqlalchemy.dialects.postgresql')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_postgresql_gets_the_indexes_of_some_rows() -> None:
    said: list[str] = []
    engine = sa.create_mock_engine(
        "postgresql+psycopg://",
        lambda statement, *_, **__: said.append(str(statement.compile(dialect=engine.dialect))),
    )
    schema.metadata.create_all(engine, checkfirst=False)
    partial = {line.split()[2]: line.partition("WHERE ")[2] for line in said if "WHERE" in line}
    assert partial == {"model_deleted": "deleted <> 0", "chunk_base": "base_id IS NOT NULL"}
