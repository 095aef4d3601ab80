"""Packs that are being written: one that grows on this machine's disk, one that is put whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import blake3

from modelyard.core.chunks import PACK_LIMIT, NewChunk, PackGrowth
from modelyard.store.pack import (
    encode_header,
    encode_trailer,
    header_size,
    lay_record,
)
from modelyard.store.sealing import BOX_EXTRA

if TYPE_CHECKING:
    from modelyard.core.digest import ChunkId
    from modelyard.store.codecs import Encoded
    from modelyard.store.interface import Appender, Backend, Index
    from modelyard.store.sealing import PackLock, Vault

__all__ = ["GrowingPack", "WholePack"]

_PER_RECORD = 48 + 80 + 2 * BOX_EXTRA
"""At most so many bytes a record takes beside its payload, its row in the trailer included."""


class GrowingPack:
    """A pack on this machine that grows over many commits."""

    def __init__(
        self, key: str, size: int, appender: Appender, index: Index, lock: PackLock | None
    ) -> None:
        self.key = key
        self.size = size
        self.complete = False
        self._lock = lock
        self._appender = appender
        self._index = index
        self._chunks: list[NewChunk] = []
        self._parts: list[bytes | memoryview] = []
        self._waiting = 0

    @classmethod
    def new(cls, key: str, appender: Appender, index: Index, lock: PackLock | None) -> GrowingPack:
        """An empty pack, known to the index before anything of a chunk is in it."""
        header = encode_header(lock)
        appender.write([header])
        appender.sync()  # what comes later is of no use behind a header that a power cut took
        index.create_pack(key, len(header), lock.seal if lock else None)
        return cls(key, len(header), appender, index, lock)

    @property
    def is_full(self) -> bool:
        return self.size >= PACK_LIMIT

    def append(
        self, kind: int, name: ChunkId, size: int, encoded: Encoded, base: ChunkId | None
    ) -> None:
        laid = lay_record(self.size, kind, encoded.codec, size, base, encoded.parts, self._lock)
        self.size = laid.end
        if encoded.length > 1 << 17:  # parts may be views of buffers the caller uses again
            self._flush()
            self._appender.write(laid.parts)
        else:
            self._parts.append(b"".join(laid.parts))
            self._waiting += len(self._parts[-1])
            if self._waiting > 1 << 20:
                self._flush()
        self._chunks.append(
            NewChunk(name, laid.start, laid.length, size, encoded.codec, kind, base)
        )

    def write(self) -> PackGrowth | None:
        """Write what came since the last time; None if nothing did. Durable after `harden`."""
        if not self._chunks:
            return None
        return self._ended() if self.is_full else self._written()

    def harden(self) -> None:
        """Make durable what was written."""
        self._appender.sync()

    def finish(self) -> PackGrowth:
        """Write the trailer, and make all durable: nothing comes after."""
        growth = self._ended()
        self.harden()
        return growth

    def close(self) -> None:
        self._appender.close()

    def _ended(self) -> PackGrowth:
        self.complete = True
        before = self._index.contents(self.key)
        self._parts.append(encode_trailer([*before, *self._chunks], self.size, self._lock))
        return self._written()

    def _written(self) -> PackGrowth:
        self._flush()
        chunks, self._chunks = tuple(self._chunks), []
        seal = self._lock.seal if self._lock else None
        return PackGrowth(self.key, self.size, self.complete, chunks, seal)

    def _flush(self) -> None:
        if self._parts:
            self._appender.write(self._parts)
            self._parts, self._waiting = [], 0


class WholePack:
    """A pack that is put in one piece. Until then its records lie here as they came."""

    def __init__(self, backend: Backend, session: str, vault: Vault | None) -> None:
        self.limit = min(PACK_LIMIT, backend.facts.max_object or PACK_LIMIT)
        self.size = header_size(b"" if vault else None) + _PER_RECORD
        """At most so many bytes will be put."""
        self._backend = backend
        self._session = session
        self._vault = vault
        self._records: list[tuple[int, ChunkId, int, int, bytes, ChunkId | None]] = []
        self._laid: tuple[bytes, PackGrowth] | None = None

    def has_room(self, length: int) -> bool:
        """Whether a chunk of so many encoded bytes fits in; into an empty pack any does."""
        return not self._records or self.size + _PER_RECORD + length <= self.limit

    def append(
        self, kind: int, name: ChunkId, size: int, codec: int, payload: bytes, base: ChunkId | None
    ) -> None:
        self._records.append((kind, name, size, codec, payload, base))
        self.size += _PER_RECORD + len(payload)

    def put(self) -> PackGrowth:
        """Put the pack under a key that nobody else ever uses; again if that failed."""
        if self._laid is None:
            self._laid = self._lay()
            self._records.clear()
        data, growth = self._laid
        self._backend.put(growth.pack, data)
        return growth

    def _lay(self) -> tuple[bytes, PackGrowth]:
        lock = self._vault.new_lock() if self._vault else None
        header = encode_header(lock)
        parts: list[bytes | memoryview] = [header]
        chunks: list[NewChunk] = []
        at = len(header)
        for kind, name, size, codec, payload, base in self._records:
            laid = lay_record(at, kind, codec, size, base, [payload], lock)
            parts += laid.parts
            chunks.append(NewChunk(name, laid.start, laid.length, size, codec, kind, base))
            at = laid.end
        parts.append(encode_trailer(chunks, at, lock))
        data = b"".join(parts)
        seal = lock.seal if lock else None
        return data, PackGrowth(_key(self._session, data), at, True, tuple(chunks), seal)


def _key(session: str, data: bytes) -> str:
    """Of the content, and of the session's random id: gc may delete what another one put."""
    name = blake3.blake3(session.encode())
    name.update(data)
    text = name.hexdigest()[:40]
    return f"packs/{text[:2]}/{text}.pack"
