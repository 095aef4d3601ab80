"""Files into blobs and back: inspect, plan the cuts along tensors, store, open."""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Protocol

import numpy as np

from modelyard.catalog.queries import blobs
from modelyard.catalog.queries.blobs import BlobRow, PlaceRow
from modelyard.core.chunks import Kind
from modelyard.core.digest import ChunkId, Digest
from modelyard.core.tensor import ITEMSIZE, TensorInfo, is_float
from modelyard.errors import Corrupt
from modelyard.formats import Inspection, external_tensors, inspect
from modelyard.registry.inspections import encode_inspection, inspection_of
from modelyard.store.chunking import SMALLEST_TENSOR, Segment, Span, cut, whole
from modelyard.store.codecs.dictionary import LIMIT as DICTIONARY_LIMIT
from modelyard.store.extract import BlobReader
from modelyard.store.ingest import Ingest, StoredBlob, decode_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from modelyard.registry.collect import LocalFile
    from modelyard.registry.desk import Shelf
    from modelyard.registry.house import House
    from modelyard.store.codecs.workspace import Bytes
    from modelyard.store.fetch import Ahead

__all__ = [
    "Made", "NewBlob", "ParentFiles", "Plan", "blobs_ahead", "new_blob", "open_blob", "place_of",
    "store_bytes", "store_file", "store_made",
]  # fmt: skip

_ONE_CHUNK = 1 << 18
"""A file up to this size is one chunk, whatever it holds."""


@dataclass(frozen=True, slots=True)
class NewBlob:
    """A blob that is in the store and has no row yet."""

    sha256: Digest
    size: int
    content: ChunkId
    is_recipe: bool
    format: str
    framework: str | None
    inspection: ChunkId | None
    dangers: tuple[str, ...]
    """What its findings warn of."""
    external: Mapping[str, Sequence[TensorInfo]]
    """Tensors of this file that lie in other files."""


@contextmanager
def blobs_ahead(shelf: Shelf, rows: Sequence[BlobRow]) -> Iterator[Ahead | None]:
    """Blobs that are going to be opened, in this order: what is small of them comes together."""
    if shelf.reader.backend.facts.is_local:
        yield None
        return
    found = shelf.index.rows({blob.content_id for blob in rows})
    wanted = [found[blob.content_id] for blob in rows if blob.content_id in found]
    with shelf.reader.ahead(wanted, shelf.reader.bases(wanted)) as ahead:
        yield ahead


def open_blob(shelf: Shelf, blob: BlobRow, ahead: Ahead | None = None) -> BlobReader:
    """A stored blob's bytes."""
    row = shelf.index.rows([blob.content_id]).get(blob.content_id)
    if row is None:
        raise Corrupt("chunk-lost", f"the content of blob {blob.sha256.hex()[:12]} is lost")
    if not blob.is_recipe:
        return BlobReader(shelf.reader, [(row.hash, row.size)], ahead)
    return BlobReader(shelf.reader, decode_recipe(shelf.reader.record(row, ahead)))


