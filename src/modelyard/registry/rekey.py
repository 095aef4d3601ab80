"""A new master key: the keys of all packs are wrapped anew, the packs stay as they are."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from modelyard.catalog.queries import seals
from modelyard.errors import Conflict, InvalidInput
from modelyard.registry.transfer.schedule import reseal_dumps
from modelyard.store.rewrapped import write_seals
from modelyard.store.sealing import Vault, load_key, make_key

if TYPE_CHECKING:
    import sqlalchemy as sa

    from modelyard.registry.house import House

__all__ = ["rekey"]


def rekey(house: House, key: str) -> int:
    """Wrap every pack's key by another master key; how many there were.

    A crash in between harms nothing: until the end, yard.toml names both keys.

    Args:
        key: `env:NAME`, or a file, which is made if it is not there.

    Raises:
        InvalidInput: `not-encrypted`.
        Conflict: `yard-in-use`; `same-key`.
    """
    settings = house.settings
    if settings.key is None or house.vault is None:
        raise InvalidInput(
            "not-encrypted", "this yard has no key", hint="yard init --key makes one that has"
        )
    make_key(house.root, key)
    new = load_key(key, house.root, os.environ)
    old = [load_key(where, house.root, os.environ) for where in (settings.key, *settings.old_keys)]
    vault = Vault(new, old)
    if vault.key_id == house.vault.key_id:
        raise Conflict("same-key", "this is the key already", hint="name a new file")
    with house.alone():
        both = replace(settings, key=key, old_keys=(settings.key, *settings.old_keys))
        both.write(house.root)

        def work(connection: sa.Connection) -> list[bytes]:
            found = seals.every(connection)
            anew = {row: vault.rewrap(seal) for row, seal in found.items()}
            seals.replace(connection, anew)
            if anew:
                write_seals(house.backend, anew.values(), house.catalog.now(connection))
            return list(anew.values())

        count = len(house.catalog.write_alone(work))
        reseal_dumps(house, vault)
        house.use_vault(Vault(new))
        after = replace(settings, key=key, old_keys=())
        after.write(house.root)
        house.settings = after
    return count
