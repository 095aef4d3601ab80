"""Accounts, roles, jobs and webhooks of a server; who and from where in the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from modelyard.catalog.types import Name, Words

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "account",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", Name(64), nullable=False),
        sa.Column("kind", Name(8), nullable=False),
        sa.Column("title", Name(200), nullable=False),
        sa.Column("password", Name(200), nullable=False),
        sa.Column("subject", Name(400), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("disabled", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    op.create_index("account_subject", "account", ["subject"], unique=False)
    op.create_table(
        "approval",
        sa.Column("proposal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("who", Name(64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("proposal_id", "who"),
    )
    op.create_table(
        "arrival",
        sa.Column("model", Name(200), nullable=False),
        sa.Column(
            "sha256",
            sa.LargeBinary(length=32)
            .with_variant(sa.BINARY(length=32), "mariadb")
            .with_variant(sa.BINARY(length=32), "mysql"),
            nullable=False,
        ),
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("blob_id", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model", "sha256", "account_id"),
    )
    op.create_index("arrival_blob", "arrival", ["blob_id"], unique=False)
    op.create_index("arrival_created", "arrival", ["created"], unique=False)
    op.create_table(
        "chain",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column(
            "digest",
            sa.LargeBinary(length=32)
            .with_variant(sa.BINARY(length=32), "mariadb")
            .with_variant(sa.BINARY(length=32), "mysql"),
            nullable=False,
        ),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hook_id", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.Column("state", Name(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", Words(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hook_id", "event", name="delivery_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("delivery_due", "delivery", ["state", "due"], unique=False)
    op.create_table(
        "guard",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pattern", Name(200), nullable=False),
        sa.Column("ref", Name(200), nullable=False),
        sa.Column("role", Name(16), nullable=False),
        sa.Column("approvals", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("who", Name(64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("pattern", "ref", name="guard_ref"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "hook",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("url", Words(), nullable=False),
        sa.Column("secret", Name(200), nullable=False),
        sa.Column("events", Words(), nullable=False),
        sa.Column("pattern", Name(200), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "job",
        sa.Column("id", Name(40), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", Name(40), nullable=False),
        sa.Column("models", Words(), nullable=False),
        sa.Column("state", Name(16), nullable=False),
        sa.Column("phase", Name(40), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column(
            "result",
            sa.LargeBinary()
            .with_variant(mysql.LONGBLOB(), "mariadb")
            .with_variant(mysql.LONGBLOB(), "mysql"),
            nullable=True,
        ),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("job_created", "job", ["created"], unique=False)
    op.create_table(
        "proposal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("ref", Name(200), nullable=False),
        sa.Column("old", sa.BigInteger(), nullable=True),
        sa.Column("new", sa.BigInteger(), nullable=False),
        sa.Column("message", Words(), nullable=False),
        sa.Column("state", Name(16), nullable=False),
        sa.Column("who", Name(64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("proposal_model", "proposal", ["model_id", "state"], unique=False)
    op.create_table(
        "repeat",
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", Name(200), nullable=False),
        sa.Column(
            "digest",
            sa.LargeBinary(length=32)
            .with_variant(sa.BINARY(length=32), "mariadb")
            .with_variant(sa.BINARY(length=32), "mysql"),
            nullable=False,
        ),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", Words(), nullable=False),
        sa.Column(
            "body",
            sa.LargeBinary()
            .with_variant(mysql.LONGBLOB(), "mariadb")
            .with_variant(mysql.LONGBLOB(), "mysql"),
            nullable=False,
        ),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "key"),
    )
    op.create_index("repeat_created", "repeat", ["created"], unique=False)
    op.create_table(
        "role",
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("pattern", Name(200), nullable=False),
        sa.Column("role", Name(16), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("who", Name(64), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "pattern"),
    )
    op.create_table(
        "sign_in",
        sa.Column(
            "hash",
            sa.LargeBinary(length=32)
            .with_variant(sa.BINARY(length=32), "mariadb")
            .with_variant(sa.BINARY(length=32), "mysql"),
            nullable=False,
        ),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", Name(8), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("sign_in_account", "sign_in", ["account_id"], unique=False)
    op.create_table(
        "token",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("name", Name(100), nullable=False),
        sa.Column(
            "hash",
            sa.LargeBinary(length=32)
            .with_variant(sa.BINARY(length=32), "mariadb")
            .with_variant(sa.BINARY(length=32), "mysql"),
            nullable=False,
        ),
        sa.Column("role", Name(16), nullable=False),
        sa.Column("models", Words(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("token_account", "token", ["account_id"], unique=False)
    op.create_table(
        "upload",
        sa.Column("session", Name(40), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("model", Name(200), nullable=False),
        sa.Column("new_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session"),
    )
    op.create_index("upload_changed", "upload", ["changed"], unique=False)
    op.add_column("audit", sa.Column("account", Name(64), nullable=True))
    op.add_column("audit", sa.Column("address", Name(64), nullable=True))
    op.add_column("audit", sa.Column("request", Name(64), nullable=True))


def downgrade() -> None:
    """Back to the revision before."""
    op.drop_column("audit", "request")
    op.drop_column("audit", "address")
    op.drop_column("audit", "account")
    op.drop_index("upload_changed", table_name="upload")
    op.drop_table("upload")
    op.drop_index("token_account", table_name="token")
    op.drop_table("token")
    op.drop_index("sign_in_account", table_name="sign_in")
    op.drop_table("sign_in")
    op.drop_table("role")
    op.drop_index("repeat_created", table_name="repeat")
    op.drop_table("repeat")
    op.drop_index("proposal_model", table_name="proposal")
    op.drop_table("proposal")
    op.drop_index("job_created", table_name="job")
    op.drop_table("job")
    op.drop_table("hook")
    op.drop_table("guard")
    op.drop_index("delivery_due", table_name="delivery")
    op.drop_table("delivery")
    op.drop_table("chain")
    op.drop_index("arrival_created", table_name="arrival")
    op.drop_index("arrival_blob", table_name="arrival")
    op.drop_table("arrival")
    op.drop_table("approval")
    op.drop_index("account_subject", table_name="account")
    op.drop_table("account")
