"""Monitoring: references, tiles, answers that wait for their truth, anomalies, alerts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from modelyard.catalog.types import Name, Words

revision = "0007"
down_revision = "0006"

_BYTES = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def _key() -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("id", kind, nullable=False)


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "watch_profile",
        sa.Column("model_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", Name(16), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("info", Words(), nullable=False),
        sa.Column("body", _BYTES, nullable=False),
        sa.PrimaryKeyConstraint("model_id", "number"),
    )
    op.create_table(
        "watch_tile",
        sa.Column("deployment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("model_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("server", Name(100), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("body", _BYTES, nullable=False),
        sa.PrimaryKeyConstraint(
            "deployment_id", "model_id", "number", "kind", "level", "start", "server"
        ),
    )
    op.create_index("watch_tile_start", "watch_tile", ["level", "start"], unique=False)
    op.create_table(
        "watch_answer",
        _key(),
        sa.Column("deployment_id", sa.BigInteger(), nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("body", _BYTES, nullable=False),
        sa.Column("joined", _BYTES, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("watch_answer_last", "watch_answer", ["deployment_id", "last"], unique=False)
    op.create_table(
        "watch_waiting",
        sa.Column("deployment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("request", Name(200), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("truth", Words(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("deployment_id", "request", "place"),
    )
    op.create_index("watch_waiting_time", "watch_waiting", ["time"], unique=False)
    op.create_table(
        "watch_event",
        _key(),
        sa.Column("deployment_id", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("kind", Name(40), nullable=False),
        sa.Column("body", Words(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("watch_event_deployment", "watch_event", ["deployment_id", "id"], unique=False)
    op.create_table(
        "watch_rules",
        sa.Column("deployment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text", Words(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("who", Name(200), nullable=False),
        sa.PrimaryKeyConstraint("deployment_id"),
    )
    op.create_table(
        "watch_alert",
        _key(),
        sa.Column("deployment_id", sa.BigInteger(), nullable=False),
        sa.Column("rule", Name(100), nullable=False),
        sa.Column("subject", Name(200), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.BigInteger(), nullable=False),
        sa.Column("body", Words(), nullable=False),
        sa.UniqueConstraint("deployment_id", "rule", "subject", "until", name="watch_alert_one"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("watch_alert_until", "watch_alert", ["until"], unique=False)
    op.create_table(
        "watch_silence",
        _key(),
        sa.Column("deployment_id", sa.BigInteger(), nullable=False),
        sa.Column("rule", Name(100), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("who", Name(200), nullable=False),
        sa.Column("reason", Words(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("watch_silence_until", "watch_silence", ["until"], unique=False)
    op.create_table(
        "watch_channel",
        _key(),
        sa.Column("name", Name(100), nullable=False),
        sa.UniqueConstraint("name"),
        sa.Column("kind", Name(20), nullable=False),
        sa.Column("pattern", Name(200), nullable=False),
        sa.Column("severity", Name(16), nullable=False),
        sa.Column("body", Words(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("who", Name(200), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "watch_lease",
        sa.Column("name", Name(60), nullable=False),
        sa.Column("server", Name(100), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    """Back to the revision before."""
    op.drop_table("watch_lease")
    op.drop_table("watch_channel")
    op.drop_table("watch_silence")
    op.drop_table("watch_alert")
    op.drop_table("watch_rules")
    op.drop_table("watch_event")
    op.drop_table("watch_waiting")
    op.drop_table("watch_answer")
    op.drop_table("watch_tile")
    op.drop_table("watch_profile")
