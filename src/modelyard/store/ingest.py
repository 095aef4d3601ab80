"""Files into chunks: read, hash, look up, encode what is new, on all cores at once.

One thread walks the file for its SHA-256 while the others take runs of segments. Each worker reads
into its own buffers and encodes while the bytes are in cache; nothing is queued or copied.
"""

from __future__ import annotations

import hashlib
import os
import struct
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelyard.core.chunks import Kind
from modelyard.core.digest import ChunkId, Digest
from modelyard.errors import Conflict, Corrupt
from modelyard.store.codecs import encode, encode_base, needs_base, workspace
from modelyard.store.codecs.dictionary import LIMIT as DICTIONARY_LIMIT
from modelyard.store.pack import chunk_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from modelyard.core.chunks import ChunkRow
    from modelyard.store.chunking import Segment
    from modelyard.store.codecs import Encoded
    from modelyard.store.codecs.workspace import Bytes
    from modelyard.store.fetch import Ahead
    from modelyard.store.interface import Index
    from modelyard.store.reader import Reader
    from modelyard.store.writer import Session

__all__ = ["Ingest", "StoredBlob", "decode_recipe", "encode_recipe"]

_RUN = 4 << 20
_RUN_SEGMENTS = 64
_FAR_RUN = 16 << 20
"""Where the bases of a run's deltas come from far away, and together."""
_INLINE = 1 << 20
"""Smaller files are not worth a thread."""


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A file that is in the store."""

    sha256: Digest
    size: int
    content: ChunkId | None
    """Its recipe, or its only chunk; None for an empty file."""
    is_recipe: bool


def encode_recipe(chunks: Sequence[tuple[ChunkId, int]]) -> bytes:
    """A blob as its chunks: count u32, sizes u32 each, names 32 bytes each."""
    sizes = struct.pack(f"<I{len(chunks)}I", len(chunks), *(size for _, size in chunks))
    return sizes + b"".join(name for name, _ in chunks)


def decode_recipe(content: bytes) -> list[tuple[ChunkId, int]]:
    """Undo `encode_recipe`; `Corrupt` if it is none."""
    try:
        (count,) = struct.unpack_from("<I", content)
        sizes = struct.unpack_from(f"<{count}I", content, 4)
    except struct.error:
        raise Corrupt("bad-recipe", "a recipe is cut short") from None
    at = 4 + 4 * count
    if len(content) != at + 32 * count:
        raise Corrupt("bad-recipe", "a recipe is cut short")
    return [
        (ChunkId(content[at + 32 * i : at + 32 * i + 32]), size) for i, size in enumerate(sizes)
    ]


class Ingest:
    """Adds files and records to a session.

    Args:
        index: What counts as stored already, if that is not all that the reader's index knows.
    """

    def __init__(
        self,
        session: Session,
        reader: Reader,
        pool: ThreadPoolExecutor,
        report: Callable[[int], None] = lambda _count: None,
        index: Index | None = None,
    ) -> None:
        self.session = session
        self._reader = reader
        self._index = index or reader.index
        self._pool = pool
        self.report = report

    def file(
        self,
        descriptor: int,
        size: int,
        segments: Iterable[Segment],
        *,
        known: Callable[[Digest], bool],
        recipe_base: ChunkId | None,
    ) -> StoredBlob | Digest:
        """Store a file; only its digest comes back if `known` says that it is stored already."""
        before = _state(descriptor)
        if size <= _INLINE:
            stored = self._small(descriptor, size, segments, known, recipe_base)
        else:
            stored = self._large(descriptor, size, segments, known, recipe_base)
        if _state(descriptor) != before:
            raise Conflict(
                "file-changed", "a file changed while it was read",
                hint="commit again when nothing writes to it",
            )  # fmt: skip
        return stored

    def made(
        self,
        size: int,
        runs: Iterable[Sequence[Segment]],
        fill: Callable[[int, Bytes], None],
        *,
        recipe_base: ChunkId | None,
    ) -> StoredBlob:
        """Store a file that is made while it is stored: nothing of it is written anywhere else.

        Args:
            runs: All segments of the file in order, those together that are made at once.
            fill: Writes the file's bytes from an offset on; called by many threads.
        """
        turns = _Turns()
        found: dict[int, list[tuple[ChunkId, int]]] = {}
        waiting: dict[Future[list[tuple[ChunkId, int]]], int] = {}
        try:
            for number, run in enumerate(runs):
                waiting[self._pool.submit(self._make, run, fill, turns, number)] = number
                if len(waiting) > 8:
                    self._collect(waiting, found, all_of_them=False)
            self._collect(waiting, found, all_of_them=True)
        finally:
            turns.end()
            wait(waiting)
        chunks = [chunk for number in sorted(found) for chunk in found[number]]
        return self.blob(turns.digest(), size, chunks, recipe_base)

    def record(self, kind: Kind, content: bytes, base: ChunkId | None = None) -> ChunkId:
        """Store a record of our own, in terms of a similar one if that pays."""
        name = chunk_id(kind, content)
        rows = self._index.find([name, base] if base else [name])
        if name in rows:
            self.session.reuse([rows[name]])
        elif self.session.claim(name):
            source = np.frombuffer(content, np.uint8)
            full = self._full(rows).get(base) if base else None
            self._write(kind, name, source, 1, False, full)
        return name

    # -- one file --------------------------------------------------------------------------------

    def _small(
        self,
        descriptor: int,
        size: int,
        segments: Iterable[Segment],
        known: Callable[[Digest], bool],
        recipe_base: ChunkId | None,
    ) -> StoredBlob | Digest:
        content = np.empty(size, np.uint8)
        _read_exactly(descriptor, 0, content)
        return self.content(content, segments, known=known, recipe_base=recipe_base)

    def content(
        self,
        content: Bytes,
        segments: Iterable[Segment],
        *,
        known: Callable[[Digest], bool],
        recipe_base: ChunkId | None,
    ) -> StoredBlob | Digest:
        """Store a small file that is in memory; only its digest comes back if it is `known`."""
        size = len(content)
        digest = Digest.of(content.data)
        if known(digest):
            self.report(size)
            return digest
        chunks: list[tuple[ChunkId, int]] = []
        for run in _runs(segments):
            pieces = [content[s.start : s.end] for s in run]
            chunks += self._store(run, pieces)
        self.report(size)
        return self.blob(digest, size, chunks, recipe_base)

    def chunks(
        self, segments: Sequence[Segment], pieces: Sequence[Bytes], names: Sequence[ChunkId]
    ) -> None:
        """Store chunks that were cut and named elsewhere, on all cores.

        Args:
            segments: How each is encoded, its base included; where it begins and ends says nothing
                but how long it is.
            names: Theirs: somebody looked that they are.
        """
        runs: list[tuple[list[Segment], list[Bytes], list[ChunkId]]] = []
        size = _RUN
        for segment, piece, name in zip(segments, pieces, names, strict=True):
            if size + len(piece) > _RUN or len(runs[-1][0]) == _RUN_SEGMENTS:
                runs.append(([], [], []))
                size = 0
            for each, one in zip(runs[-1], (segment, piece, name), strict=True):
                each.append(one)  # type: ignore[attr-defined]
            size += len(piece)
        waiting = [self._pool.submit(self._store_named, *run) for run in runs[1:]]
        try:
            for run in runs[:1]:
                self._store_named(*run)
            for future in waiting:
                future.result()
        finally:
            wait(waiting)

    def _large(
        self,
        descriptor: int,
        size: int,
        segments: Iterable[Segment],
        known: Callable[[Digest], bool],
        recipe_base: ChunkId | None,
    ) -> StoredBlob | Digest:
        stop = threading.Event()
        hashing = self._pool.submit(_sha256, descriptor, size, stop)
        found: dict[int, list[tuple[ChunkId, int]]] = {}
        waiting: dict[Future[list[tuple[ChunkId, int]]], int] = {}
        is_known = False
        try:
            is_local = self._reader.backend.facts.is_local
            runs = _runs(segments, _RUN if is_local else _FAR_RUN)
            for number, run in enumerate(runs):
                if hashing.done() and known(hashing.result()):
                    is_known = True
                    break
                future = self._pool.submit(self._run, descriptor, run, stop)
                waiting[future] = number
                if len(waiting) > 8:
                    self._collect(waiting, found, all_of_them=False)
            if is_known or known(hashing.result()):
                stop.set()
                return hashing.result()
            self._collect(waiting, found, all_of_them=True)
            chunks = [chunk for number in sorted(found) for chunk in found[number]]
            return self.blob(hashing.result(), size, chunks, recipe_base)
        finally:
            stop.set()
            wait([hashing])
            wait(waiting)

    def _collect(
        self,
        waiting: dict[Future[list[tuple[ChunkId, int]]], int],
        found: dict[int, list[tuple[ChunkId, int]]],
        *,
        all_of_them: bool,
    ) -> None:
        while waiting:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                found[waiting.pop(future)] = future.result()
            if not all_of_them:
                return

    def _run(
        self, descriptor: int, run: Sequence[Segment], stop: threading.Event
    ) -> list[tuple[ChunkId, int]]:
        if stop.is_set():
            return []
        work = workspace()
        room = work.bytes("source", sum(_aligned(s.end - s.start) for s in run))
        pieces, at = [], 0
        for segment in run:
            piece = room[at : at + segment.end - segment.start]
            _read_exactly(descriptor, segment.start, piece)
            pieces.append(piece)
            at += _aligned(len(piece))
        stored = self._store(run, pieces)
        self.report(sum(len(piece) for piece in pieces))
        return stored

    def _make(
        self,
        run: Sequence[Segment],
        fill: Callable[[int, Bytes], None],
        turns: _Turns,
        number: int,
    ) -> list[tuple[ChunkId, int]]:
        start, end = run[0].start, run[-1].end
        try:
            if turns.ended:
                return []
            made = workspace().bytes("made", end - start)
            fill(start, made)
            if not turns.hash(number, made):
                return []
        except BaseException:
            turns.end()  # the others would wait for us
            raise
        stored = self._store(run, [made[s.start - start : s.end - start] for s in run])
        self.report(end - start)
        return stored

    def blob(
        self,
        digest: Digest,
        size: int,
        chunks: list[tuple[ChunkId, int]],
        recipe_base: ChunkId | None,
    ) -> StoredBlob:
        """A file whose chunks are stored, with a recipe if it has several."""
        if not chunks:
            return StoredBlob(digest, size, None, False)
        if len(chunks) == 1:
            return StoredBlob(digest, size, chunks[0][0], False)
        recipe = self.record(Kind.RECIPE, encode_recipe(chunks), recipe_base)
        return StoredBlob(digest, size, recipe, True)

    # -- chunks ----------------------------------------------------------------------------------

    def _store(self, run: Sequence[Segment], pieces: Sequence[Bytes]) -> list[tuple[ChunkId, int]]:
        names = [chunk_id(Kind.CONTENT, piece.data) for piece in pieces]
        self._store_named(run, pieces, names)
        return [(name, len(piece)) for name, piece in zip(names, pieces, strict=True)]

    def _store_named(
        self, run: Sequence[Segment], pieces: Sequence[Bytes], names: Sequence[ChunkId]
    ) -> None:
        rows = self._index.find({*names, *(s.base for s in run if s.base)})
        self.session.reuse(rows[name] for name in names if name in rows)
        fresh = [
            (segment, name, piece)
            for segment, name, piece in zip(run, names, pieces, strict=True)
            if name not in rows and self.session.claim(name)
        ]
        full = self._full({s.base: rows[s.base] for s, _, _ in fresh if s.base and s.base in rows})
        bases = [full.get(s.base) if s.base else None for s, _, _ in fresh]
        wanted = [
            base
            for base, (s, _, piece) in zip(bases, fresh, strict=True)
            if base is not None and _fits(base, piece, s.width)
        ]
        with self._reader.ahead(wanted, {}) as ahead:
            for base, (s, name, piece) in zip(bases, fresh, strict=True):
                self._write(Kind.CONTENT, name, piece, s.width, s.is_float, base, ahead)

    def _write(
        self,
        kind: Kind,
        name: ChunkId,
        source: Bytes,
        width: int,
        is_float: bool,
        base: ChunkRow | None,
        ahead: Ahead | None = None,
    ) -> None:
        work = workspace()
        before = None
        if base is not None and _fits(base, source, width):
            before = work.bytes("parent", base.size)
            self._reader.into(base, before, work, {}, ahead)
        encoded = encode(source, width, is_float, before, work)
        drifts = needs_base(encoded.codec) and width == 1 and kind != Kind.BUNDLE
        if drifts and self._drifted(encoded, base):
            encoded = encode_base(source, work)
        used = base if needs_base(encoded.codec) else None
        self.session.append(kind, name, len(source), encoded, used)

    def _full(self, rows: Mapping[ChunkId, ChunkRow]) -> dict[ChunkId, ChunkRow]:
        """A delta's base is stored in full: the parent's chunk, or that chunk's own base."""
        deltas = {row.base_id for row in rows.values() if row.base_id is not None}
        found = self._index.rows(deltas) if deltas else {}
        full = {name: row if row.base_id is None else found.get(row.base_id)
                for name, row in rows.items()}  # fmt: skip
        return {name: row for name, row in full.items() if row is not None}

    def _drifted(self, encoded: Encoded, base: ChunkRow | None) -> bool:
        """Whether a new full copy is cheaper in the long run.

        Deltas to one base grow with every version. A new base pays as soon as the next delta costs
        more than the average of the base and all its deltas so far.
        """
        if base is None or encoded.length * 64 < base.length:
            return False
        count, total = self._index.deltas(base.id)
        return encoded.length * (count + 1) > base.length + total


