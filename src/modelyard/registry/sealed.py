"""Whether this machine has the key that a yard's packs are sealed by."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from modelyard.catalog.queries import facts, seals
from modelyard.errors import Conflict, Corrupt, Denied

if TYPE_CHECKING:
    import sqlalchemy as sa

    from modelyard.store.sealing import Vault

__all__ = ["SEALED", "check_all_sealed", "check_key"]

SEALED = "sealed"
"""The fact that a yard was made with a key, before its first pack shows it."""


def check_key(connection: sa.Connection, vault: Vault | None) -> None:
    """The newest pack can be opened here, so what is written now can be opened elsewhere.

    Denied: `no-master-key`, the yard is encrypted; `wrong-key`, as after a rekey elsewhere.
    """
    seal = seals.newest(connection)
    if seal is None and (vault is not None or facts.get(connection, SEALED) is None):
        return
    if vault is None:
        raise Denied(
            "no-master-key", "the store is encrypted, and this yard has no key",
            hint="[encryption] in yard.toml says where the key is; yard init has --key",
        )  # fmt: skip
    if seal is not None:
        with suppress(Corrupt):  # verify tells of it
            vault.lock(seal)


def check_all_sealed(connection: sa.Connection) -> None:
    """Conflict: `not-sealed`, the key came after the packs."""
    if seals.has_plain(connection):
        raise Conflict(
            "not-sealed", "this yard has packs that are not encrypted, and a key since",
            hint="take the key out of yard.toml, then mirror it into a yard that has one",
        )  # fmt: skip
