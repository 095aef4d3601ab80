"""Keys of packs that were wrapped anew: packs never change, so the new seals lie beside them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from modelyard.errors import Corrupt, Denied
from modelyard.store.pack import read_seal
from modelyard.store.sealing import SEAL_SIZE, identity_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from modelyard.store.interface import Backend
    from modelyard.store.sealing import PackLock, Vault

__all__ = ["open_pack", "read_seals", "write_seals"]

_HEADER = b"yardkeys\x01\x00\x00\x00\x00\x00\x00\x00"
_PREFIX = "keys/"


def write_seals(backend: Backend, seals: Iterable[bytes], now: int) -> str:
    """Put seals that override those in the headers of their packs; gives the key of the object.

    Args:
        seals: As `Vault.rewrap` gives them.
        now: Microseconds since 1970; of two seals for a pack the later counts.
    """
    key = f"{_PREFIX}{now:016}-{secrets.token_hex(4)}"
    backend.put(key, _HEADER + b"".join(seals))
    return key


def read_seals(backend: Backend) -> dict[bytes, list[bytes]]:
    """All seals that were written anew, by their packs' identities, the latest first."""
    found: dict[bytes, list[bytes]] = {}
    for key in sorted(backend.keys(_PREFIX), reverse=True):
        content = backend.get(key)
        if not content.startswith(_HEADER):
            continue
        for at in range(len(_HEADER), len(content) - SEAL_SIZE + 1, SEAL_SIZE):
            seal = content[at : at + SEAL_SIZE]
            found.setdefault(identity_of(seal), []).append(seal)
    return found


def open_pack(
    read: Callable[[int, int], bytes],
    vault: Vault | None,
    rewrapped: Mapping[bytes, Sequence[bytes]],
) -> PackLock | None:
    """The lock of a pack found in the store; None if it is not encrypted.

    Args:
        read: As for `scan_records`.
        vault: The master keys, if there are any.
        rewrapped: What `read_seals` gave.

    Raises:
        Corrupt: `bad-pack`, this is no pack; `bad-seal`, its key is damaged.
        Denied: `no-master-key`, `wrong-key`.
    """
    seal = read_seal(read)
    if seal is None:
        return None
    if vault is None:
        raise Denied(
            "no-master-key", "the store is encrypted, and this yard has no key",
            hint="[encryption] in yard.toml says where the key is",
        )  # fmt: skip
    problems: list[Corrupt | Denied] = []
    for candidate in (*rewrapped.get(identity_of(seal), ()), seal):
        try:
            return vault.lock(candidate)
        except (Corrupt, Denied) as error:
            problems.append(error)
    raise min(problems, key=lambda error: isinstance(error, Corrupt))
