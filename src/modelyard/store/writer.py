"""Writing chunks: a session appends to packs, makes them durable, and then the index learns.

Order that makes crashes harmless: bytes, then index. A session's chunks become known pack by pack,
so an interrupted commit that is run again sends only what is missing.
"""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, Protocol

import blake3

from modelyard.core.chunks import PACK_LIMIT, ChunkRow, NewChunk, PackGrowth
from modelyard.store.interface import Backend, SupportsAppend
from modelyard.store.pack import HEADER, encode_record_head, encode_trailer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelyard.core.digest import ChunkId
    from modelyard.store.codecs import Encoded
    from modelyard.store.interface import Appender, Index

__all__ = ["Session"]


class Session:
    """One commit's writing. Any number of threads may add to it."""

    def __init__(self, backend: Backend, index: Index) -> None:
        self.id = secrets.token_hex(16)
        self.new_bytes = 0
        self.reused: set[int] = set()
        """Rows of chunks that were there already; the last transaction looks again."""
        self._backend = backend
        self._index = index
        self._lock = threading.Lock()
        self._claimed: set[ChunkId] = set()
        self._idle: list[_OpenPack] = []
        self._packs: list[_OpenPack] = []
        self._durable: list[PackGrowth] = []
        self._sealing: list[threading.Thread] = []
        self._failure: BaseException | None = None
        self._leased = False
        self._last = False

    def claim(self, name: ChunkId) -> bool:
        """True for the one caller who is to write this chunk."""
        with self._lock:
            if name in self._claimed:
                return False
            self._claimed.add(name)
            return True

    def reuse(self, rows: Iterable[ChunkRow]) -> None:
        """These chunks are in the store; their deltas need their bases."""
        with self._lock:
            for row in rows:
                self.reused.add(row.id)
                if row.base_id is not None:
                    self.reused.add(row.base_id)

    def append(
        self, kind: int, name: ChunkId, size: int, encoded: Encoded, base: ChunkRow | None
    ) -> None:
        """Write a claimed chunk to a pack; durable only after `sync`."""
        pack = self._take()
        try:
            pack.append(kind, name, size, encoded, base.hash if base else None)
            full = pack.size >= pack.limit
        except BaseException:
            self._discard(pack)
            raise
        with self._lock:
            self.new_bytes += encoded.length
        if full and not self._last:
            self._seal(pack)
        else:
            with self._lock:
                self._idle.append(pack)
        if base is not None:
            self.reuse([base])

    def prepare(self) -> None:
        """Get ready for the last transaction: from now on the index is not written to.

        What is appended after this becomes durable by `sync` alone, however full the pack is.
        """
        pack = self._take()
        with self._lock:
            self._idle.append(pack)
        self._join()
        self._last = True

    def sync(self) -> tuple[PackGrowth, ...]:
        """Make all durable; what the index has still to learn, until `registered` says it did."""
        self._join()
        with self._lock:
            packs, self._idle = self._idle, []
        for pack in packs:
            growth = pack.sync()
            if growth is not None:
                self._durable.append(growth)
        self._idle = [pack for pack in packs if not pack.sealed]
        return tuple(self._durable)

    def registered(self) -> None:
        """The index has learned everything that `sync` gave, and ended the session's leases."""
        self._durable.clear()
        self._leased = False

    def close(self) -> None:
        """Let the locks go. Bytes that no index knows are cut off by the pack's next writer."""
        for thread in self._sealing:
            thread.join()
        for pack in self._packs:
            pack.close()
        self._packs.clear()
        self._idle.clear()
        if self._leased:
            self._index.release(self.id)

    def _join(self) -> None:
        for thread in self._sealing:
            thread.join()
        self._sealing.clear()
        if self._failure is not None:
            raise self._failure

    def _take(self) -> _OpenPack:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        if isinstance(self._backend, SupportsAppend):
            pack: _OpenPack = self._appendable(self._backend)
        else:
            pack = _WholePack(self._backend)
        with self._lock:
            self._packs.append(pack)
        return pack

    def _appendable(self, backend: SupportsAppend) -> _OpenPack:
        for key, size in self._index.open_packs():
            appender = backend.append(key, size)
            if appender is None:
                continue
            # only now, under its lock, does the pack's size stand still
            settled = self._index.pack_size(key)
            if settled == size:
                return _GrowingPack(key, size, appender, self._index)
            appender.close()
        token = secrets.token_hex(12)
        key = f"packs/{token[:2]}/{token}.pack"
        appender = backend.append(key, 0)
        if appender is None:
            raise AssertionError("a new pack is locked")
        appender.write([HEADER])
        self._index.create_pack(key, len(HEADER))
        return _GrowingPack(key, len(HEADER), appender, self._index)

    def _seal(self, pack: _OpenPack) -> None:
        """fsync and register behind the caller's back: the disk works while the cores encode."""

        def work() -> None:
            try:
                growth = pack.seal()
                self._leased = True
                self._index.grow([growth], self.id)
            except BaseException as error:  # handed to whoever calls sync
                self._failure = error
            finally:
                pack.close()

        thread = threading.Thread(target=work, name="seal")
        with self._lock:
            self._packs.remove(pack)
            self._sealing.append(thread)
        thread.start()

    def _discard(self, pack: _OpenPack) -> None:
        with self._lock:
            self._packs.remove(pack)
        pack.close()


