"""What the yard holds and what it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import garbage, models
from modelyard.core.chunks import Kind
from modelyard.core.stats import ModelStats, YardStats
from modelyard.registry.dropping import sizes_of

if TYPE_CHECKING:
    from modelyard.registry.house import House

__all__ = ["stats"]


def stats(house: House) -> YardStats:
    """Count models, versions, chunks and bytes."""
    with house.catalog.read() as connection:
        totals = models.totals(connection)
        names = {row.id: row.name for row in models.listed(connection, deleted=False)}
        found = garbage.counts(connection, Kind.CONTENT)
        uses = garbage.pack_uses(connection)
        rows = garbage.catalog_bytes(connection)
    per_model = [
        ModelStats(name=name, versions=count, logical=size, new_bytes=new)
        for key, name in names.items()
        for count, size, new in [totals.get(key, (0, 0, 0))]
    ]
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
        per_model=tuple(sorted(per_model, key=lambda m: -m.logical)),
    )


def _files(house: House) -> int:
    """Bytes of the files of a SQLite catalog."""
    file = house.catalog_path
    if file is None:
        return 0
    files = [file, *file.parent.glob(f"{file.name}-*")]
    return sum(found.stat().st_size for found in files if found.exists())
