"""Writing chunks: a session appends to packs, makes them durable, and then the index learns.

Order that makes crashes harmless: bytes, then index. A session's chunks become known pack by pack,
so an interrupted commit that is run again sends only what is missing.
"""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING

from modelyard.errors import ModelyardError
from modelyard.store.filling import Appending, Putting
from modelyard.store.interface import Backend, SupportsAppend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from modelyard.core.chunks import ChunkRow, PackGrowth
    from modelyard.core.digest import ChunkId
    from modelyard.store.codecs import Encoded
    from modelyard.store.interface import Index
    from modelyard.store.sealing import Vault

__all__ = ["Session"]

_BEAT = 900.0


class Session:
    """One commit's writing. Any number of threads may add to it.

    Args:
        vault: Packs are encrypted if there is one.
        beat: Seconds after which leases are renewed; much less than a lease lasts.
    """

    def __init__(
        self, backend: Backend, index: Index, vault: Vault | None = None, *, beat: float = _BEAT
    ) -> None:
        self.id = secrets.token_hex(16)
        self.new_bytes = 0
        self.reused: set[int] = set()
        """Rows of chunks that others stored; the last transaction looks for them again."""
        self.grown: set[str] = set()
        """Packs that the index knows already, each held by a lease: the last transaction has to
        find as many leases that never ran out."""
        self._index = index
        self._lock = threading.Lock()
        self._claimed: set[ChunkId] = set()
        self._packs: Appending | Putting
        if isinstance(backend, SupportsAppend):
            self._packs = Appending(backend, index, vault, self._behind)
        else:
            self._packs = Putting(backend, self.id, vault, self._behind)
        self._written: list[PackGrowth] = []
        self._threads: list[threading.Thread] = []
        self._failure: BaseException | None = None
        self._is_last = False
        self._beat = beat
        self._end = threading.Event()
        self._heart: threading.Thread | None = None

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
        if self._failure is not None:
            raise self._failure
        self._packs.append(kind, name, size, encoded, base.hash if base else None)
        with self._lock:
            self.new_bytes += encoded.length
        if base is not None:
            self.reuse([base])

    def prepare(self) -> None:
        """Get ready for the last transaction: from now on the index is not written to.

        What is appended after this becomes durable by `sync` alone, however much it is.
        """
        self._packs.prepare()
        self._join()
        self._is_last = True

    def sync(self) -> tuple[PackGrowth, ...]:
        """Make all durable; what the index has still to learn, until `registered` says it did."""
        growth = self.write()
        self.harden()
        return growth

    def write(self) -> tuple[PackGrowth, ...]:
        """`sync` without its end: nothing may rely on these bytes before `harden`."""
        self._join()
        self._written += self._packs.write()
        return tuple(self._written)

    def harden(self) -> None:
        """Make durable what was written. If that fails once, the session is of no use any more."""
        try:
            self._packs.harden()
        except BaseException as error:
            self._failure = error
            raise

    def flush(self) -> None:
        """Make all durable and known now: sending it again after a crash finds it there."""
        for growth in self.sync():
            self._grow(growth)
        self._written.clear()

    def registered(self) -> None:
        """The index has learned everything that `sync` gave, and ended the session's leases."""
        self._written.clear()
        self.grown.clear()

    def join(self, upload: str) -> None:
        """Hold leases in the name of an upload of several sessions; nothing was written yet."""
        self.id = upload

    def interrupted(self) -> None:
        """The upload goes on: `close` lets its leases run on."""
        self.grown.clear()

    def close(self) -> None:
        """Let the locks go. Bytes that no index knows are cut off by the pack's next writer."""
        self._end.set()
        for thread in self._threads:
            thread.join()
        if self._heart is not None:
            self._heart.join()
        self._packs.close()
        if self.grown:
            self._index.release(self.id)

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        if self._failure is not None:
            raise self._failure

    def _behind(self, finish: Callable[[], PackGrowth], done: Callable[[], None]) -> None:
        """Finish a pack behind the caller's back: disk or network work while the cores encode."""

        def work() -> None:
            try:
                growth = finish()
                if self._is_last:
                    with self._lock:
                        self._written.append(growth)
                else:
                    self._grow(growth)
            except BaseException as error:  # handed to whoever calls next
                self._failure = error
            finally:
                done()

        thread = threading.Thread(target=work, name="seal")
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _grow(self, growth: PackGrowth) -> None:
        with self._lock:
            held = [] if growth.pack in self.grown else [growth.pack]
            self.grown.add(growth.pack)
            if self._heart is None:
                self._heart = threading.Thread(target=self._renew, name="leases", daemon=True)
                self._heart.start()
        # a lease that ran out is not taken again: the last transaction is to miss it
        twins = self._index.grow([growth], self.id, held)
        with self._lock:
            self.reused.update(twins)

    def _renew(self) -> None:
        while not self._end.wait(self._beat):
            try:
                self._index.renew(self.id)
            except ModelyardError:  # the last transaction will find whether it mattered
                continue
