"""Chunks into files: a blob's ranges, its whole content, or its file object."""

from __future__ import annotations

import io
import os
import threading
from bisect import bisect_right
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from modelyard.errors import Corrupt, Unavailable
from modelyard.store.codecs import Workspace, workspace
from modelyard.store.interface import NO_ROOM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelyard.core.chunks import ChunkRow
    from modelyard.core.digest import ChunkId
    from modelyard.store.codecs.workspace import Bytes
    from modelyard.store.reader import Reader

__all__ = ["BlobFile", "BlobReader"]

_RUN = 4 << 20
_RUN_CHUNKS = 64


class BlobReader:
    """A stored blob: what it is made of, and its bytes on demand."""

    def __init__(self, reader: Reader, chunks: Sequence[tuple[ChunkId, int]]) -> None:
        self._reader = reader
        self.chunks = chunks
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
        names = [name for name, _ in self.chunks[first : last + 1]]
        rows = self._reader.rows(names)
        bases = self._reader.bases(rows.values())
        work = workspace()
        at = self._ends[first - 1] if first else 0
        for name, size in self.chunks[first : last + 1]:
            a, b = max(start - at, 0), min(end - at, size)
            if (a, b) == (0, size):
                self._reader.into(rows[name], out[at - start : at - start + size], work, bases)
            else:
                piece = work.bytes("piece", size)
                self._reader.into(rows[name], piece, work, bases)
                out[at + a - start : at + b - start] = piece[a:b]
            at += size

    def read_all(self, pool: ThreadPoolExecutor) -> Bytes:
        """All bytes, decoded by all threads of the pool."""
        out = np.empty(self.size, np.uint8)
        runs = [(at, sum(size for _, size in run)) for at, run in self._runs()]
        if len(runs) < 2:
            return self.read(0, self.size)
        for _ in pool.map(lambda run: self.read_into(run[0], out[run[0] : sum(run)]), runs):
            pass
        return out

    def write_to(
        self, descriptor: int, pool: ThreadPoolExecutor, report: Callable[[int], None]
    ) -> None:
        """Write everything to an empty file, at its offsets, from all threads of the pool."""
        if self.size > _RUN:
            os.ftruncate(descriptor, self.size)
        waiting: set[Future[None]] = set()
        stop = threading.Event()
        try:
            for run in self._runs():
                waiting.add(pool.submit(self._write_run, descriptor, *run, report, stop))
                if len(waiting) > 8:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
            for future in waiting:
                future.result()
        finally:
            stop.set()
            wait(waiting)

    def _runs(self) -> list[tuple[int, list[tuple[ChunkId, int]]]]:
        runs: list[tuple[int, list[tuple[ChunkId, int]]]] = []
        size, at = _RUN, 0
        for name, length in self.chunks:
            if size + length > _RUN or len(runs[-1][1]) == _RUN_CHUNKS:
                runs.append((at, []))
                size = 0
            runs[-1][1].append((name, length))
            size += length
            at += length
        return runs

    def _write_run(
        self,
        descriptor: int,
        at: int,
        run: Sequence[tuple[ChunkId, int]],
        report: Callable[[int], None],
        stop: threading.Event,
    ) -> None:
        if stop.is_set():
            return
        rows = self._reader.rows([name for name, _ in run])
        bases = self._reader.bases(rows.values())
        work = workspace()
        start = at
        large = work.bytes("out", max(sum(size for _, size in run if size <= 1 << 18), 1 << 20))
        filled = 0
        for name, size in run:
            if filled + size > len(large) or (filled and size > 1 << 18):
                _pwrite(descriptor, large[:filled], start)
                start, filled = start + filled, 0
            if size > len(large):
                large = work.bytes("out", size)
            self._decode(rows, name, large[filled : filled + size], work, bases)
            filled += size
        _pwrite(descriptor, large[:filled], start)
        report(sum(size for _, size in run))

    def _decode(
        self,
        rows: Mapping[ChunkId, ChunkRow],
        name: ChunkId,
        out: Bytes,
        work: Workspace,
        bases: Mapping[int, ChunkRow],
    ) -> None:
        if rows[name].size != len(out):
            raise Corrupt("bad-recipe", f"chunk {name.hex()[:16]} has not the size it should")
        self._reader.into(rows[name], out, work, bases)


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
