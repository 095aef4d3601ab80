"""The files of a commit that came from a client."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from modelyard.catalog.queries import blobs
from modelyard.catalog.queries.readable import sees_all
from modelyard.core.digest import ChunkId, Digest
from modelyard.errors import Conflict, InvalidInput
from modelyard.formats import inspect
from modelyard.registry.blobs import new_blob, store_bytes
from modelyard.registry.receiving.content import ReceivedBytes
from modelyard.registry.receiving.known import segments_of

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from typing import BinaryIO

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.core.chunks import ChunkRow
    from modelyard.core.tensor import TensorInfo
    from modelyard.core.transferring import Frame
    from modelyard.registry.blobs import NewBlob, ParentFiles
    from modelyard.registry.house import House
    from modelyard.registry.receiving.state import Receiving
    from modelyard.store.codecs.workspace import Bytes
    from modelyard.store.ingest import Ingest

__all__ = ["Cut", "Room", "Same", "Whole"]

_SMALLEST, _FEW = 256, 64
"""Chunks of a file have at least this size on average, unless they are few."""


@dataclass(slots=True)
class Room:
    """What the files of one commit share."""

    house: House
    receiving: Receiving
    riding: Mapping[ChunkId, Frame]
    content: Mapping[ChunkId, Bytes]
    """Of the chunks that ride along."""
    bases: Container[bytes] = frozenset()
    """Chunks of the version that is built on."""
    known: Container[bytes] = frozenset()
    """Further chunks that the caller is known to have sent."""
    session: str | None = None

    def rows(self, names: Sequence[ChunkId]) -> Mapping[ChunkId, ChunkRow]:
        """Where chunks lie that did not ride along. Conflict: `chunks-missing`."""
        wanted = {name for name in names if name not in self.riding}
        if not sees_all(self.house.caller):
            hidden = [name for name in wanted if name not in self.bases and name not in self.known]
            if hidden:
                raise _missing(len(hidden))
        found = self.house.index.find(wanted)
        if len(found) < len(wanted):
            raise _missing(len(wanted) - len(found))
        return found

    def blob(self, parent: ParentFiles, digest: Digest) -> BlobRow | None:
        """A file that the caller may know of."""
        if not sees_all(self.house.caller):
            return parent.by_digest(digest)
        with self.house.catalog.read() as connection:
            return blobs.by_digest(connection, [digest.raw]).get(digest.raw)


def _missing(count: int) -> Conflict:
    return Conflict(
        "chunks-missing", f"{count} chunks of this commit are not there",
        hint="ask which, send them, and commit again",
    )  # fmt: skip


class _Received:
    """What holds for all of them: nothing of this machine's disk is known of them."""

    place = None
    is_settled = False

    def __init__(self, path: str, mode: int, size: int) -> None:
        self.path = path
        self.mode = mode
        self.size = size


class Whole(_Received):
    """A small file, which the server cuts."""

    def __init__(self, room: Room, path: str, mode: int, content: bytes) -> None:
        super().__init__(path, mode, len(content))
        self._room = room
        self._content = content

    def content(self) -> bytes:
        return self._content

    def store(
        self,
        house: House,
        ingest: Ingest,
        parent: ParentFiles,
        *,
        external: Sequence[TensorInfo],
        scan: bool,
    ) -> BlobRow | NewBlob:
        return store_bytes(
            ingest, self.path, self._content, parent,
            lambda digest: self._room.blob(parent, digest), external=external, scan=scan,
        )  # fmt: skip


class Same(_Received):
    """A stored file of the version that is built on."""

    def __init__(self, path: str, mode: int, row: BlobRow) -> None:
        super().__init__(path, mode, row.size)
        self._row = row

    def content(self) -> None:
        """It is in the store as it was before."""

    def store(
        self,
        house: House,
        ingest: Ingest,
        parent: ParentFiles,
        *,
        external: Sequence[TensorInfo],
        scan: bool,
    ) -> BlobRow | NewBlob:
        ingest.report(self.size)
        return self._row


class Cut(_Received):
    """A file that came as chunks."""

    def __init__(
        self, room: Room, path: str, mode: int, chunks: Sequence[tuple[bytes, int]]
    ) -> None:
        self._room = room
        self._chunks = [(ChunkId(name), size) for name, size in chunks]
        total = sum(size for _, size in chunks)
        if any(size <= 0 or len(name) != 32 for name, size in chunks):
            raise InvalidInput("wrong-chunk", f"a chunk of {path} has no size, or no name")
        if len(chunks) > _FEW and total < _SMALLEST * len(chunks):
            raise InvalidInput("too-many-chunks", f"the chunks of {path} are too small")
        super().__init__(path, mode, total)

    def content(self) -> bytes:
        return self._open()[0].all()

    def store(
        self,
        house: House,
        ingest: Ingest,
        parent: ParentFiles,
        *,
        external: Sequence[TensorInfo],
        scan: bool,
    ) -> BlobRow | NewBlob:
        room = self._room
        received, rows = self._open()
        digest = self._digest(received)
        known = room.blob(parent, digest)
        ingest.report(self.size)
        if known is not None:
            return known
        file = cast("BinaryIO", io.BufferedReader(received, 1 << 17))
        inspection = inspect(file, self.path, scan=scan)
        frames = list({n: room.riding[n] for n, _ in self._chunks if n in room.riding}.values())
        pieces = [room.content[f.name] for f in frames]
        ingest.chunks(segments_of(frames, room.bases), pieces, [f.name for f in frames])
        ingest.session.reuse(rows.values())
        like = parent.like(self.path)
        stored = ingest.blob(digest, self.size, self._chunks, parent.recipe_of(like))
        return new_blob(ingest, stored, inspection, parent.inspection_chunk(like))

    def _open(self) -> tuple[ReceivedBytes, Mapping[ChunkId, ChunkRow]]:
        room = self._room
        rows = room.rows([name for name, _ in self._chunks])
        for name, size in self._chunks:
            there = len(room.content[name]) if name in room.riding else rows[name].size
            if there != size:
                raise InvalidInput("wrong-chunk", f"a chunk of {self.path} has another size")
        return ReceivedBytes(room.house.reader, self._chunks, room.content, rows), rows

    def _digest(self, received: ReceivedBytes) -> Digest:
        room = self._room
        if room.session is not None:
            names = [name for name, _ in self._chunks]
            found = room.receiving.hashing(room.session).of(names)
            if found is not None:
                return found
        return received.digest(room.house.pool)
