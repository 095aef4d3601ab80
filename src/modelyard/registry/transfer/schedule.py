"""Dumps of the catalog in the store itself: written by whoever finds that one is due."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from modelyard.catalog.queries import facts
from modelyard.catalog.schema import audit
from modelyard.core.transfer import BackedUp
from modelyard.errors import ModelyardError
from modelyard.registry.transfer.dump import write_dump

if TYPE_CHECKING:
    from modelyard.registry.house import House
    from modelyard.store.interface import Backend
    from modelyard.store.sealing import Vault

__all__ = ["DUMPS", "dump_if_due", "dump_now", "newest_dump", "reseal_dumps"]

DUMPS = "catalog/"
_FACT = "catalog-dump"
"""When the last dump was written, in microseconds since 1970."""
_KEPT = 7
_HOUR = 3600 * 1_000_000
_PATIENCE = 60.0
"""Seconds between two looks of one process."""


def dump_if_due(house: House) -> None:
    """Write a dump if the last one is old enough. Whatever fails here is tried another time."""
    now = time.monotonic()
    if house.settings.backup_hours <= 0 or now - house.dump_looked < _PATIENCE:
        return
    house.dump_looked = now
    with suppress(ModelyardError, sa.exc.SQLAlchemyError, OSError):
        if _claim(house):
            dump_now(house)


def dump_now(house: House) -> BackedUp:
    """Write the catalog's rows into the store; older dumps than the last seven go."""
    started = time.monotonic()
    house.check_key()
    with house.catalog.read() as connection:
        now = house.catalog.now(connection)
        head, data = write_dump(connection, now)
    moment = datetime.fromtimestamp(now / 1_000_000, UTC)
    key = _key(f"{moment:%Y%m%dt%H%M%Sz}")
    if house.vault is not None:
        data = house.vault.seal_object(key, data)
    house.backend.put(key, data)
    house.catalog.write(lambda connection: facts.put(connection, _FACT, str(now)))
    for old in sorted(house.backend.keys(DUMPS))[:-_KEPT]:
        house.backend.delete(old)
    return BackedUp(
        file=key, packs=0, versions=head.versions, bytes=len(data),
        sealed=house.vault is not None, seconds=round(time.monotonic() - started, 3),
    )  # fmt: skip


def reseal_dumps(house: House, vault: Vault) -> None:
    """Seal the dumps in the store by the vault's first key; it must hold their keys too."""
    for old in list(house.backend.keys(DUMPS)):
        content = vault.open_object(old, house.backend.get(old))
        new = _key(old.removeprefix(DUMPS).partition("-")[0])
        house.backend.put(new, vault.seal_object(new, content))
        house.backend.delete(old)


def _key(moment: str) -> str:
    return f"{DUMPS}{moment}-{secrets.token_hex(4)}.dump"


def newest_dump(backend: Backend) -> str | None:
    """The key of the last dump that a store holds."""
    return max(backend.keys(DUMPS), default=None)


def _claim(house: House) -> bool:
    """Whether a dump is due, and nobody else writes it."""
    with house.catalog.fresh() as connection:
        if not _is_due(house, connection):
            return False

    def work(connection: sa.Connection) -> bool:
        if not _is_due(house, connection):
            return False
        facts.put(connection, _FACT, str(house.catalog.now(connection)))
        return True

    return house.catalog.write(work)


def _is_due(house: House, connection: sa.Connection) -> bool:
    """A yard that has no dump yet gets its first when it is old enough."""
    last = facts.get(connection, _FACT)
    if last is None or not last.isdecimal():
        first = sa.select(audit.c.time).order_by(audit.c.id).limit(1)
        last = connection.execute(first).scalar_one_or_none()
    if last is None:
        return False
    return house.catalog.now(connection) - int(last) >= house.settings.backup_hours * _HOUR
