"""The two seams of the store: `Backend` keeps packs, `Index` knows which chunk lies where."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from modelyard.core.chunks import ChunkRow, NewChunk, PackGrowth
    from modelyard.core.digest import ChunkId
    from modelyard.store.codecs.workspace import Bytes

__all__ = [
    "NO_ROOM",
    "Appender",
    "Backend",
    "Facts",
    "Index",
    "Stat",
    "SupportsAppend",
    "SupportsLeftovers",
    "SupportsReadInto",
    "check_key",
]

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""What the system says when a disk or a quota is full."""

_KEY = re.compile(r"[a-z0-9][a-z0-9_-]*(?:[./][a-z0-9_-]+)*\Z")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a backend can do."""

    max_object: int | None
    """Largest object in bytes; None if only the disk limits it."""
    is_local: bool
    max_parallel: int = 1
    """How many requests at once are sensible."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What a backend tells of an object without reading it."""

    size: int
    modified: float
    """Seconds since 1970."""


class Backend(Protocol):
    """Bytes by key. A key is written once and never altered; refs live in the catalog, not here.

    Keys are relative paths of `[a-z0-9._-]`. Errors: `NotFound` `no-object` for a missing key,
    `InvalidInput` `bad-key`, `Unavailable` if the service or disk fails, `Denied` for credentials.
    """

    @property
    def facts(self) -> Facts: ...

    def put(self, key: str, data: bytes) -> None:
        """Durable when it returns, whole or not there. Again with the same bytes is harmless."""

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes from `start` to `end`; `Corrupt` `short-object` if it ends before `end`."""

    def stat(self, key: str) -> Stat | None: ...

    def keys(self, prefix: str = "") -> Iterator[str]:
        """All keys that begin with `prefix`, sorted."""

    def delete(self, key: str) -> None:
        """Nothing happens if the key is not there."""

    def close(self) -> None:
        """Let connections and files go; again is harmless."""


class Appender(Protocol):
    """An object that grows under an exclusive lock."""

    def write(self, parts: Sequence[bytes | memoryview]) -> None: ...

    def sync(self) -> None:
        """All that was written survives a power cut."""

    def close(self) -> None:
        """Give the lock back."""


@runtime_checkable
class SupportsAppend(Backend, Protocol):
    """A backend on this machine's disk, where an open pack can grow."""

    def append(self, key: str, size: int) -> Appender | None:
        """Lock `key`, to go on after `size` bytes; None if somebody else has it.

        What lies beyond is cut off at the first write. A size of 0 makes the object, durably.
        """


@runtime_checkable
class SupportsReadInto(Protocol):
    """A backend that reads into memory of the caller's."""

    def read_into(self, key: str, start: int, out: Bytes) -> None:
        """Fill `out` with the bytes from `start`; `Corrupt` `short-object` if it ends before."""


@runtime_checkable
class SupportsSigning(Protocol):
    """A backend whose objects others may read for a while, by a URL that needs no credentials."""

    def signed(self, keys: Sequence[str], seconds: int) -> Sequence[str]:
        """URLs to GET; none if the service has none. Nothing is asked of it."""


@runtime_checkable
class SupportsLeftovers(Protocol):
    """A backend where a `put` that dies leaves bytes behind, which nobody sees."""

    def remove_leftovers(self, older_seconds: float = 3600.0) -> int:
        """Delete what nobody has written to for so long; tells how many there were."""


class Index(Protocol):
    """What the store asks of the catalog. Each call is a short transaction of its own."""

    def find(self, hashes: Iterable[ChunkId]) -> Mapping[ChunkId, ChunkRow]:
        """The known among these chunks, in packs that are not condemned.

        They are not held: the last transaction of a session looks for them again.
        """

    def rows(self, ids: Iterable[int]) -> Mapping[int, ChunkRow]: ...

    def newest(self, name: ChunkId) -> tuple[ChunkRow | None, Mapping[int, ChunkRow]]:
        """A chunk and its base, by the base's row, as of now, whatever view this thread has."""

    def open_packs(self) -> Sequence[tuple[str, int, bytes | None]]:
        """Keys, indexed sizes and wrapped keys of packs that may grow, the smallest first."""

    def pack_size(self, pack: str) -> int | None:
        """Indexed size of an open pack; None if it is not open any more."""

    def pack_seal(self, pack: str) -> bytes | None:
        """The wrapped key of an encrypted pack; None if it is not encrypted, or not known."""

    def create_pack(self, pack: str, size: int, seal: bytes | None = None) -> None:
        """A new open pack, before anything is written to it: a crash leaves no stray object."""

    def contents(self, pack: str) -> Sequence[NewChunk]:
        """The registered chunks of a pack, in order."""

    def grow(
        self, growth: Sequence[PackGrowth], session: str, lease: Sequence[str] | None = None
    ) -> Sequence[int]:
        """Register durable chunks; packs that are new come into being.

        The session gets a lease on those packs that `lease` names, on all if it is not given. All
        its leases that have not run out begin anew. Gives the rows of those chunks
        that were registered in other packs already: the session's own copies are not used.
        """

    def renew(self, session: str) -> None:
        """All leases of the session that have not run out begin anew."""

    def deltas(self, base_id: int) -> tuple[int, int]:
        """How many chunks have this base, and their encoded bytes together."""

    def release(self, session: str) -> None:
        """End of a session: its leases go."""


def check_key(key: str) -> str:
    """A relative path without tricks, or `InvalidInput` `bad-key`."""
    if len(key) > 200 or _KEY.match(key) is None:
        raise InvalidInput("bad-key", f"{key[:80]!r} is no key of an object")
    return key
