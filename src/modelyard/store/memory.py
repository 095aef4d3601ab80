"""Packs in this process's memory: for tests, and for yards that need not outlive it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from modelyard.errors import Corrupt, InvalidInput, NotFound
from modelyard.store.interface import Facts, Stat, check_key

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MemoryBackend"]


class MemoryBackend:
    """A dict. It behaves as an object store does: whole objects, no appending."""

    def __init__(self, max_object: int | None = None) -> None:
        self.facts = Facts(max_object=max_object, is_local=False)
        self._objects: dict[str, tuple[bytes, float]] = {}
        self._lock = threading.Lock()

    def put(self, key: str, data: bytes) -> None:
        check_key(key)
        if self.facts.max_object is not None and len(data) > self.facts.max_object:
            raise InvalidInput("object-too-large", f"{key} has {len(data)} bytes")
        with self._lock:
            self._objects[key] = (bytes(data), time.time())

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        check_key(key)
        found = self._objects.get(key)
        if found is None:
            raise NotFound("no-object", f"the store has no object {key}")
        if end is not None and end > len(found[0]):
            raise Corrupt("short-object", f"{key} ends before byte {end}")
        return found[0][start:end]

    def stat(self, key: str) -> Stat | None:
        check_key(key)
        found = self._objects.get(key)
        return None if found is None else Stat(len(found[0]), found[1])

    def keys(self, prefix: str = "") -> Iterator[str]:
        with self._lock:
            found = sorted(key for key in self._objects if key.startswith(prefix))
        yield from found

    def delete(self, key: str) -> None:
        check_key(key)
        with self._lock:
            self._objects.pop(key, None)

    def close(self) -> None:
        """Nothing to let go: the packs live as long as this object."""
