"""Statements about seals: the wrapped keys of encrypted packs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from modelyard.catalog.schema import pack

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["every", "has_plain", "newest", "replace"]

_NEWEST = sa.select(pack.c.seal).order_by(pack.c.id.desc()).limit(1)
_REPLACE = (
    sa.update(pack).where(pack.c.id == sa.bindparam("k")).values(seal=sa.bindparam("to_seal"))
)


def every(connection: sa.Connection) -> dict[int, bytes]:
    """The seal of each encrypted pack, by the pack's row."""
    statement = sa.select(pack.c.id, pack.c.seal).where(pack.c.seal.is_not(None))
    return {row.id: bytes(row.seal) for row in connection.execute(statement)}


def newest(connection: sa.Connection) -> bytes | None:
    """The seal of the pack that was begun last; None if it is plain, or there is none."""
    seal = connection.execute(_NEWEST).scalar_one_or_none()
    return None if seal is None else bytes(seal)


def has_plain(connection: sa.Connection) -> bool:
    """Whether there is a pack that is not encrypted."""
    statement = sa.select(pack.c.id).where(pack.c.seal.is_(None)).limit(1)
    return connection.execute(statement).first() is not None


def replace(connection: sa.Connection, seals: Mapping[int, bytes]) -> None:
    """Keep other seals for these packs."""
    if seals:
        rows = [{"k": key, "to_seal": seal} for key, seal in seals.items()]
        connection.execute(_REPLACE, rows)