class ParentFiles:
    """The files of the parent version, as bases for deltas; opened only when asked."""

    def __init__(self, shelf: Shelf, files: Mapping[str, BlobRow]) -> None:
        self._shelf = shelf
        self._files = files
        self._inspections: dict[int, Inspection] = {}
        self._readers: dict[int, BlobReader] = {}

    def by_digest(self, digest: Digest) -> BlobRow | None:
        """The file of the parent that has just these bytes."""
        return next((row for row in self._files.values() if row.sha256 == digest.raw), None)

    def like(self, path: str) -> BlobRow | None:
        """The same file in the parent, or the only one with its suffix."""
        if path in self._files:
            return self._files[path]
        suffix = os.path.splitext(path)[1]
        found = [row for other, row in self._files.items() if other.endswith(suffix)]
        return found[0] if suffix and len(found) == 1 else None

    def content_of(self, row: BlobRow | None) -> ChunkId | None:
        """The only chunk of a small file."""
        return None if row is None or row.is_recipe else self._chunk(row.content_id)

    def recipe_of(self, row: BlobRow | None) -> ChunkId | None:
        return None if row is None or not row.is_recipe else self._chunk(row.content_id)

    def inspection_chunk(self, row: BlobRow | None) -> ChunkId | None:
        return None if row is None or not row.inspection_id else self._chunk(row.inspection_id)

    def bases(self, path: str, tensors: Sequence[TensorInfo]) -> list[Sequence[ChunkId]]:
        """For each tensor the chunks of its counterpart: by name, else by dtype, shape, order."""
        candidates = self._tensors(path)
        by_name = {info.name: (row, info) for row, info in reversed(candidates)}
        by_shape: dict[tuple[str, tuple[int, ...]], list[tuple[BlobRow, TensorInfo]]] = {}
        for row, info in candidates:
            by_shape.setdefault((info.dtype, info.shape), []).append((row, info))
        found: list[Sequence[ChunkId]] = []
        taken: dict[tuple[str, tuple[int, ...]], int] = {}
        for info in tensors:
            kind = (info.dtype, info.shape)
            match = by_name.get(info.name)
            if match is None or (match[1].dtype, match[1].shape) != kind:
                rest = by_shape.get(kind, [])
                at = taken.get(kind, 0)
                match = rest[at] if at < len(rest) else None
            taken[kind] = taken.get(kind, 0) + 1
            found.append(self._chunks(*match) if match else ())
        return found

    def _tensors(self, path: str) -> list[tuple[BlobRow, TensorInfo]]:
        """Tensors of the same file first, then of all others."""
        like = self.like(path)
        rows = [*([like] if like else []), *(r for r in self._files.values() if r is not like)]
        return [
            (row, info)
            for row in rows
            if row.inspection_id is not None
            for info in self._inspection(row).tensors
            if info.start is not None
        ]

    def _inspection(self, row: BlobRow) -> Inspection:
        if row.id not in self._inspections:
            self._inspections[row.id] = inspection_of(self._shelf, row)
        return self._inspections[row.id]

    def _chunks(self, row: BlobRow, info: TensorInfo) -> Sequence[ChunkId]:
        if row.id not in self._readers:
            self._readers[row.id] = open_blob(self._shelf, row)
        return self._readers[row.id].chunks_of(info.start or 0, info.end or 0) or ()

    def _chunk(self, key: int) -> ChunkId | None:
        row = self._shelf.index.rows([key]).get(key)
        return None if row is None else row.hash


@dataclass(slots=True)
class Plan:
    """How a file is cut, found out only if its content is not known already."""

    file: BinaryIO
    path: str
    size: int
    parent: ParentFiles
    external: Sequence[TensorInfo]
    scan: bool
    read: Callable[[int, int], bytes]
    inspection: Inspection = field(default_factory=lambda: Inspection("unknown"))

    def segments(self) -> Iterator[Segment]:
        self.inspection = inspect(self.file, self.path, scan=self.scan)
        tensors = [*self.inspection.tensors, *self.external]
        yield from _segments(self.path, self.size, tensors, self.parent, self.read)


def _segments(
    path: str,
    size: int,
    tensors: Sequence[TensorInfo],
    parent: ParentFiles,
    read: Callable[[int, int], bytes],
) -> Iterator[Segment]:
    known = [t for t in tensors if t.start is not None and t.end is not None]
    large = [t for t in known if (t.end or 0) - (t.start or 0) >= SMALLEST_TENSOR]
    if size <= _ONE_CHUNK or (not large and size <= DICTIONARY_LIMIT):
        yield from whole(size, parent.content_of(parent.like(path)))
        return
    large.sort(key=lambda t: t.start or 0)
    bases = parent.bases(path, large)
    spans = [_span(t, base) for t, base in zip(large, bases, strict=True)]
    yield from cut(spans, size, read)


def _span(info: TensorInfo, bases: Sequence[ChunkId]) -> Span:
    width = ITEMSIZE.get(info.dtype, 1)
    if info.dtype.startswith("complex"):
        width //= 2
    floats = is_float(info.dtype)
    return Span(info.start or 0, info.end or 0, width if width in (2, 4, 8) else 1, floats, bases)


