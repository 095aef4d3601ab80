"""Lineage in rows, so that it can be asked for what came of a version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from modelyard.catalog.types import Name, Words

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "edge",
        sa.Column("version_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", Name(16), nullable=False),
        sa.Column("name", Name(200), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("source", Words(), nullable=False),
        sa.PrimaryKeyConstraint("version_id", "place"),
        sqlite_with_rowid=False,
    )
    op.create_index("edge_source", "edge", ["name", "number", "version_id"], unique=False)


def downgrade() -> None:
    """Back to the revision before."""
    op.drop_index("edge_source", table_name="edge")
    op.drop_table("edge")
