"""gc takes only what nothing needs, and only after a grace time.

Its steps, each of which may be interrupted and begun again: versions whose time is over lose their
files; what nothing needs loses its rows; packs that hold little are written anew; packs that were
empty for the grace time lose their bytes. Why that is safe beside everybody else is in
docs/decisions/0012-gc.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelyard.catalog.queries import garbage
from modelyard.core.stats import GcReport
from modelyard.registry.dropping import drop, held_strays, is_ripe, is_stray, note_strays, sizes_of
from modelyard.registry.marks import Marks
from modelyard.registry.repack import choose, repack
from modelyard.registry.sweep import expire, expiry, sweep
from modelyard.registry.transfer.schedule import dump_if_due

if TYPE_CHECKING:
    import sqlalchemy as sa

    from modelyard.catalog.queries.garbage import PackUse
    from modelyard.registry.house import House

__all__ = ["gc"]


def gc(house: House, *, dry_run: bool) -> GcReport:
    """Forget what is over, then give the bytes back that nothing needs. Conflict: `other-store`."""
    if dry_run:
        return _Forecast(house).report()
    house.check_pair()
    purged = expire(house)
    chunk_count = sweep(house)
    moved = repack(house)
    note_strays(house)
    dropped = drop(house)
    dump_if_due(house)
    return GcReport(
        dry_run=False, chunks=chunk_count, freed=dropped.bytes, waiting=dropped.waiting,
        packs_deleted=dropped.packs, packs_waiting=dropped.packs_waiting,
        packs_rewritten=moved.packs, moved=moved.bytes, versions_purged=purged,
    )  # fmt: skip


class _Forecast:
    """What `gc` would do now, if nobody else did anything."""

    def __init__(self, house: House) -> None:
        self._house = house
        since = house.catalog.write_alone(garbage.last_version)
        keys = list(house.backend.keys("packs/"))
        with house.catalog.read() as connection:
            self._now = house.catalog.now(connection)
            self._expired, without = self._over(connection)
            marks = Marks(house, connection, since=since, without=without)
            self._leased = garbage.leased_packs(connection, self._now)
            known = garbage.pack_names(connection)
            uses = garbage.pack_uses(connection)
        self._strays = [key for key in keys if is_stray(key, known)]
        self._count_gone(marks)
        self._uses = [use._replace(live=self._live.get(use.id, 0)) for use in uses]

    def _over(self, connection: sa.Connection) -> tuple[int, set[int]]:
        before = expiry(self._house, self._now)
        old = garbage.expired_models(connection, before)
        expired = garbage.expired_versions(connection, before)
        without = {key for key, _, _ in expired}
        return len(expired), without | set(garbage.versions_of_models(connection, old))

    def _count_gone(self, marks: Marks) -> None:
        columns = marks.columns
        stays = marks.needed | np.isin(columns.packs, list(self._leased))
        stays[columns.at(columns.bases[stays])] = True
        self.chunks = int(len(stays) - stays.sum())
        packs, inverse = np.unique(columns.packs[stays], return_inverse=True)
        lengths = np.bincount(inverse, columns.lengths[stays], len(packs))
        self._live = dict(zip(packs.tolist(), lengths.astype(np.int64).tolist(), strict=True))

    def report(self) -> GcReport:
        house = self._house
        groups = choose(house, self._uses, self._leased)
        rewritten = [use for group in groups for use in group]
        emptied = [use for use in self._uses if use.state == "live" and not use.live
                   and use.id not in self._leased]  # fmt: skip
        fresh = {use.id: use for use in (*emptied, *rewritten)}
        old = [use for use in self._uses if use.state in ("condemned", "stray")]
        condemned = [use._replace(state="condemned", changed=self._now) for use in fresh.values()]
        packs = [*old, *condemned]
        sizes = sizes_of(house, packs)
        dropping = [use for use in self._uses if use.state == "dropping"]
        stay = held_strays(house, packs, self._now) | self._leased
        freed = [use for use in packs if is_ripe(house, use, self._now, stay)]
        waiting = [use for use in packs if use not in freed]
        return GcReport(
            dry_run=True, chunks=self.chunks,
            freed=sum(sizes[use.id] for use in freed) + sum(sizes_of(house, dropping).values()),
            waiting=sum(sizes[use.id] for use in waiting) + self._stray_bytes(),
            packs_deleted=len(freed) + len(dropping),
            packs_waiting=len(waiting) + len(self._strays),
            packs_rewritten=len(rewritten), moved=sum(use.live for use in rewritten),
            versions_purged=self._expired,
        )  # fmt: skip

    def _stray_bytes(self) -> int:
        strays: list[PackUse] = [
            garbage.PackUse(number, key, "stray", 0, self._now, 0)
            for number, key in enumerate(self._strays)
        ]
        return sum(sizes_of(self._house, strays).values())
