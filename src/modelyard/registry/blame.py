"""From what is broken in packs to the versions that need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import blobs, chunks, garbage, models, versions
from modelyard.core.chunks import ChunkRow
from modelyard.core.stats import Damage
from modelyard.errors import ModelyardError
from modelyard.store.ingest import decode_recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import sqlalchemy as sa

    from modelyard.registry.house import House
    from modelyard.registry.packs import Checked

__all__ = ["blame", "missing_chunks"]


def missing_chunks(house: House) -> dict[bytes, set[int]]:
    """Names that lists of chunks have and the catalog has not, or only in a pack on its way out.

    With the blobs that list them.
    """
    missing: dict[bytes, set[int]] = {}
    with house.catalog.read() as connection:
        kept = garbage.needed_blobs(connection)
        uses = [use for use in garbage.blob_uses(connection) if use.id in kept and use.is_recipe]
        for at in range(0, len(uses), 200):
            some = uses[at : at + 200]
            rows = {row[0]: ChunkRow._make(row) for row in chunks.by_id(
                connection, [use.content_id for use in some])}  # fmt: skip
            lists = {use.id: _names(house, rows.get(use.content_id)) for use in some}
            every = set().union(*lists.values())
            known = {row[1] for row in chunks.by_hash(connection, every)}
            for key, names in lists.items():
                for name in names - known:
                    missing.setdefault(name, set()).add(key)
    return missing


def _names(house: House, recipe: ChunkRow | None) -> set[bytes]:
    if recipe is None:
        return set()
    try:
        return {name for name, _ in decode_recipe(house.reader.record(recipe))}
    except ModelyardError:
        return set()  # told as a damaged chunk


def blame(
    house: House, found: Sequence[Checked], missing: Mapping[bytes, set[int]]
) -> list[Damage]:
    """Everything that is broken, with the versions that need it."""
    bad = {key: reason for pack in found for key, reason in pack.bad.items()}
    if not bad and not missing and not any(pack.problems for pack in found):
        return []
    with house.catalog.read() as connection:
        rows = {r.id: r for r in map(ChunkRow._make, chunks.by_id(connection, bad))}
        titles = _titles(house, connection, set(bad), missing)
    damage = []
    for pack in found:
        needing = {title for key in pack.bad for title in titles.get(key, ())}
        for problem in pack.problems:
            shown = problem if pack.bad else f"{problem}; all its chunks can be read"
            damage.append(Damage(
                what="pack", name=pack.pack.name, versions=tuple(sorted(needing)), reason=shown
            ))  # fmt: skip
    damage += [
        Damage(what="chunk", name=rows[key].hash.hex(),
               versions=tuple(sorted(titles.get(key, ()))), reason=reason)
        for key, reason in bad.items() if key in rows
    ]  # fmt: skip
    damage += [
        Damage(what="chunk", name=name.hex(), versions=tuple(sorted(titles.get(name, ()))),
               reason="it is not in the catalog, yet a version needs it")
        for name in missing
    ]  # fmt: skip
    return damage


def _titles(
    house: House, connection: sa.Connection, bad: set[int], missing: Mapping[bytes, set[int]]
) -> dict[int | bytes, set[str]]:
    """`model@number` by broken chunk: as content, inside a list, or as the base of a delta."""
    uses: dict[int | bytes, set[int]] = {name: set(found) for name, found in missing.items()}
    kept = garbage.needed_blobs(connection)
    for blob in blobs.by_id(connection, kept).values() if bad else ():
        for key in _with_bases(connection, _chunks_of(house, connection, blob)) & bad:
            uses.setdefault(key, set()).add(blob.id)
    of_blob: dict[int, set[int]] = {}
    every = {blob for found in uses.values() for blob in found}
    for version_id, blob_id in garbage.users(connection, every):
        of_blob.setdefault(blob_id, set()).add(version_id)
    rows = versions.by_ids(connection, {v for found in of_blob.values() for v in found})
    names = {
        row.id: row.name
        for deleted in (False, True)
        for row in models.listed(connection, deleted=deleted)
    }
    titles: dict[int | bytes, set[str]] = {}
    for named, blob_ids in uses.items():
        for row in (rows[v] for blob in blob_ids for v in of_blob.get(blob, ())):
            titles.setdefault(named, set()).add(f"{names.get(row.model_id, '?')}@{row.number}")
    for model_id, key in garbage.bundle_users(connection, bad):
        titles.setdefault(key, set()).update(_history(connection, model_id, names))
    return titles


def _history(connection: sa.Connection, model_id: int, names: Mapping[int, str]) -> Iterable[str]:
    """A damaged record of a commit: which versions read from it is not known without reading it."""
    for row in versions.all_of(connection, model_id):
        yield f"{names.get(model_id, '?')}@{row.number}"


def _chunks_of(house: House, connection: sa.Connection, blob: blobs.BlobRow) -> set[int]:
    found = {blob.content_id, *([blob.inspection_id] if blob.inspection_id else [])}
    rows = [ChunkRow._make(row) for row in chunks.by_id(connection, [blob.content_id])]
    if blob.is_recipe and rows:
        found.update(chunks.ids_of(connection, _names(house, rows[0])).values())
    return found


def _with_bases(connection: sa.Connection, keys: Iterable[int]) -> set[int]:
    rows = map(ChunkRow._make, chunks.by_id(connection, keys))
    return {*keys, *(row.base_id for row in rows if row.base_id is not None)}
