"""Optimizations and their trials."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from modelyard.catalog.types import Name, Words

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "optimization",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("state", Name(16), nullable=False),
        sa.Column("who", Name(200), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("body", Words(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("optimization_model", "optimization", ["model_id", "id"], unique=False)
    op.create_index("optimization_state", "optimization", ["state", "changed"], unique=False)
    op.create_table(
        "optimization_served",
        sa.Column("optimization_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", Name(200), nullable=False),
        sa.Column("body", Words(), nullable=False),
        sa.PrimaryKeyConstraint("optimization_id"),
    )
    op.create_table(
        "optimization_trial",
        sa.Column("optimization_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body", Words(), nullable=False),
        sa.PrimaryKeyConstraint("optimization_id", "number"),
    )


def downgrade() -> None:
    """Back to the revision before."""
    op.drop_table("optimization_trial")
    op.drop_table("optimization_served")
    op.drop_table("optimization")
