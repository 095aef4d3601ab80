"""Where a session's records go: into packs that grow here, or into one that is put whole."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from modelyard.core.chunks import PackGrowth
from modelyard.errors import NotFound
from modelyard.store.growing import GrowingPack, WholePack

if TYPE_CHECKING:
    from modelyard.core.digest import ChunkId
    from modelyard.store.codecs import Encoded
    from modelyard.store.interface import Backend, Index, SupportsAppend
    from modelyard.store.sealing import Vault

__all__ = ["Appending", "Putting"]

_LATE = 1 << 20
"""A pack that is put whole may be put within the last transaction up to this many bytes."""
_WAITING = 2
"""Whole packs in memory beside the one that is being filled."""

Behind = Callable[[Callable[[], PackGrowth], Callable[[], None]], None]
"""Finishes a pack in a thread of its own, and then calls the second."""


class Appending:
    """Packs that grow on this machine's disk: each thread has one to itself."""

    def __init__(
        self,
        backend: SupportsAppend,
        index: Index,
        vault: Vault | None,
        behind: Behind,
    ) -> None:
        self._backend = backend
        self._index = index
        self._vault = vault
        self._behind = behind
        self._lock = threading.Lock()
        self._idle: list[GrowingPack] = []
        self._all: list[GrowingPack] = []
        self._soft: list[GrowingPack] = []
        """Written to, and not durable yet."""
        self._is_last = False

    def append(
        self, kind: int, name: ChunkId, size: int, encoded: Encoded, base: ChunkId | None
    ) -> None:
        pack = self._take()
        try:
            pack.append(kind, name, size, encoded, base)
        except BaseException:
            self._forget(pack)
            pack.close()
            raise
        if pack.is_full and not self._is_last:
            self._forget(pack)
            self._behind(pack.finish, pack.close)
        else:
            with self._lock:
                self._idle.append(pack)

    def prepare(self) -> None:
        """There is a pack to write to, so that none need be made within a transaction."""
        pack = self._take()
        with self._lock:
            self._idle.append(pack)
        self._is_last = True

    def write(self) -> list[PackGrowth]:
        with self._lock:
            packs, self._idle = self._idle, []
        growths = []
        for pack in packs:
            if (growth := pack.write()) is not None:
                self._soft.append(pack)
                growths.append(growth)
        self._idle = [pack for pack in packs if not pack.complete]
        return growths

    def harden(self) -> None:
        while self._soft:
            self._soft[-1].harden()
            self._soft.pop()

    def close(self) -> None:
        for pack in self._all:
            pack.close()
        self._all.clear()
        self._idle.clear()

    def _take(self) -> GrowingPack:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        pack = self._known() or self._new()
        with self._lock:
            self._all.append(pack)
        return pack

    def _known(self) -> GrowingPack | None:
        """An open pack that nobody else writes to, encrypted as new ones are."""
        for key, size, seal in self._index.open_packs():
            if (seal is None) != (self._vault is None):
                continue
            try:
                appender = self._backend.append(key, size)
            except NotFound:  # gc was faster, or it is lost: verify tells
                continue
            if appender is None:
                continue
            there = self._backend.stat(key)
            # only now, under its lock, does the pack's size stand still; one that is cut is lost
            if self._index.pack_size(key) == size and there is not None and there.size >= size:
                lock = self._vault.lock(seal) if self._vault and seal else None
                return GrowingPack(key, size, appender, self._index, lock)
            appender.close()
        return None

    def _new(self) -> GrowingPack:
        token = secrets.token_hex(12)
        key = f"packs/{token[:2]}/{token}.pack"
        appender = self._backend.append(key, 0)
        if appender is None:
            raise AssertionError("a new pack is locked")
        lock = self._vault.new_lock() if self._vault else None
        return GrowingPack.new(key, appender, self._index, lock)

    def _forget(self, pack: GrowingPack) -> None:
        with self._lock:
            self._all.remove(pack)


class Putting:
    """Packs that are put whole: all threads fill one, a few full ones are on their way."""

    def __init__(
        self,
        backend: Backend,
        session: str,
        vault: Vault | None,
        behind: Behind,
    ) -> None:
        self._backend = backend
        self._session = session
        self._vault = vault
        self._behind = behind
        self._lock = threading.Lock()
        self._pack: WholePack | None = None
        self._room = threading.Semaphore(max(min(_WAITING, backend.facts.max_parallel), 1))

    def append(
        self, kind: int, name: ChunkId, size: int, encoded: Encoded, base: ChunkId | None
    ) -> None:
        payload = b"".join(encoded.parts)  # the parts may be views of buffers that are used again
        full = None
        with self._lock:
            if self._pack is not None and not self._pack.has_room(len(payload)):
                full, self._pack = self._pack, None
            if self._pack is None:
                self._pack = WholePack(self._backend, self._session, self._vault)
            self._pack.append(kind, name, size, encoded.codec, payload, base)
        if full is not None:
            self._send(full)

    def prepare(self) -> None:
        """Only little is put within a transaction."""
        with self._lock:
            full = self._pack
            if full is None or full.size <= _LATE:
                return
            self._pack = None
        self._send(full)

    def write(self) -> list[PackGrowth]:
        if self._pack is None:
            return []
        growth = self._pack.put()
        self._pack = None
        return [growth]

    def harden(self) -> None:
        """What was put is durable."""

    def close(self) -> None:
        self._pack = None

    def _send(self, pack: WholePack) -> None:
        self._room.acquire()
        self._behind(pack.put, self._room.release)