class _OpenPack(Protocol):
    size: int
    limit: int
    sealed: bool

    def append(
        self, kind: int, name: ChunkId, size: int, encoded: Encoded, base: ChunkId | None
    ) -> None: ...
    def sync(self) -> PackGrowth | None: ...
    def seal(self) -> PackGrowth: ...
    def close(self) -> None: ...


class _GrowingPack:
    """A pack on this machine that grows over many commits."""

    limit = PACK_LIMIT

    def __init__(self, key: str, size: int, appender: Appender, index: Index) -> None:
        self.key = key
        self.size = size
        self._appender = appender
        self._index = index
        self.sealed = False
        self._chunks: list[NewChunk] = []
        self._parts: list[bytes | memoryview] = []
        self._waiting = 0

    def append(
        self, kind: int, name: ChunkId, size: int, encoded: Encoded, base: ChunkId | None
    ) -> None:
        head = encode_record_head(kind, encoded.codec, encoded.length, size, base)
        start = self.size + len(head)
        self.size = start + encoded.length
        if encoded.length > 1 << 17:  # parts may be views of buffers the caller uses again
            self._flush()
            self._appender.write([head, *encoded.parts])
        else:
            self._parts.append(b"".join([head, *encoded.parts]))
            self._waiting += len(head) + encoded.length
            if self._waiting > 1 << 20:
                self._flush()
        self._chunks.append(NewChunk(name, start, encoded.length, size, encoded.codec, kind, base))

    def sync(self) -> PackGrowth | None:
        if not self._chunks:
            return None
        if self.size >= self.limit:
            return self.seal()
        return self._flushed()

    def seal(self) -> PackGrowth:
        self.sealed = True
        before = self._index.contents(self.key)
        self._parts.append(encode_trailer([*before, *self._chunks], self.size))
        return self._flushed()

    def _flushed(self) -> PackGrowth:
        self._flush()
        self._appender.sync()
        chunks, self._chunks = tuple(self._chunks), []
        return PackGrowth(self.key, self.size, self.sealed, chunks)

    def close(self) -> None:
        self._appender.close()

    def _flush(self) -> None:
        if self._parts:
            self._appender.write(self._parts)
            self._parts, self._waiting = [], 0


class _WholePack:
    """A pack that is put in one piece, named by its content."""

    def __init__(self, backend: Backend) -> None:
        self.limit = min(PACK_LIMIT, backend.facts.max_object or PACK_LIMIT) * 7 // 8
        self.size = len(HEADER)
        self.sealed = False
        self._backend = backend
        self._parts: list[bytes] = [HEADER]
        self._chunks: list[NewChunk] = []

    def append(
        self, kind: int, name: ChunkId, size: int, encoded: Encoded, base: ChunkId | None
    ) -> None:
        head = encode_record_head(kind, encoded.codec, encoded.length, size, base)
        start = self.size + len(head)
        self._parts += [head, *(bytes(part) for part in encoded.parts)]
        self.size = start + encoded.length
        self._chunks.append(NewChunk(name, start, encoded.length, size, encoded.codec, kind, base))

    def sync(self) -> PackGrowth | None:
        return self.seal() if self._chunks else None

    def seal(self) -> PackGrowth:
        self.sealed = True
        size = self.size
        data = b"".join([*self._parts, encode_trailer(self._chunks, size)])
        name = blake3.blake3(data).hexdigest()[:40]
        key = f"packs/{name[:2]}/{name}.pack"
        self._backend.put(key, data)
        return PackGrowth(key, size, True, tuple(self._chunks))

    def close(self) -> None:
        self._parts.clear()
