"""A yard's git objects, as dulwich sees them, so that stock git can be served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dulwich.object_store import BaseObjectStore
from dulwich.objects import ObjectID, RawObjectID

from modelyard.errors import NotFound
from modelyard.history.gitobject import GitObject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dulwich.objects import ShaFile
    from dulwich.pack import Pack

__all__ = ["ObjectSource", "YardObjectStore"]


class ObjectSource(Protocol):
    """Where the git objects of one model, or of a whole yard, are. Names are 20 bytes."""

    def get(self, sha: bytes) -> tuple[int, bytes]:
        """Kind and body. NotFound: `git-object-missing`."""

    def contains(self, sha: bytes) -> bool: ...

    def shas(self) -> Iterator[bytes]: ...

    def add(self, objects: Sequence[GitObject]) -> None: ...


class YardObjectStore(BaseObjectStore):
    """Adapts an `ObjectSource` to dulwich. Absence is KeyError here, as dulwich wants it."""

    def __init__(self, source: ObjectSource) -> None:
        super().__init__()
        self._source = source

    def get_raw(self, name: RawObjectID | ObjectID) -> tuple[int, bytes]:
        try:
            return self._source.get(_raw(name))
        except NotFound:
            raise KeyError(name) from None

    def contains_loose(self, sha: ObjectID | RawObjectID) -> bool:
        return self._source.contains(_raw(sha))

    def __iter__(self) -> Iterator[ObjectID]:
        for sha in self._source.shas():
            yield ObjectID(sha.hex().encode())

    @property
    def packs(self) -> list[Pack]:
        return []

    def add_object(self, obj: ShaFile) -> None:
        self._source.add([_object(obj)])

    def add_objects(
        self,
        objects: Sequence[tuple[ShaFile, str | None]],
        progress: Callable[..., None] | None = None,
    ) -> None:
        self._source.add([_object(obj) for obj, _ in objects])


def _raw(sha: bytes) -> bytes:
    return sha if len(sha) == 20 else bytes.fromhex(sha.decode("ascii"))


def _object(obj: ShaFile) -> GitObject:
    return GitObject.of(obj.type_num, obj.as_raw_string())
