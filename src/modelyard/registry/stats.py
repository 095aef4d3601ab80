"""What the yard holds and what it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import garbage, models
from modelyard.catalog.queries.readable import readable
from modelyard.core.chunks import Kind
from modelyard.core.stats import ModelStats, YardStats
from modelyard.registry.dropping import sizes_of

if TYPE_CHECKING:
    from modelyard.registry.house import House

__all__ = ["stats"]


def stats(house: House) -> YardStats:
    """Count models, versions, chunks and bytes.

    For somebody who may not read all models: of theirs alone, and nothing that all share.
    """
    where = readable(house.caller)
    with house.catalog.read() as connection:
        totals = models.totals(connection, where)
        rows_of = models.listed(connection, deleted=False, where=where)
        names = {row.id: row.name for row in rows_of}
        if where is not None:
            return _own(_per_model(names, totals))
        found = garbage.counts(connection, Kind.CONTENT)
        uses = garbage.pack_uses(connection)
        rows = garbage.catalog_bytes(connection)
    per_model = _per_model(names, totals)
    return YardStats(
        models=len(names),
        versions=sum(m.versions for m in per_model),
        blobs=found["blobs"],
        chunks=found["chunks"],
        packs=len(uses),
        logical=sum(m.logical for m in per_model),
        unique=found["unique"],
        stored=sum(sizes_of(house, uses).values()),
        catalog=_files(house) or rows,
        per_model=per_model,
    )


def _per_model(
    names: dict[int, str], totals: dict[int, tuple[int, int, int]]
) -> tuple[ModelStats, ...]:
    per_model = [
        ModelStats(name=name, versions=count, logical=size, new_bytes=new)
        for key, name in names.items()
        for count, size, new in [totals.get(key, (0, 0, 0))]
    ]
    return tuple(sorted(per_model, key=lambda m: -m.logical))


def _own(per_model: tuple[ModelStats, ...]) -> YardStats:
    return YardStats(
        models=len(per_model), versions=sum(m.versions for m in per_model), blobs=0, chunks=0,
        packs=0, logical=sum(m.logical for m in per_model), unique=0, stored=0, catalog=0,
        per_model=per_model,
    )  # fmt: skip


def _files(house: House) -> int:
    """Bytes of the files of a SQLite catalog."""
    file = house.catalog_path
    if file is None:
        return 0
    files = [file, *file.parent.glob(f"{file.name}-*")]
    return sum(found.stat().st_size for found in files if found.exists())
