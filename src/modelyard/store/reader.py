"""Reading chunks back: fetch, decode, and always check the name against the bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from modelyard.errors import Corrupt, Denied, NotFound
from modelyard.store.codecs import Workspace, decode, needs_base, workspace
from modelyard.store.fetch import Ahead
from modelyard.store.interface import Index, SupportsReadInto
from modelyard.store.pack import chunk_id
from modelyard.store.sealing import BOX_EXTRA, Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from modelyard.core.chunks import ChunkRow
    from modelyard.core.digest import ChunkId
    from modelyard.store.codecs.workspace import Bytes
    from modelyard.store.interface import Backend
    from modelyard.store.sealing import Vault

__all__ = ["Reader"]

_CACHE_BYTES = 16 << 20
_CACHE_LARGEST = 2 << 20
_SMALL_BASE = _CACHE_LARGEST // 16
"""Smaller bases are kept decoded as records are."""
_BASES_BYTES = 40 << 20
"""Chunks that are kept decoded while several versions are read side by side."""


class Reader:
    """Decoded chunks by their rows. Safe for many threads, each with its own `Workspace`."""

    def __init__(self, backend: Backend, index: Index, vault: Vault | None = None) -> None:
        self.backend = backend
        self.index = index
        self.vault = vault
        self._cache: _Cache[bytes] = _Cache(_CACHE_BYTES)
        self._full: _Cache[Bytes] | None = None
        self._reads_into = backend if isinstance(backend, SupportsReadInto) else None

    def rows(self, hashes: Sequence[ChunkId]) -> Mapping[ChunkId, ChunkRow]:
        """The rows of all these chunks, bases included on demand; `Corrupt` if one is unknown."""
        found = self.index.find(hashes)
        if len(found) < len(set(hashes)):
            missing = next(name for name in hashes if name not in found)
            raise Corrupt(
                "chunk-lost", f"chunk {missing.hex()[:16]} is not in the store",
                hint="yard verify tells which versions need it",
            )  # fmt: skip
        return found

    def bases(self, rows: Iterable[ChunkRow]) -> Mapping[int, ChunkRow]:
        """The rows of the bases of these rows, by id."""
        wanted = {row.base_id for row in rows if row.base_id is not None}
        return self.index.rows(wanted) if wanted else {}

    @contextmanager
    def ahead(
        self, rows: Sequence[ChunkRow], bases: Mapping[int, ChunkRow]
    ) -> Iterator[Ahead | None]:
        """Fetch rows before they are read, in this order, if the store is far away.

        What it gives is handed to `into`, `record` or `payload`, from any thread; None if every
        read is cheap anyway.
        """
        if self.backend.facts.is_local or len(rows) + len(bases) < 2:
            yield None
            return
        wanted: list[ChunkRow] = []
        kept: set[int] = set()
        for row in rows:
            base = bases.get(row.base_id) if row.base_id is not None else None
            if base is not None and base.id not in kept:
                wanted.append(base)
                if base.size < _SMALL_BASE:
                    kept.add(base.id)
            wanted.append(row)
        ahead = Ahead(self.backend, wanted)
        try:
            yield ahead
        finally:
            ahead.close()

    def into(
        self,
        row: ChunkRow,
        out: Bytes,
        work: Workspace,
        bases: Mapping[int, ChunkRow],
        ahead: Ahead | None = None,
    ) -> None:
        """Decode one chunk into `out`, whose length is the chunk's size, and check its name.

        If its pack went since the row was read, it is looked for once more: gc may have moved it.
        """
        try:
            self._into(row, out, work, bases, ahead)
        except Corrupt as error:
            if error.kind != "pack-lost":
                raise
            now, bases_now = self.index.newest(row.hash)
            if now is None or (now == row and all(bases.get(k) == b for k, b in bases_now.items())):
                raise
            self._into(now, out, work, bases_now)

    def _into(
        self,
        row: ChunkRow,
        out: Bytes,
        work: Workspace,
        bases: Mapping[int, ChunkRow],
        ahead: Ahead | None = None,
    ) -> None:
        base = self._base_row(row, bases)
        kept = self._full
        found = kept.get(row.hash) if kept is not None else None
        if found is not None and len(found) == len(out):
            out[:] = found
        else:
            self._decode(row, out, work, base, ahead)
            if kept is not None and base is None:
                kept.put(row.hash, out.copy())
        if chunk_id(row.kind, out.data) != row.hash:
            if base is not None:
                self.into(base, np.empty(base.size, np.uint8), work, {})  # the damage may be there
            raise _damaged(row)

    def two_into(
        self,
        old: ChunkRow,
        new: ChunkRow,
        a: Bytes,
        b: Bytes,
        work: Workspace,
        bases: Mapping[int, ChunkRow],
    ) -> None:
        """`into` of two chunks of one size, and what both are made of is decoded once."""
        shared = bases.get(old.base_id or 0)
        try:
            if shared is not None and shared.size >= _SMALL_BASE and old.base_id == new.base_id:
                base = work.bytes("shared", shared.size)
                self._decode(shared, base, work, None)
                self._made_of(old, a, work, base)
                self._made_of(new, b, work, base)
                return
            if new.base_id == old.id and needs_base(new.codec):
                self.into(old, a, work, bases)
                self._made_of(new, b, work, a)
                return
        except Corrupt:  # the long way finds what gc moved, and tells where the damage is
            pass
        self.into(old, a, work, bases)
        if new.hash == old.hash:
            b[:] = a
        else:
            self.into(new, b, work, bases)

    def _made_of(self, row: ChunkRow, out: Bytes, work: Workspace, base: Bytes) -> None:
        """Decode a chunk whose base is known, and check its name."""
        if row.size != len(out):
            raise Corrupt("bad-recipe", f"chunk {row.hash.hex()[:16]} has not the size it should")
        try:
            decode(row.codec, self.payload(row, work), base, out, work)
        except NotFound:
            raise Corrupt("pack-lost", f"pack {row.pack} is not in the store") from None
        if chunk_id(row.kind, out.data) != row.hash:
            raise _damaged(row)

    @contextmanager
    def side_by_side(self) -> Iterator[None]:
        """While versions are read together, the chunks that their deltas share are decoded once."""
        self._full = _Cache(_BASES_BYTES)
        try:
            yield
        finally:
            self._full = None

    def record(self, row: ChunkRow, ahead: Ahead | None = None) -> bytes:
        """A small record of our own (recipe, inspection, bundle), kept for a while."""
        content = self._cache.get(row.hash)
        if content is None:
            out = np.empty(row.size, np.uint8)
            self.into(row, out, workspace(), self.bases([row]), ahead)
            content = out.tobytes()
            self._cache.put(row.hash, content)
        return content

    def records(self, rows: Sequence[ChunkRow]) -> Iterator[tuple[ChunkRow, bytes]]:
        """Many small records, fetched together. Like `record` it ends with the first damaged."""
        missing = [row for row in rows if self._cache.get(row.hash) is None]
        with self.ahead(missing, self.bases(missing)) as ahead:
            for row in rows:
                yield row, self.record(row, ahead)

    def payload(self, row: ChunkRow, work: Workspace, ahead: Ahead | None = None) -> memoryview:
        """The encoded bytes of a chunk, out of their box, not checked; to be written again.

        They may lie in `work`: until its next use.
        """
        box = ahead.take(row) if ahead is not None else None
        if box is None:
            box = self._read(row, work)
        if row.seal is None:
            return box
        if self.vault is None:
            raise Denied(
                "no-master-key", "the store is encrypted, and this yard has no key",
                hint="[encryption] in yard.toml says where the key is",
            )  # fmt: skip
        opened = work.bytes("opened", max(row.length - BOX_EXTRA, 0)).data
        try:
            self.vault.lock(row.seal).open_into(Part.PAYLOAD, row.start, box, opened)
        except Corrupt:
            raise _damaged(row) from None
        return opened

    def payload_into(
        self, row: ChunkRow, out: Bytes, work: Workspace, ahead: Ahead | None = None
    ) -> None:
        """`payload` into memory of the caller's. Corrupt: `pack-lost`: gc may have moved it."""
        try:
            if row.seal is None and ahead is None and self._reads_into is not None:
                self._reads_into.read_into(row.pack, row.start, out)
            else:
                out.data[:] = self.payload(row, work, ahead)
        except NotFound:
            raise Corrupt("pack-lost", f"pack {row.pack} is not in the store") from None

    def _decode(
        self,
        row: ChunkRow,
        out: Bytes,
        work: Workspace,
        base_row: ChunkRow | None,
        ahead: Ahead | None = None,
    ) -> None:
        """Decode without a check. A base is not checked by itself: what is made of it is."""
        base = None
        try:
            if base_row is not None and base_row.size < _SMALL_BASE:
                base = np.frombuffer(self.record(base_row, ahead), np.uint8)
            elif base_row is not None:
                base = self._shared(base_row, work, ahead)
            decode(row.codec, self.payload(row, work, ahead), base, out, work)
        except NotFound:
            raise Corrupt("pack-lost", f"pack {row.pack} is not in the store") from None

    def _shared(self, row: ChunkRow, work: Workspace, ahead: Ahead | None) -> Bytes:
        """A base, not checked; read it only."""
        kept = self._full
        if kept is None or row.size > _CACHE_LARGEST:
            base = work.bytes("base", row.size)
            self._decode(row, base, work, None, ahead)
            return base
        found = kept.get(row.hash)
        if found is None:
            found = np.empty(row.size, np.uint8)
            self._decode(row, found, work, None, ahead)
            kept.put(row.hash, found)
        return found

    def _base_row(self, row: ChunkRow, bases: Mapping[int, ChunkRow]) -> ChunkRow | None:
        if not needs_base(row.codec):
            return None
        base = bases.get(row.base_id or 0)
        if base is None:
            raise Corrupt("chunk-lost", f"the base of chunk {row.hash.hex()[:16]} is lost")
        if base.base_id is not None:
            raise Corrupt("bad-chunk", f"chunk {base.hash.hex()[:16]} is a delta, yet a base")
        return base

    def _read(self, row: ChunkRow, work: Workspace) -> memoryview:
        if self._reads_into is not None:
            buffer = work.bytes("payload", row.length)
            self._reads_into.read_into(row.pack, row.start, buffer)
            return buffer.data
        return memoryview(self.backend.get(row.pack, row.start, row.start + row.length))


def _damaged(row: ChunkRow) -> Corrupt:
    return Corrupt(
        "bad-chunk", f"chunk {row.hash.hex()[:16]} in {row.pack} is damaged",
        hint="yard verify tells which versions need it",
    )  # fmt: skip


Content = TypeVar("Content", "bytes", "Bytes")


class _Cache(Generic[Content]):
    """Chunks by name, up to so many bytes; the least used goes first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._items: OrderedDict[bytes, Content] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: bytes) -> Content | None:
        with self._lock:
            content = self._items.get(key)
            if content is not None:
                self._items.move_to_end(key)
            return content

    def put(self, key: bytes, content: Content) -> None:
        if len(content) > _CACHE_LARGEST:
            return
        with self._lock:
            if key not in self._items:
                self._items[key] = content
                self._size += len(content)
            while self._size > self._limit:
                self._size -= len(self._items.popitem(last=False)[1])
