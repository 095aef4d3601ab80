"""Write the next migration: what `schema` has and a database made by the present ones has not.

`--first` writes the first one anew, which is allowed until it has been released.
"""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext

from modelyard.catalog.engine import Catalog
from modelyard.catalog.migrate import MIGRATIONS, REVISIONS, step
from modelyard.catalog.schema import for_postgresql, metadata

if TYPE_CHECKING:
    import sqlalchemy as sa

_PAGE = '''"""{title}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
{index_import}
revision = "{revision}"
down_revision = {down!r}


def upgrade() -> None:
    """To this revision."""
    {up}


def downgrade() -> None:
    """Back to the revision before."""
    {back}
'''
_INDEX_UP = """
    for statement in term_index(op.get_bind()).create():
        op.execute(statement)"""
_INDEX_DOWN = """for statement in term_index(op.get_bind()).drop():
        op.execute(statement)
    """


def main(arguments: list[str]) -> None:
    first = "--first" in arguments
    title = " ".join(word for word in arguments if word != "--first") or "The first schema"
    catalog = Catalog.open("sqlite://")
    if not first:
        # by the migrations themselves: `migrate` would make it from the schema of today
        catalog.write(lambda connection: step(connection, None, REVISIONS[-1]))
    revision = "0001" if first else f"{len(REVISIONS) + 1:04d}"
    with catalog.engine.connect() as connection:
        page = _page(connection, title, revision, None if first else REVISIONS[-1])
    slug = "first" if first else re.sub(r"\W+", "_", title.lower()).strip("_")[:40]
    path = MIGRATIONS / "versions" / f"{revision}_{slug}.py"
    path.write_text(page, "utf-8")
    for command in (["check", "--fix-only"], ["format"]):
        subprocess.run(["ruff", *command, "-q", str(path)], check=False)
    sys.stderr.write(f"wrote {path}; add {revision!r} to REVISIONS and read it\n")


def _page(connection: sa.Connection, title: str, revision: str, down: str | None) -> str:
    context = MigrationContext.configure(connection, opts={"include_name": _is_ours})
    for_postgresql()
    script = produce_migrations(context, metadata)
    assert script.upgrade_ops is not None
    assert script.downgrade_ops is not None
    up = render_python_code(script.upgrade_ops)
    back = render_python_code(script.downgrade_ops)
    return _PAGE.format(
        title=title,
        index_import="" if down else
        "\nfrom modelyard.catalog.queries.search_index import term_index\n",
        revision=revision,
        down=down,
        up=up + ("" if down else _INDEX_UP),
        back=("" if down else _INDEX_DOWN) + back,
    )  # fmt: skip


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or name in metadata.tables


if __name__ == "__main__":
    main(sys.argv[1:])
