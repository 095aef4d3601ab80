"""What one server process remembers between the requests of uploads. Nothing depends on it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from modelyard.registry.receiving.hashing import Hashing
from modelyard.store.ingest import decode_recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.registry.base import Base
    from modelyard.registry.house import House

__all__ = ["Receiving"]

_VERSIONS = 64
_SESSIONS = 256


class Receiving:
    """Chunks of versions that are built on, and digests of files that are arriving."""

    def __init__(self) -> None:
        self._chunks: OrderedDict[int, frozenset[bytes]] = OrderedDict()
        self._hashing: OrderedDict[str, Hashing] = OrderedDict()
        self._bases: OrderedDict[str, frozenset[bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def chunks_of(self, house: House, base: Base) -> frozenset[bytes]:
        """The chunks that the files of a version consist of."""
        if base.version is None:
            return frozenset()
        key = base.version.id
        with self._lock:
            found = self._chunks.get(key)
            if found is not None:
                self._chunks.move_to_end(key)
                return found
        found = _chunks_of(house, base)
        with self._lock:
            self._chunks[key] = found
            while len(self._chunks) > _VERSIONS:
                self._chunks.popitem(last=False)
        return found

    def hashing(self, session: str) -> Hashing:
        """The digests of the files that come in a session."""
        with self._lock:
            found = self._hashing.setdefault(session, Hashing())
            self._hashing.move_to_end(session)
            while len(self._hashing) > _SESSIONS:
                self._hashing.popitem(last=False)
            return found

    def bases(self, session: str, find: Callable[[], frozenset[bytes]]) -> frozenset[bytes]:
        """The chunks of the version that a session builds on, found out once."""
        with self._lock:
            known = self._bases.get(session)
        if known is None:
            known = find()
            with self._lock:
                self._bases[session] = known
                while len(self._bases) > _SESSIONS:
                    self._bases.popitem(last=False)
        return known

    def forget(self, session: str) -> None:
        """It is over."""
        with self._lock:
            self._hashing.pop(session, None)
            self._bases.pop(session, None)

    def start(self) -> None:
        """Nothing runs by itself."""

    def stop(self) -> None:
        """Nothing runs by itself."""


def _chunks_of(house: House, base: Base) -> frozenset[bytes]:
    rows = house.index.rows({blob.content_id for blob in base.blobs.values()})
    names: set[bytes] = set()
    for blob in base.blobs.values():
        row = rows.get(blob.content_id)
        if row is None:
            continue
        if blob.is_recipe:
            names.update(name for name, _ in decode_recipe(house.reader.record(row)))
        else:
            names.add(row.hash)
    return frozenset(names)
