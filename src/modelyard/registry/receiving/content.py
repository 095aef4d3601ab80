"""The bytes of a file whose chunks came with a request, or lie in the store."""

from __future__ import annotations

import hashlib
import io
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from modelyard.core.digest import Digest
from modelyard.store.codecs import workspace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import ThreadPoolExecutor

    from modelyard.core.chunks import ChunkRow
    from modelyard.core.digest import ChunkId
    from modelyard.store.codecs.workspace import Bytes
    from modelyard.store.reader import Reader

__all__ = ["ReceivedBytes"]

_RUN = 8 << 20


class ReceivedBytes(io.RawIOBase):
    """A seekable file over chunks.

    Args:
        riding: Chunks that came with the request, by name.
        rows: All others.
    """

    def __init__(
        self,
        reader: Reader,
        chunks: Sequence[tuple[ChunkId, int]],
        riding: Mapping[ChunkId, Bytes],
        rows: Mapping[ChunkId, ChunkRow],
    ) -> None:
        self._reader = reader
        self._chunks = chunks
        self._riding = riding
        self._rows = rows
        self._bases = reader.bases(rows.values())
        self._ends = list(accumulate(size for _, size in chunks))
        self._at = 0
        self._last: tuple[int, Bytes] | None = None

    @property
    def length(self) -> int:
        return self._ends[-1] if self._ends else 0

    def all(self) -> bytes:
        """Everything; for small files."""
        return b"".join(self._chunk(i).data for i in range(len(self._chunks)))

    def digest(self, pool: ThreadPoolExecutor) -> Digest:
        """SHA-256 of it all: while one stretch is hashed, the next is decoded."""
        digest = hashlib.sha256()
        runs = self._runs()
        following = pool.submit(self._run, runs[0]) if runs else None
        for i in range(len(runs)):
            if following is None:
                break
            pieces = following.result()
            following = pool.submit(self._run, runs[i + 1]) if i + 1 < len(runs) else None
            for piece in pieces:
                digest.update(piece.data)
        return Digest(digest.digest())

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.length}[whence]
        self._at = max(origin + offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        filled = 0
        view = memoryview(buffer).cast("B")
        while filled < len(view) and self._at < self.length:
            i = bisect_right(self._ends, self._at)
            chunk = self._cached(i)
            begin = self._at - (self._ends[i] - len(chunk))
            piece = chunk[begin : begin + len(view) - filled]
            view[filled : filled + len(piece)] = piece.data
            filled += len(piece)
            self._at += len(piece)
        return filled

    def _cached(self, i: int) -> Bytes:
        if self._last is None or self._last[0] != i:
            self._last = (i, self._chunk(i))
        return self._last[1]

    def _runs(self) -> list[list[int]]:
        runs: list[list[int]] = []
        size = _RUN
        for i, (_, length) in enumerate(self._chunks):
            if size + length > _RUN:
                runs.append([])
                size = 0
            runs[-1].append(i)
            size += length
        return runs

    def _run(self, run: Sequence[int]) -> list[Bytes]:
        return [self._chunk(i) for i in run]

    def _chunk(self, i: int) -> Bytes:
        name, size = self._chunks[i]
        riding = self._riding.get(name)
        if riding is not None:
            return riding
        out = np.empty(size, np.uint8)
        self._reader.into(self._rows[name], out, workspace(), self._bases)
        return out
