"""Proof that somebody sent chunks: no table of them, and any server of the yard can check it."""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING

import blake3

from modelyard.catalog.queries import facts
from modelyard.core.transferring import names_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from modelyard.core.transferring import Receipt
    from modelyard.registry.house import House

__all__ = ["proven", "receipt_for"]

_KEY = "receipts"


def receipt_for(house: House, session: str, account: int, names: Sequence[bytes]) -> bytes:
    """For chunks that came in a session of an account."""
    return _sign(_key(house), session, account, b"".join(names))


def proven(
    house: House, session: str | None, account: int, have: Sequence[Receipt]
) -> frozenset[bytes]:
    """The chunks of those receipts that are good."""
    if session is None or not have:
        return frozenset()
    key = _key(house)
    return frozenset(
        name
        for each in have
        if hmac.compare_digest(_sign(key, session, account, each.names), each.receipt)
        for name in names_of(each.names)
    )


def _sign(key: bytes, session: str, account: int, names: bytes) -> bytes:
    said = f"{session} {account} ".encode() + blake3.blake3(names).digest()
    return blake3.blake3(said, key=key).digest()


def _key(house: House) -> bytes:
    """Drawn once for a yard."""
    with house.catalog.fresh() as connection:
        known = facts.get(connection, _KEY)
    if known is None:
        known = house.catalog.write_alone(_draw)
    return bytes.fromhex(known)


def _draw(connection: sa.Connection) -> str:
    known = facts.get(connection, _KEY)
    if known is None:
        known = secrets.token_hex(32)
        facts.put(connection, _KEY, known)
    return known
