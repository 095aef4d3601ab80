"""Chunks into files: a blob's ranges, its whole content, or its file object."""

from __future__ import annotations

import io
import os
import threading
from bisect import bisect_right
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from modelyard.core.chunks import Kind
from modelyard.errors import Corrupt, Unavailable
from modelyard.store.codecs import workspace
from modelyard.store.interface import NO_ROOM
from modelyard.store.pack import chunk_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from modelyard.core.chunks import ChunkRow
    from modelyard.core.digest import ChunkId
    from modelyard.store.codecs import Workspace
    from modelyard.store.codecs.workspace import Bytes
    from modelyard.store.fetch import Ahead
    from modelyard.store.reader import Reader

__all__ = ["BlobFile", "BlobReader"]

_RUN = 4 << 20
_RUN_CHUNKS = 64
_STRETCH = 1024
"""Runs whose chunks are looked up at once, before they are fetched."""


class BlobReader:
    """A stored blob: what it is made of, and its bytes on demand.

    Args:
        ahead: What fetches the blob's only chunk together with those of other blobs.
    """

    def __init__(
        self,
        reader: Reader,
        chunks: Sequence[tuple[ChunkId, int]],
        ahead: Ahead | None = None,
    ) -> None:
        self._reader = reader
        self.chunks = chunks
        self._ahead = ahead
        self._ends = list(accumulate(size for _, size in chunks))

    @property
    def size(self) -> int:
        return self._ends[-1] if self._ends else 0

    def chunks_of(self, start: int, end: int) -> list[ChunkId] | None:
        """The chunks that make up exactly this range; None if cuts lie elsewhere."""
        first = bisect_right(self._ends, start)
        before = self._ends[first - 1] if first else 0
        if before != start:
            return None
        names = []
        for name, size in self.chunks[first:]:
            if before >= end:
                break
            names.append(name)
            before += size
        return names if before == end else None

    def read(self, start: int, end: int) -> Bytes:
        """The bytes of a range."""
        start, end = max(start, 0), min(end, self.size)
        out = np.empty(max(end - start, 0), np.uint8)
        if len(out):
            self.read_into(start, out)
        return out

    def read_into(self, start: int, out: Bytes) -> None:
        """Fill an array with the bytes from `start` on; they must be there."""
        end = start + len(out)
        if start < 0 or end > self.size:
            raise Corrupt("bad-recipe", f"a blob of {self.size} bytes has none at {end}")
        if len(out) == 0:
            return
        first = bisect_right(self._ends, start)
        last = bisect_right(self._ends, end - 1)
        chunks = self.chunks[first : last + 1]
        at = self._ends[first - 1] if first else 0
        with self._found(chunks) as found:
            self._fill(found, chunks, at, start, out)

    def read_beside(
        self, start: int, out: Bytes, other: BlobReader, other_start: int, other_out: Bytes
    ) -> None:
        """`read_into` of two blobs; what chunks at the same place share is decoded once."""
        own, others = self._covered(start, out), other._covered(other_start, other_out)
        sizes = [size for _, size in own]
        near = self._reader.backend.facts.is_local and self._reader is other._reader
        if not near or not own or sizes != [size for _, size in others]:
            self.read_into(start, out)
            other.read_into(other_start, other_out)
            return
        work = workspace()
        rows = self._reader.rows([name for name, _ in (*own, *others)])
        bases = self._reader.bases(rows.values())
        at = 0
        for (old, size), (new, _) in zip(own, others, strict=True):
            a, b = out[at : at + size], other_out[at : at + size]
            self._reader.two_into(rows[old], rows[new], a, b, work, bases)
            at += size

    def _covered(self, start: int, out: Bytes) -> Sequence[tuple[ChunkId, int]]:
        """The chunks that make up just this range; none if they are cut elsewhere."""
        end = start + len(out)
        if start < 0 or end > self.size or not len(out):
            return ()
        first, last = bisect_right(self._ends, start), bisect_right(self._ends, end - 1)
        begin = self._ends[first - 1] if first else 0
        fits = begin == start and self._ends[last] == end
        return self.chunks[first : last + 1] if fits else ()

    def read_all(self, pool: ThreadPoolExecutor) -> Bytes:
        """All bytes, decoded by all threads of the pool."""
        out = np.empty(self.size, np.uint8)

        def fill(run: _Run, found: _Found) -> None:
            self._fill(found, run.chunks, run.at, run.at, out[run.at : run.at + run.size])

        self._each_run(pool, fill, self._runs())
        return out

    def write_to(
        self,
        descriptor: int,
        pool: ThreadPoolExecutor,
        report: Callable[[int], None],
        *,
        begun: bool = False,
    ) -> None:
        """Write everything to a file, at its offsets, from all threads of the pool.

        Args:
            begun: The file may hold some of it already: that is looked for, and not read again.
        """
        runs = self._runs()
        if begun:
            os.ftruncate(descriptor, self.size)
            runs = [run for run in runs if not self._is_there(descriptor, run, report)]
        elif self.size > _RUN:
            os.ftruncate(descriptor, self.size)

        def write(run: _Run, found: _Found) -> None:
            self._write_run(descriptor, run, found)
            report(run.size)

        self._each_run(pool, write, runs)

    def _is_there(self, descriptor: int, run: _Run, report: Callable[[int], None]) -> bool:
        """Whether a run was written before, by the names of its chunks."""
        room = workspace().bytes("there", run.size)
        if os.preadv(descriptor, [room.data], run.at) != run.size:
            return False
        at = 0
        for name, size in run.chunks:
            if chunk_id(Kind.CONTENT, room[at : at + size].data) != name:
                return False
            at += size
        report(run.size)
        return True

    # -- runs: neighbours that one thread takes at once ------------------------------------------

    def _each_run(
        self,
        pool: ThreadPoolExecutor,
        work: Callable[[_Run, _Found], None],
        runs: Sequence[_Run],
    ) -> None:
        if not runs:
            return
        if self._reader.backend.facts.is_local:
            self._in_threads(pool, runs, work, None)
            return
        for i in range(0, len(runs), _STRETCH):
            stretch = runs[i : i + _STRETCH]
            with self._found([chunk for run in stretch for chunk in run.chunks]) as found:
                self._in_threads(pool, stretch, work, found)

    def _in_threads(
        self,
        pool: ThreadPoolExecutor,
        runs: Sequence[_Run],
        work: Callable[[_Run, _Found], None],
        found: _Found | None,
    ) -> None:
        stop = threading.Event()

        def one(run: _Run) -> None:
            if stop.is_set():
                return
            if found is not None:
                work(run, found)
                return
            with self._found(run.chunks) as own:
                work(run, own)

        if len(runs) == 1:
            one(runs[0])
            return
        waiting: set[Future[None]] = set()
        try:
            for run in runs:
                waiting.add(pool.submit(one, run))
                if len(waiting) > 8:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
            for future in waiting:
                future.result()
        finally:
            stop.set()
            wait(waiting)

    def _runs(self) -> list[_Run]:
        runs: list[_Run] = []
        at = 0
        for name, length in self.chunks:
            if not runs or runs[-1].size + length > _RUN or len(runs[-1].chunks) == _RUN_CHUNKS:
                runs.append(_Run(at, 0, []))
            runs[-1].chunks.append((name, length))
            runs[-1].size += length
            at += length
        return runs

    @contextmanager
    def _found(self, chunks: Sequence[tuple[ChunkId, int]]) -> Iterator[_Found]:
        """Where chunks lie; if that is far away, they are fetched ahead of being asked for."""
        names = [name for name, _ in chunks]
        rows = self._reader.rows(names)
        bases = self._reader.bases(rows.values())
        if self._ahead is not None:
            yield _Found(rows, bases, self._ahead)
            return
        with self._reader.ahead([rows[name] for name in names], bases) as ahead:
            yield _Found(rows, bases, ahead)

    def _fill(
        self,
        found: _Found,
        chunks: Sequence[tuple[ChunkId, int]],
        at: int,
        start: int,
        out: Bytes,
    ) -> None:
        """Fill `out` with the bytes from `start` on, of chunks of which the first is at `at`."""
        work = workspace()
        end = start + len(out)
        for name, size in chunks:
            a, b = max(start - at, 0), min(end - at, size)
            if (a, b) == (0, size):
                self._decode(found, name, out[at - start : at - start + size], work)
            else:
                piece = work.bytes("piece", size)
                self._decode(found, name, piece, work)
                out[at + a - start : at + b - start] = piece[a:b]
            at += size

    def _write_run(self, descriptor: int, run: _Run, found: _Found) -> None:
        work = workspace()
        start, filled = run.at, 0
        small = sum(size for _, size in run.chunks if size <= 1 << 18)
        large = work.bytes("out", max(small, 1 << 20))
        for name, size in run.chunks:
            if filled + size > len(large) or (filled and size > 1 << 18):
                _pwrite(descriptor, large[:filled], start)
                start, filled = start + filled, 0
            if size > len(large):
                large = work.bytes("out", size)
            self._decode(found, name, large[filled : filled + size], work)
            filled += size
        _pwrite(descriptor, large[:filled], start)

    def _decode(self, found: _Found, name: ChunkId, out: Bytes, work: Workspace) -> None:
        row = found.rows[name]
        if row.size != len(out):
            raise Corrupt("bad-recipe", f"chunk {name.hex()[:16]} has not the size it should")
        self._reader.into(row, out, work, found.bases, found.ahead)


@dataclass(slots=True)
class _Run:
    at: int
    size: int
    chunks: list[tuple[ChunkId, int]]


@dataclass(frozen=True, slots=True)
class _Found:
    rows: Mapping[ChunkId, ChunkRow]
    bases: Mapping[int, ChunkRow]
    ahead: Ahead | None


class BlobFile(io.RawIOBase):
    """A seekable file object over a blob; wrap it in `io.BufferedReader` for small reads."""

    def __init__(self, blob: BlobReader) -> None:
        self._blob = blob
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._blob.size}[whence]
        self._at = max(origin + offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self._blob.read(self._at, self._at + len(buffer))
        buffer[: len(piece)] = piece.data
        self._at += len(piece)
        return len(piece)


def _pwrite(descriptor: int, piece: Bytes, at: int) -> None:
    view = piece.data
    try:
        while view:
            count = os.pwrite(descriptor, view, at)
            view, at = view[count:], at + count
    except OSError as error:
        full = error.errno in NO_ROOM
        raise Unavailable(
            "disk-full" if full else "dest-io",
            f"the destination can't be written: {error.strerror}",
            hint="free some space, then run the command again" if full else None,
        ) from error
