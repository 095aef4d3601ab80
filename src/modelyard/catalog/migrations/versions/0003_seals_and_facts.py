"""Sealed packs, facts of the yard."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from modelyard.catalog.types import Name, Words

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "fact",
        sa.Column(
            "name",
            Name(40),
            nullable=False,
        ),
        sa.Column(
            "value",
            Words(),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name"),
    )
    op.execute("INSERT INTO fact (name, value) VALUES ('gate', '')")
    seal = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
    op.add_column("pack", sa.Column("seal", seal, nullable=True))


def downgrade() -> None:
    """Back to the revision before."""
    op.drop_column("pack", "seal")
    op.drop_table("fact")
