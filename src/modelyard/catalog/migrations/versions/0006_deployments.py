"""Deployments: what is wished, how it changed, how far each server got."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from modelyard.catalog.types import Name, Words

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "deployment",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", Name(63), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("spec", Words(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("who", Name(200), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "deployment_change",
        sa.Column("deployment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("who", Name(200), nullable=False),
        sa.Column("action", Name(16), nullable=False),
        sa.Column("spec", Words(), nullable=False),
        sa.Column("detail", Words(), nullable=False),
        sa.PrimaryKeyConstraint("deployment_id", "generation"),
    )
    op.create_table(
        "deployment_server",
        sa.Column("deployment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("server", Name(100), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("versions", Words(), nullable=False),
        sa.PrimaryKeyConstraint("deployment_id", "server"),
    )
    op.create_index("deployment_server_seen", "deployment_server", ["seen"], unique=False)
    op.create_table(
        "deployment_share",
        sa.Column("deployment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("ref", Name(200), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("deployment_id", "place"),
    )
    op.create_index(
        "deployment_share_model", "deployment_share", ["model_id", "number"], unique=False
    )


def downgrade() -> None:
    """Back to the revision before."""
    op.drop_index("deployment_share_model", table_name="deployment_share")
    op.drop_table("deployment_share")
    op.drop_index("deployment_server_seen", table_name="deployment_server")
    op.drop_table("deployment_server")
    op.drop_table("deployment_change")
    op.drop_table("deployment")