class _Turns:
    """SHA-256 of a file whose pieces become ready in any order: each thread waits for its turn."""

    def __init__(self) -> None:
        self.ended = False
        self._hash = hashlib.sha256()
        self._next = 0
        self._changed = threading.Condition()

    def hash(self, number: int, piece: Bytes) -> bool:
        """False if there will be no turn any more."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended or self._next == number)
            if self.ended:
                return False
        self._hash.update(piece.data)  # nobody else's turn, and no lock held for so long
        with self._changed:
            self._next += 1
            self._changed.notify_all()
        return True

    def end(self) -> None:
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def digest(self) -> Digest:
        return Digest(self._hash.digest())


def _fits(base: ChunkRow, source: Bytes, width: int) -> bool:
    """Whether a chunk may be written in terms of another."""
    return base.size <= DICTIONARY_LIMIT and (width == 1 or base.size == len(source))


def _runs(segments: Iterable[Segment], limit: int = _RUN) -> Iterator[list[Segment]]:
    """Neighbours that one worker takes at once."""
    run: list[Segment] = []
    size = 0
    for segment in segments:
        length = segment.end - segment.start
        if run and (size + length > limit or len(run) == _RUN_SEGMENTS):
            yield run
            run, size = [], 0
        run.append(segment)
        size += length
    if run:
        yield run


def _sha256(descriptor: int, size: int, stop: threading.Event) -> Digest:
    digest = hashlib.sha256()
    room = np.empty(1 << 20, np.uint8)
    for start in range(0, size, len(room)):
        if stop.is_set():
            break
        piece = room[: min(len(room), size - start)]
        _read_exactly(descriptor, start, piece)
        digest.update(piece.data)
    return Digest(digest.digest())


def _read_exactly(descriptor: int, start: int, out: Bytes) -> None:
    view = out.data
    while view:
        count = os.preadv(descriptor, [view], start)
        if count == 0:
            raise Conflict("file-changed", "a file became shorter while it was read")
        view, start = view[count:], start + count


def _state(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_size, status.st_mtime_ns


def _aligned(size: int) -> int:
    return (size + 63) & ~63
