"""Bytes that go: condemned packs after the grace time, and objects that no row names.

A pack on its way out is in the state `dropping` from before its object is deleted until after: who
dies in between leaves work for the next gc, never an object without a row or the other way round.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from modelyard.catalog.queries import facts, garbage
from modelyard.registry.many import each
from modelyard.registry.rebuild import remove_unfinished
from modelyard.registry.salvage import holds_journal
from modelyard.store.interface import SupportsLeftovers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.garbage import PackUse
    from modelyard.registry.house import House

__all__ = ["Dropped", "drop", "held_strays", "is_ripe", "is_stray", "note_strays", "sizes_of"]

_MINUTE = 60_000_000
STRAY_MINUTES = 60.0
"""How long an object may be there before its row; longer if the grace time is longer."""
_PACK = re.compile(r"packs/[0-9a-f]{2}/[0-9a-f]{8,}\.pack\Z")


class Dropped(NamedTuple):
    """What went, and what will."""

    packs: int
    bytes: int
    packs_waiting: int
    waiting: int


def is_ripe(house: House, use: PackUse, now: int, leased: Iterable[int]) -> bool:
    """Whether a condemned pack, or a stray one, may lose its bytes."""
    minutes = house.settings.grace_minutes
    if use.state == "stray":
        minutes = max(minutes, STRAY_MINUTES)
    return use.changed + int(minutes * _MINUTE) <= now and use.id not in leased


def is_stray(key: str, known: Iterable[str]) -> bool:
    """Whether an object is a pack of ours that no row names; others' objects are left alone."""
    return key not in known and _PACK.match(key) is not None


def held_strays(house: House, packs: Iterable[PackUse], now: int) -> set[int]:
    """Rows of the strays that are kept because the catalog may have been set back.

    After a failover, or when an old copy of it came back, packs of acknowledged versions are strays
    too, and a rebuild would find them. So as long as one of the strays holds a journal entry and is
    younger than what a deleted version can be restored for, all of them stay.
    """
    strays = [use for use in packs if use.state == "stray"]
    limit = now - int(house.settings.keep_deleted_days * 1440 * _MINUTE)
    young = [use.name for use in strays if use.changed > limit]
    if any(each(house, lambda key: holds_journal(house, key), young)):
        return {use.id for use in strays}
    return set()


def note_strays(house: House) -> None:
    """Give objects that no row names a row, so that the catalog's clock tells their age.

    No clock of the store is asked. Who put such an object and comes late to register it finds the
    row and takes it over.
    """
    keys = list(house.backend.keys("packs/"))  # before the rows: whoever registers adds a row first
    with house.catalog.read() as connection:
        known = garbage.pack_names(connection)
    strays = [key for key in keys if is_stray(key, known)]
    if not strays:
        return

    def work(connection: sa.Connection) -> None:
        known = garbage.pack_names(connection)
        now = house.catalog.now(connection)
        garbage.add_strays(connection, [key for key in strays if key not in known], now)

    house.catalog.write_alone(work)


def drop(house: House) -> Dropped:
    """Delete the bytes of packs whose time is over, and finish what another gc began."""
    with house.catalog.read() as connection:
        now = house.catalog.now(connection)
        held = held_strays(house, garbage.packs_in(connection, "stray"), now)

    def begin(connection: sa.Connection) -> tuple[list[PackUse], list[PackUse]]:
        now = house.catalog.now(connection)
        leased = garbage.leased_packs(connection, now)
        packs = [*garbage.packs_in(connection, "condemned"), *garbage.packs_in(connection, "stray")]
        full = garbage.full_packs(connection, [use.id for use in packs])
        ripe = [u for u in packs if is_ripe(house, u, now, leased) and u.id not in full | held]
        garbage.set_pack_state(connection, [use.id for use in ripe], "dropping", now)
        gone = {use.id for use in ripe}
        return garbage.packs_in(connection, "dropping"), [u for u in packs if u.id not in gone]

    going, waiting = house.catalog.write_alone(begin)
    freed = sizes_of(house, going)
    each(house, house.backend.delete, [use.name for use in going])

    def end(connection: sa.Connection) -> None:
        for use in going:
            if not use.size:  # a stray one, whose writer may still come
                facts.put(connection, garbage.tombstone(use.name), "gone")
        garbage.drop_packs(connection, [use.id for use in going])

    if going:
        house.catalog.write_alone(end)
    if isinstance(house.backend, SupportsLeftovers):
        house.backend.remove_leftovers(house.settings.grace_minutes * 60)
    if house.catalog_path is not None:  # a rebuild that lives has the yard alone
        remove_unfinished(house.catalog_path)
    return Dropped(
        len(going), sum(freed.values()), len(waiting), sum(sizes_of(house, waiting).values())
    )


def sizes_of(house: House, packs: Sequence[PackUse]) -> dict[int, int]:
    """The bytes of these packs' objects, by row; 0 for one that is not there."""
    stats = each(house, house.backend.stat, [use.name for use in packs])
    return {use.id: s.size if s else 0 for use, s in zip(packs, stats, strict=True)}
