"""What counts as stored: who may not read everything must not learn what others have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.index import CatalogIndex
from modelyard.catalog.queries.readable import sees_all
from modelyard.core.chunks import Kind
from modelyard.errors import InvalidInput
from modelyard.store.chunking import Segment
from modelyard.store.ingest import Ingest
from modelyard.store.pack import chunk_id

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from modelyard.catalog.engine import Catalog
    from modelyard.core.chunks import ChunkRow
    from modelyard.core.digest import ChunkId
    from modelyard.core.transferring import Frame
    from modelyard.registry.house import House
    from modelyard.store.writer import Session

__all__ = ["checked", "ingest_for", "segments_of"]


class _Limited(CatalogIndex):
    """The index as somebody sees it who may know of these chunks only."""

    def __init__(self, catalog: Catalog, known: Container[bytes]) -> None:
        super().__init__(catalog)
        self._known = known

    def find(self, hashes: Iterable[ChunkId]) -> Mapping[ChunkId, ChunkRow]:
        return super().find([name for name in hashes if name in self._known])


def ingest_for(house: House, session: Session, known: Container[bytes]) -> Ingest:
    """What stores chunks for the house's caller: those that are not `known` to them are new."""
    if sees_all(house.caller):
        return Ingest(session, house.reader, house.pool)
    index = _Limited(house.catalog, known)
    return Ingest(session, house.reader, house.pool, index=index)


def checked(frames: Sequence[Frame]) -> Sequence[Frame]:
    """Frames, each of which has the name of its content. InvalidInput: `wrong-chunk`."""
    for frame in frames:
        if chunk_id(Kind.CONTENT, frame.content) != frame.name:
            raise InvalidInput(
                "wrong-chunk", f"a chunk that was sent is not {frame.name.hex()[:16]}",
                hint="it changed on the way, or the file while it was read: try again",
            )  # fmt: skip
    return frames


def segments_of(frames: Iterable[Frame], bases: Container[bytes]) -> list[Segment]:
    """How to encode what came; only chunks of the version that is built on serve as bases."""
    return [
        Segment(0, len(f.content), f.width, f.is_float, f.base if f.base in bases else None)
        for f in frames
    ]
