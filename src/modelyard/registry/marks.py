"""What is needed: the marking half of gc, on columns of numbers instead of rows.

A chunk is needed if it is a bundle (the journal: what a rebuild is made from), if the blob of some
version's file names it, if such a blob's recipe lists it, or if a needed chunk is a delta on it.
Files that came by git-lfs count for two days, so that the push they belong to finds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelyard.catalog.queries import arrivals, chunks, garbage
from modelyard.core.chunks import ChunkRow, Kind
from modelyard.errors import Corrupt
from modelyard.store.codecs import workspace
from modelyard.store.ingest import decode_recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt
    import sqlalchemy as sa

    from modelyard.registry.house import House

    Numbers = npt.NDArray[np.int64]

__all__ = ["ARRIVAL", "Columns", "Marks"]

_TRIES = 3
_BATCH = 500
ARRIVAL = 2 * 24 * 3600 * 1_000_000
"""How long a file may wait for the push that it came for, in microseconds."""


class Columns:
    """Every chunk as of one moment, in columns ordered by row id."""

    def __init__(self, connection: sa.Connection) -> None:
        pages: list[tuple[Numbers, npt.NDArray[np.uint64]]] = []
        for page in garbage.every_chunk(connection):
            rows = [(u.id, u.pack_id, u.length, u.base_id or 0, u.kind) for u in page]
            names = b"".join(bytes(use.hash[:8]) for use in page)
            pages.append((np.array(rows, np.int64), np.frombuffer(names, "<u8")))
        table = np.concatenate([page for page, _ in pages] or [np.empty((0, 5), np.int64)])
        self.ids, self.packs, self.lengths, self.bases, self.kinds = table.T
        self._names = np.concatenate([names for _, names in pages] or [np.empty(0, "<u8")])
        self._order = np.argsort(self._names, kind="stable")
        self._names = self._names[self._order]

    def at(self, ids: Iterable[int] | Numbers) -> Numbers:
        """Where these rows are; those that are not here are left out."""
        wanted = np.fromiter(ids, np.int64) if not isinstance(ids, np.ndarray) else ids
        places = np.searchsorted(self.ids, wanted)
        places = np.minimum(places, max(len(self.ids) - 1, 0))
        return places[self.ids[places] == wanted] if len(self.ids) else wanted[:0]

    def named(self, names: bytes) -> Numbers:
        """Where the chunks with these names are, 32 bytes each.

        Compared by 8 bytes: of two chunks that agree in them both are meant. One too many is kept.
        """
        wanted = np.unique(np.frombuffer(names, "<u8")[::4])
        first = np.searchsorted(self._names, wanted, "left")
        last = np.searchsorted(self._names, wanted, "right")
        found = [self._order[first[last > first]]]
        twice = np.flatnonzero(last > first + 1)
        found += [self._order[first[i] : last[i]] for i in twice]
        return np.concatenate(found)


class Marks:
    """The needed among all blobs and chunks; it can catch up with what was committed since."""

    def __init__(
        self, house: House, connection: sa.Connection, *, since: int, without: Iterable[int] = ()
    ) -> None:
        """Mark everything.

        Args:
            since: All versions up to this row are in the view of `connection`.
            without: Rows of versions that count as gone.
        """
        self._house = house
        self._since = since
        self._seen: set[int] = set()
        self.columns = Columns(connection)
        self.needed = self.columns.kinds == Kind.BUNDLE
        uses = garbage.blob_uses(connection)
        self._arrived = self._arrivals(connection)
        kept = garbage.needed_blobs(connection, without) | self._arrived
        self.blobs = {use.id for use in uses} - kept
        """Blobs that no version has."""
        self._need([use for use in uses if use.id in kept])

    def catch_up(self, connection: sa.Connection, *, alone: bool = False) -> None:
        """Take in what was committed since; `alone` says that nobody else is writing now."""
        fresh = set(garbage.versions_after(connection, self._since))
        unseen = fresh - self._seen
        arrived = self._arrivals(connection) - self._arrived
        if unseen or arrived:
            found = garbage.blobs_of_versions(connection, unseen) | arrived
            self._arrived |= arrived
            self.blobs -= found
            names = self._need(garbage.blob_uses(connection, found))
            # chunks that are newer than the columns may be deltas on old ones
            rows = garbage.bases_of(connection, _split(names))
            self._mark(self.columns.at(np.array([k for row in rows for k in row], np.int64)))
        if alone:  # else one with a lower number may come later
            self._since, self._seen = max(fresh, default=self._since), set()
        else:
            self._seen = fresh

    def gone(self) -> Numbers:
        """Places of the chunks that nothing needs, deltas first: no base goes before them."""
        places = np.flatnonzero(~self.needed)
        return places[np.argsort(self.columns.bases[places] == 0, kind="stable")]

    def _arrivals(self, connection: sa.Connection) -> set[int]:
        return arrivals.young(connection, self._house.catalog.now(connection) - ARRIVAL)

    def _need(self, uses: Sequence[garbage.BlobUse]) -> bytes:
        """Mark the chunks of blobs; gives the names that their recipes list."""
        ids = [use.content_id for use in uses]
        ids += [use.inspection_id for use in uses if use.inspection_id is not None]
        self._mark(self.columns.at(ids))
        names = _listed(self._house, [use.content_id for use in uses if use.is_recipe])
        self._mark(self.columns.named(names))
        return names

    def _mark(self, places: Numbers) -> None:
        self.needed[places] = True
        bases = self.columns.bases[places]
        self.needed[self.columns.at(bases[bases > 0])] = True


def _split(names: bytes) -> list[bytes]:
    return [names[at : at + 32] for at in range(0, len(names), 32)]


def _listed(house: House, recipes: Sequence[int]) -> bytes:
    """The names that recipes list, one after another. Corrupt: one can't be read."""
    found: list[bytes] = []
    batches = [recipes[at : at + _BATCH] for at in range(0, len(recipes), _BATCH)]
    for batch in batches:
        for attempt in range(_TRIES):
            try:
                found += _read(house, batch)
                break
            except Corrupt:  # perhaps repacked, and its old pack deleted, since its row was read
                if attempt == _TRIES - 1:
                    raise
    return b"".join(found)


def _read(house: House, batch: Sequence[int]) -> list[bytes]:
    with house.catalog.fresh() as connection:
        rows = [ChunkRow._make(row) for row in chunks.by_id(connection, batch)]
        wanted = {row.base_id for row in rows if row.base_id is not None}
        bases = {row.id: row for row in map(ChunkRow._make, chunks.by_id(connection, wanted))}
    if len(rows) < len(batch):
        raise Corrupt(
            "chunk-lost", "a list of chunks that a version needs is lost",
            hint="yard verify tells which; gc deletes nothing until then",
        )  # fmt: skip
    work, found = workspace(), []
    with house.reader.ahead(rows, bases) as ahead:
        for row in rows:
            out = work.bytes("recipe", row.size)
            house.reader.into(row, out, work, bases, ahead)
            content = out.tobytes()
            count = len(decode_recipe(content))
            found.append(content[4 + 4 * count :])
    return found
