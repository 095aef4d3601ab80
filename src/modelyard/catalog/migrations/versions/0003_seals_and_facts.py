"""Sealed packs, facts of the yard."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "fact",
        sa.Column(
            "name",
            sa.String(length=40).with_variant(
                mysql.VARCHAR(charset="utf8mb4", collation="utf8mb4_bin", length=40),
                "mysql",
                "mariadb",
            ),
            nullable=False,
        ),
        sa.Column(
            "value",
            sa.Text().with_variant(mysql.LONGTEXT(collation="utf8mb4_bin"), "mysql", "mariadb"),
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
