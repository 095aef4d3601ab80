"""Verify: read every chunk, walk every version, and say exactly what is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa

from modelyard.catalog.queries import blobs, chunks, garbage, models, refs, versions
from modelyard.catalog.schema import chunk, file, pack
from modelyard.core.chunks import ChunkRow, Kind
from modelyard.core.stats import Damage, VerifyReport
from modelyard.core.version import Progress
from modelyard.errors import ModelyardError
from modelyard.history.trees import read_tree
from modelyard.registry.objects import ModelObjects
from modelyard.registry.rebuild import rebuild as rebuild_catalog
from modelyard.store.codecs import Workspace
from modelyard.store.ingest import decode_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.registry.house import House

__all__ = ["verify"]

_BATCH = 64


def verify(house: House, *, rebuild: bool, report: Callable[[Progress], None]) -> VerifyReport:
    """Read everything; with `rebuild`, first make the catalog again from the store."""
    if rebuild:
        rebuild_catalog(house, report)
    bad, count, size = _check_chunks(house, report)
    damage: list[Damage] = []
    if bad:
        damage += _blame(house, bad)
    version_count = 0
    for model in _models(house):
        found, checked = _check_model(house, model)
        damage += found
        version_count += checked
    with house.catalog.read() as connection:
        blob_count = garbage.counts(connection, Kind.CONTENT)["blobs"]
    return VerifyReport(
        versions=version_count, blobs=blob_count, chunks=count, bytes=size,
        damage=tuple(damage), rebuilt=rebuild,
    )  # fmt: skip


def _models(house: House) -> list[ModelRow]:
    with house.catalog.read() as connection:
        return [*models.listed(connection, deleted=False), *models.listed(connection, deleted=True)]


def _check_chunks(
    house: House, report: Callable[[Progress], None]
) -> tuple[dict[int, str], int, int]:
    """Decode every chunk; the broken ones with the reason."""
    with house.catalog.read() as connection:
        keys = list(
            connection.execute(
                sa.select(chunk.c.id)
                .join(pack, chunk.c.pack_id == pack.c.id)
                .order_by(chunk.c.pack_id, chunk.c.start)
            ).scalars()
        )
        total = connection.execute(sa.select(sa.func.sum(chunk.c.size))).scalar() or 0
    bad: dict[int, str] = {}
    done = 0
    batches = [keys[i : i + _BATCH] for i in range(0, len(keys), _BATCH)]
    for found, size in house.pool.map(lambda batch: _check_batch(house, batch), batches):
        bad |= found
        done += size
        report(Progress("verify", done, int(total)))
    return bad, len(keys), done


def _check_batch(house: House, keys: list[int]) -> tuple[dict[int, str], int]:
    work = Workspace()
    rows = house.index.rows(keys)
    bases = house.reader.bases(rows.values())
    bad: dict[int, str] = {}
    size = 0
    for key in keys:
        row = rows.get(key)
        if row is None:
            continue  # gc was here meanwhile
        size += row.size
        out = work.bytes("verify", row.size) if row.size else np.empty(0, np.uint8)
        try:
            house.reader.into(row, out, work, bases)
        except ModelyardError as error:
            if house.index.rows([key]).get(key) == row:
                bad[key] = error.message
    return bad, size


def _check_model(house: House, model: ModelRow) -> tuple[list[Damage], int]:
    """Trees, blobs and refs of one model."""
    with house.catalog.read() as connection:
        rows = versions.all_of(connection, model.id)
        pointing = refs.of_models(connection, [model.id])
    known = {row.number for row in rows}
    damage = [
        Damage(what="ref", name=f"{model.name}@{ref.name}", versions=(),
               reason=f"it points at version {ref.number}, which is not there")
        for ref in pointing
        if ref.number not in known
    ]  # fmt: skip
    for row in rows:
        reason = _version_problem(house, model, row)
        if reason is not None:
            title = f"{model.name}@{row.number}"
            damage.append(Damage(what="version", name=title, versions=(title,), reason=reason))
    return damage, sum(not row.deleted for row in rows)


def _version_problem(house: House, model: ModelRow, row: VersionRow) -> str | None:
    objects = ModelObjects(house, model.id)
    try:
        kind, _ = objects.get(row.commit_id)
        if kind != 1:
            return "its commit is no commit"
        tree = read_tree(row.tree_id, objects)
    except ModelyardError as error:
        return error.message
    if row.purged:
        return None
    wanted = {entry.digest.raw for entry in tree.values() if entry.inline is None}
    with house.catalog.read() as connection:
        found = blobs.by_digest(connection, wanted)
        content = chunks.by_id(connection, [blob.content_id for blob in found.values()])
    if len(found) < len(wanted) or len(content) < len({b.content_id for b in found.values()}):
        return f"{len(wanted) - len(found) or 1} of its files are not in the store"
    return None


def _blame(house: House, bad: Mapping[int, str]) -> list[Damage]:
    """Name the versions that need each broken chunk."""
    with house.catalog.read() as connection:
        rows = {r.id: r for r in map(ChunkRow._make, chunks.by_id(connection, bad))}
        users = _users(house, connection, set(bad))
    return [
        Damage(
            what="chunk", name=rows[key].hash.hex(), versions=tuple(sorted(users.get(key, ()))),
            reason=reason,
        )
        for key, reason in bad.items()
        if key in rows
    ]  # fmt: skip


def _users(house: House, connection: sa.Connection, bad: set[int]) -> dict[int, set[str]]:
    """Versions by broken chunk: as content, inside a recipe, or as the base of a delta."""
    uses: dict[int, set[int]] = {}
    needed = sa.select(file.c.blob_id).where(file.c.blob_id > 0).distinct()
    for blob in blobs.by_id(connection, connection.execute(needed).scalars().all()).values():
        for key in _with_bases(connection, _chunks_of(house, connection, blob)) & bad:
            uses.setdefault(key, set()).add(blob.id)
    titles: dict[int, set[str]] = {}
    statement = sa.select(file.c.version_id, file.c.blob_id).where(
        file.c.blob_id.in_({b for found in uses.values() for b in found})
    )
    of_blob: dict[int, set[int]] = {}
    for version_id, blob_id in connection.execute(statement):
        of_blob.setdefault(blob_id, set()).add(version_id)
    rows = versions.by_ids(connection, {v for found in of_blob.values() for v in found})
    names = {row.id: row.name for row in models.listed(connection, deleted=False)}
    for key, blob_ids in uses.items():
        for blob_id in blob_ids:
            for version_id in of_blob.get(blob_id, ()):
                row = rows[version_id]
                titles.setdefault(key, set()).add(f"{names.get(row.model_id, '?')}@{row.number}")
    return titles


def _chunks_of(house: House, connection: sa.Connection, blob: blobs.BlobRow) -> set[int]:
    found = {blob.content_id, *([blob.inspection_id] if blob.inspection_id else [])}
    rows = [ChunkRow._make(row) for row in chunks.by_id(connection, [blob.content_id])]
    if blob.is_recipe and rows:
        try:
            names = [name for name, _ in decode_recipe(house.reader.record(rows[0]))]
        except ModelyardError:
            return found
        found.update(chunks.ids_of(connection, names).values())
    return found


def _with_bases(connection: sa.Connection, keys: Iterable[int]) -> set[int]:
    rows = map(ChunkRow._make, chunks.by_id(connection, keys))
    return {*keys, *(row.base_id for row in rows if row.base_id is not None)}
