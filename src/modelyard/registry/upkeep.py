"""gc and stats. gc takes only what nothing needs, and only after a grace time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.catalog.queries import audit, blobs, chunks, garbage, models, reports, versions
from modelyard.core.chunks import ChunkRow, Kind
from modelyard.core.stats import GcReport, ModelStats, YardStats
from modelyard.registry.journal import Journal, in_journal
from modelyard.registry.repack import repack
from modelyard.store.ingest import decode_recipe
from modelyard.store.local import LocalBackend

if TYPE_CHECKING:
    from collections.abc import Iterable

    import sqlalchemy as sa

    from modelyard.registry.house import House

__all__ = ["gc", "stats"]

_DAY = 86_400_000_000
_MINUTE = 60_000_000
_ORPHAN_SECONDS = 3600.0
_RARE = 0.5
"""A pack of which less than this is needed is written anew."""


@dataclass(frozen=True, slots=True)
class _Marks:
    """What is needed, as of one moment."""

    change: int
    models: list[int]
    """Models whose time is over."""
    versions: list[tuple[int, int, int]]
    """Versions whose time is over."""
    blobs: set[int]
    chunks: set[int]


def gc(house: House, *, dry_run: bool) -> GcReport:
    """Forget what is over, then give the bytes back that nothing needs."""
    if dry_run:
        with house.catalog.read() as connection:
            marks = _mark(house, connection)
            return _estimate(house, connection, marks)
    purged = _expire(house)
    chunk_count = _sweep(house)
    rewritten = repack(house, _RARE)
    deleted, freed, waiting = _delete_packs(house)
    freed += _delete_orphans(house)
    return GcReport(
        dry_run=False, chunks=chunk_count, freed=freed, waiting=waiting, packs_deleted=deleted,
        packs_rewritten=rewritten, versions_purged=purged,
    )  # fmt: skip


def _mark(house: House, connection: sa.Connection) -> _Marks:
    before = house.catalog.now(connection) - int(house.settings.keep_deleted_days * _DAY)
    change = audit.last(connection)
    old_models = garbage.expired_models(connection, before)
    old_versions = garbage.expired_versions(connection, before)
    without = {key for key, _, _ in old_versions}
    without.update(garbage.versions_of_models(connection, old_models))
    kept_blobs = garbage.needed_blobs(connection, without)
    needed = garbage.bundles_not_of(connection, old_models, Kind.BUNDLE)
    rows = blobs.by_id(connection, kept_blobs)
    for row in rows.values():
        needed.add(row.content_id)
        if row.inspection_id is not None:
            needed.add(row.inspection_id)
    recipes = [row.content_id for row in rows.values() if row.is_recipe]
    needed |= _chunks_of_recipes(house, connection, recipes)
    every = garbage.every_chunk(connection)
    needed |= {base for key in needed if (base := every.get(key, (0, 0, None))[2]) is not None}
    return _Marks(change, old_models, old_versions, kept_blobs, needed)


def _chunks_of_recipes(house: House, connection: sa.Connection, recipes: Iterable[int]) -> set[int]:
    names: set[bytes] = set()
    for row in map(ChunkRow._make, chunks.by_id(connection, recipes)):
        names.update(name for name, _ in decode_recipe(house.reader.record(row)))
    return set(chunks.ids_of(connection, names).values())


def _estimate(house: House, connection: sa.Connection, marks: _Marks) -> GcReport:
    leased = garbage.leased_packs(connection, house.catalog.now(connection))
    every = garbage.every_chunk(connection)
    gone = {k: row for k, row in every.items() if k not in marks.chunks and row[0] not in leased}
    uses = garbage.pack_uses(connection)
    condemned = sum(use.size for use in uses if use.state == "condemned")
    return GcReport(
        dry_run=True, chunks=len(gone), freed=0,
        waiting=condemned + sum(length for _, length, _ in gone.values()),
        packs_deleted=0, packs_rewritten=0, versions_purged=len(marks.versions),
    )  # fmt: skip


def _expire(house: House) -> int:
    """Drop the files of versions, and the rows of models, whose time is over."""
    with house.catalog.read() as connection:
        before = house.catalog.now(connection) - int(house.settings.keep_deleted_days * _DAY)
        if not garbage.expired_models(connection, before) and not garbage.expired_versions(
            connection, before
        ):
            return 0

    def work(journal: Journal) -> int:
        connection = journal.connection
        before = journal.now - int(house.settings.keep_deleted_days * _DAY)
        expired = garbage.expired_versions(connection, before)
        for key, model_id, number in expired:
            model = models.by_id(connection, model_id)
            row = versions.by_ids(connection, [key]).get(key)
            versions.drop_files(connection, key)
            reports.drop(connection, key)
            versions.update(connection, key, purged=True)
            if row is not None and not row.purged:
                journal.write(
                    "purge", who="gc", model=model_id, name=model.name if model else "",
                    detail={"number": number},
                )  # fmt: skip
        for key in garbage.expired_models(connection, before):
            model = models.by_id(connection, key)
            journal.write(
                "forget-model", who="gc", model=key, name=model.name if model else "", detail={}
            )
            garbage.drop_models(connection, [key])
        return len(expired)

    count: int = in_journal(house, work)
    return count


def _sweep(house: House) -> int:
    """Delete the rows of what is not needed, if nothing happened since it was marked."""
    for last in (False, False, True):
        marks = None
        if not last:
            with house.catalog.read() as connection:
                marks = _mark(house, connection)

        def work(connection: sa.Connection, marks: _Marks | None = marks) -> int | None:
            if marks is not None and audit.last(connection) != marks.change:
                return None
            found = marks or _mark(house, connection)
            now = house.catalog.now(connection)
            leased = garbage.leased_packs(connection, now)
            every = garbage.every_chunk(connection)
            held = {key for key, row in every.items() if row[0] in leased}
            held |= {base for key in held if (base := every[key][2]) is not None}
            gone = every.keys() - found.chunks - held
            garbage.drop_blobs_but(connection, found.blobs)
            garbage.drop_chunks(connection, gone)
            for use in garbage.pack_uses(connection):
                if use.live == 0 and use.state == "live" and use.id not in leased:
                    garbage.set_pack_state(connection, use.id, "condemned", now)
            return len(gone)

        count = house.catalog.write(work)
        if count is not None:
            return count
    raise AssertionError


def _delete_packs(house: House) -> tuple[int, int, int]:
    """Give back the bytes of packs that were condemned long enough ago."""
    grace = int(house.settings.grace_minutes * _MINUTE)

    def work(connection: sa.Connection) -> tuple[list[garbage.PackUse], int]:
        now = house.catalog.now(connection)
        leased = garbage.leased_packs(connection, now)
        condemned = [use for use in garbage.pack_uses(connection) if use.state == "condemned"]
        ripe = [
            use
            for use in condemned
            if use.live == 0 and use.changed + grace <= now and use.id not in leased
        ]
        for use in ripe:
            garbage.drop_pack(connection, use.id)
        waiting = sum(use.size for use in condemned) - sum(use.size for use in ripe)
        return ripe, waiting

    ripe, waiting = house.catalog.write(work)
    freed = 0
    for use in ripe:
        status = house.backend.stat(use.name)
        freed += status.size if status else 0
        house.backend.delete(use.name)
    return len(ripe), freed, waiting


def _delete_orphans(house: House) -> int:
    """Objects that no row names, from writers that died in between, when they are old enough."""
    with house.catalog.read() as connection:
        known = garbage.pack_names(connection)
    freed = 0
    limit = time.time() - max(_ORPHAN_SECONDS, house.settings.grace_minutes * 60)
    for key in house.backend.keys("packs/"):
        if key in known:
            continue
        status = house.backend.stat(key)
        if status is not None and status.modified < limit:
            house.backend.delete(key)
            freed += status.size
    if isinstance(house.backend, LocalBackend):
        house.backend.remove_leftovers()
    return freed


def stats(house: House) -> YardStats:
    """What the yard holds and what it takes."""
    with house.catalog.read() as connection:
        totals = models.totals(connection)
        names = {row.id: row.name for row in models.listed(connection, deleted=False)}
        found = garbage.counts(connection, Kind.CONTENT)
        uses = garbage.pack_uses(connection)
    stored = 0
    for use in uses:
        status = house.backend.stat(use.name)
        stored += status.size if status else 0
    per_model = [
        ModelStats(name=name, versions=count, logical=size, new_bytes=new)
        for key, name in names.items()
        for count, size, new in [totals.get(key, (0, 0, 0))]
    ]
    files = [house.catalog_path, *house.root.glob("catalog.db-*")]
    return YardStats(
        models=len(names),
        versions=sum(m.versions for m in per_model),
        blobs=found["blobs"],
        chunks=found["chunks"],
        packs=len(uses),
        logical=sum(m.logical for m in per_model),
        unique=found["unique"],
        stored=stored,
        catalog=sum(file.stat().st_size for file in files if file.exists()),
        per_model=tuple(sorted(per_model, key=lambda m: -m.logical)),
    )
