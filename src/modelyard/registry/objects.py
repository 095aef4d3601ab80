"""Git objects of a model: the catalog tells which bundle holds one, the store gives the bundle."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from modelyard.catalog.queries import blobs
from modelyard.errors import Corrupt, NotFound
from modelyard.history.bundles import decode_bundle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelyard.history.gitobject import GitObject
    from modelyard.registry.house import House

__all__ = ["ModelObjects", "ObjectCache", "join_bundle", "split_bundle"]

_KEPT = 16 << 20
_OF_EACH = 450
"""Bytes that an object takes beside its body."""
"""Bytes of git objects that are kept decoded."""


def join_bundle(entry: bytes, objects: bytes) -> bytes:
    """A bundle record: the length of the journal entry (u32), the entry, the git objects."""
    return len(entry).to_bytes(4, "little") + entry + objects


def split_bundle(content: bytes) -> tuple[bytes, bytes]:
    """Undo `join_bundle`."""
    end = 4 + int.from_bytes(content[:4], "little")
    if end > len(content):
        raise Corrupt("bad-bundle", "a bundle record is cut short")
    return content[4:end], content[end:]


class ObjectCache:
    """Git objects used lately, by model and name."""

    def __init__(self) -> None:
        self._objects: OrderedDict[tuple[int, bytes], tuple[int, bytes]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, model_id: int, sha: bytes) -> tuple[int, bytes] | None:
        return self._objects.get((model_id, sha))

    def put(self, model_id: int, objects: Iterable[GitObject]) -> None:
        with self._lock:
            for item in objects:
                key = (model_id, item.sha)
                if key not in self._objects:
                    self._objects[key] = (item.kind, item.body)
                    self._size += len(item.body) + _OF_EACH
            while self._size > _KEPT:
                _, (_, body) = self._objects.popitem(last=False)
                self._size -= len(body) + _OF_EACH

    def clear(self) -> None:
        with self._lock:
            self._objects.clear()
            self._size = 0


class ModelObjects:
    """What `history` asks for to read trees and commits."""

    def __init__(self, house: House, model_id: int) -> None:
        self._house = house
        self._model_id = model_id

    def get(self, sha: bytes) -> tuple[int, bytes]:
        """Kind and body of one object."""
        found = self._house.objects.get(self._model_id, sha)
        if found is None:
            with self._house.catalog.read() as connection:
                where = blobs.bundles(connection, self._model_id, [sha])
            if sha not in where:
                raise NotFound("git-object-missing", f"no git object {sha.hex()} in this model")
            found = {o.sha: (o.kind, o.body) for o in self._bundle(where[sha])}.get(sha)
        if found is None:
            raise Corrupt("bad-bundle", f"git object {sha.hex()} is not where it should be")
        return found

    def _bundle(self, key: int) -> Sequence[GitObject]:
        row = self._house.index.rows([key]).get(key)
        if row is None:
            raise Corrupt("chunk-lost", "the record of a commit is not in the store")
        _, objects = split_bundle(self._house.reader.record(row))
        bundle = decode_bundle(objects)
        self._house.objects.put(self._model_id, bundle)
        return bundle
