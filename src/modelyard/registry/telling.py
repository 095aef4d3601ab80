"""Blobs as the journal tells of them, so that a rebuild finds the files of a version again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import arrivals, chunks
from modelyard.registry.journal import ContentGone

if TYPE_CHECKING:
    from collections.abc import Iterable

    import sqlalchemy as sa

    from modelyard.catalog.queries.blobs import BlobRow

__all__ = ["Told", "tell_blobs", "tell_untold"]

Told = tuple[bytes, int, bytes, bool, str, None, bytes | None]


def tell_blobs(connection: sa.Connection, rows: Iterable[BlobRow]) -> list[Told]:
    """Stored blobs as an entry tells of them (docs/spec/journal-1.md, `blobs`)."""
    found = list(rows)
    ids = {row.content_id for row in found} | {r.inspection_id for r in found if r.inspection_id}
    names: dict[int, bytes] = {row[0]: row[1] for row in chunks.by_id(connection, ids)}
    if len(names) < len(ids):
        raise ContentGone
    return [
        (row.sha256, row.size, names[row.content_id], row.is_recipe, row.format, None,
         names[row.inspection_id] if row.inspection_id else None)
        for row in found
    ]  # fmt: skip


def tell_untold(connection: sa.Connection, rows: Iterable[BlobRow]) -> list[Told]:
    """Those of some blobs that came whole by git-lfs, and that no entry may have told of yet."""
    by_id = {row.id: row for row in rows}
    return tell_blobs(connection, [by_id[key] for key in arrivals.untold(connection, by_id)])