def store_file(
    house: House,
    ingest: Ingest,
    file: LocalFile,
    parent: ParentFiles,
    *,
    external: Sequence[TensorInfo],
    scan: bool,
) -> BlobRow | NewBlob:
    """Store one file's content, unless it is known by digest."""
    known: list[BlobRow] = []

    def is_known(digest: Digest) -> bool:
        with house.catalog.read() as connection:
            known[:] = blobs.by_digest(connection, [digest.raw]).values()
        return bool(known)

    with file.opened() as opened:
        size = os.fstat(opened.fileno()).st_size
        number = opened.fileno()
        plan = Plan(
            opened, file.path, size, parent, external, scan,
            lambda start, end: os.pread(number, end - start, start),
        )  # fmt: skip
        like = parent.like(file.path)
        stored = ingest.file(
            number, size, plan.segments(),
            known=is_known, recipe_base=parent.recipe_of(like),
        )  # fmt: skip
    if not isinstance(stored, StoredBlob) or stored.content is None:
        return known[0]
    return new_blob(ingest, stored, plan.inspection, parent.inspection_chunk(like))


def store_bytes(
    ingest: Ingest,
    path: str,
    content: bytes | memoryview,
    parent: ParentFiles,
    known: Callable[[Digest], BlobRow | None],
    *,
    external: Sequence[TensorInfo],
    scan: bool,
) -> BlobRow | NewBlob:
    """Store a small file that is in memory, unless it is `known`."""
    read = lambda start, end: bytes(content[start:end])  # noqa: E731
    plan = Plan(io.BytesIO(content), path, len(content), parent, external, scan, read)
    found: list[BlobRow] = []

    def is_known(digest: Digest) -> bool:
        row = known(digest)
        found[:] = [] if row is None else [row]
        return row is not None

    like = parent.like(path)
    stored = ingest.content(
        np.frombuffer(content, np.uint8), plan.segments(),
        known=is_known, recipe_base=parent.recipe_of(like),
    )  # fmt: skip
    if not isinstance(stored, StoredBlob) or stored.content is None:
        return found[0]
    return new_blob(ingest, stored, plan.inspection, parent.inspection_chunk(like))


class Made(Protocol):
    """A file that is made while it is stored."""

    path: str
    size: int
    inspection: Inspection

    def runs(self, segments: Iterable[Segment]) -> Iterable[Sequence[Segment]]:
        """All segments in order, those together that are made at once."""

    def fill(self, start: int, out: Bytes) -> None:
        """Write the bytes from `start` on; called by many threads."""


def store_made(ingest: Ingest, made: Made, parent: ParentFiles) -> NewBlob:
    """Store a file that is nowhere yet."""

    def read(start: int, end: int) -> bytes:
        out = np.empty(end - start, np.uint8)
        made.fill(start, out)
        return out.tobytes()

    segments = _segments(made.path, made.size, made.inspection.tensors, parent, read)
    like = parent.like(made.path)
    stored = ingest.made(
        made.size, made.runs(segments), made.fill, recipe_base=parent.recipe_of(like)
    )
    return new_blob(ingest, stored, made.inspection, parent.inspection_chunk(like))


def new_blob(
    ingest: Ingest, stored: StoredBlob, inspection: Inspection, base: ChunkId | None
) -> NewBlob:
    """A blob whose bytes are stored, with what was read of it."""
    told = inspection.tensors or inspection.metadata or inspection.findings
    chunk = None
    if told or inspection.framework:
        chunk = ingest.record(Kind.INSPECTION, encode_inspection(inspection), base)
    if stored.content is None:
        raise AssertionError("an empty file is inline")
    return NewBlob(
        stored.sha256, stored.size, stored.content, stored.is_recipe,
        inspection.format, inspection.framework, chunk, dangers_of(inspection),
        external_tensors(inspection),
    )  # fmt: skip


def dangers_of(inspection: Inspection) -> tuple[str, ...]:
    """What a file's findings warn of."""
    return tuple(f"{f.where}: {f.message}" for f in inspection.findings if f.severity == "danger")


def place_of(file: LocalFile) -> PlaceRow:
    """How a file looks now: the same answers later mean the same bytes."""
    status = file.status
    path = Digest.of(os.fsencode(os.path.abspath(file.place))).raw
    return PlaceRow(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
