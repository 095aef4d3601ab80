"""Packs in MongoDB, in the layout of GridFS: any tool that reads GridFS reads them.

An object is seen when its document in `yard_store.files` is written, which is done last. Bytes that
no such document names have one in `yard_store.uploads`, by which they are found and removed. A put
of a key that is there writes the bytes anew, shows them, then removes the older ones: of several
writers the newest stays, and at no moment there is no object.
"""

from __future__ import annotations

import datetime
import threading
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from modelyard.core.extras import need
from modelyard.errors import Corrupt, InvalidInput, ModelyardError, NotFound, Unavailable
from modelyard.store.interface import Facts, Stat, check_key
from modelyard.store.retries import patiently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bson import ObjectId

    from modelyard.store.mongodb_files import File

__all__ = ["MongoBackend"]

P = ParamSpec("P")
T = TypeVar("T")

_MAX_OBJECT = 1 << 30
_PAGE = 1000  # keys of one answer
_KNOWN = 4096  # objects whose documents are remembered
_AGE = 3600.0  # seconds
_PATIENCE = 30.0  # seconds


class MongoBackend:
    """Objects as GridFS files in the collections `yard_store.*` of a database.

    The user and the password come from `YARD_STORE_USER` and `YARD_STORE_PASSWORD`. Errors:
    `Denied` `store-credentials` and `store-permission`, `Unavailable` `store-unavailable`,
    `disk-full` and `store-io`.
    """

    facts = Facts(max_object=_MAX_OBJECT, is_local=False, max_parallel=4)

    def __init__(self, url: str) -> None:
        need("pymongo", "mongodb")
        from modelyard.store.mongodb_files import Files, connect

        self._client, database, self._place = connect(url)
        self._files = Files(database)
        self._known: OrderedDict[str, File] = OrderedDict()
        self._lock = threading.Lock()
        self._has_answered = False
        self._is_ready = False

    def put(self, key: str, data: bytes) -> None:
        check_key(key)
        if len(data) > _MAX_OBJECT:
            raise InvalidInput("object-too-large", f"{key} has {len(data)} bytes")
        if not self._is_ready:
            self._call(self._files.make_indexes)
            self._is_ready = True
        for _ in range(5):
            if self._try_put(key, memoryview(data)):
                return
        raise Unavailable("store-unavailable", f"{key} was swept away while it was written")

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        check_key(key)
        file = self._known.get(key)
        if file is not None and start < file.size:
            found = self._read(file, start, end)
            if found is not None:
                return found
        while True:
            file = self._find(key)
            found = self._read(file, start, end)
            if found is not None:
                return found
            if self._find(key).id == file.id:  # nobody replaced it while it was read
                raise Corrupt("short-object", f"{key} ends before byte {end or file.size}")

    def stat(self, key: str) -> Stat | None:
        check_key(key)
        file = self._call(self._files.newest, key)
        return None if file is None else Stat(file.size, file.modified.timestamp())

    def keys(self, prefix: str = "") -> Iterator[str]:
        last = ""
        while page := self._call(self._files.keys_after, prefix, last, _PAGE):
            last = page[-1]
            yield from dict.fromkeys(page)  # a key may be there twice while it is put again

    def delete(self, key: str) -> None:
        check_key(key)
        with self._lock:
            self._known.pop(key, None)
        for file in self._call(self._files.all, key):
            self._call(self._files.retire, file.id)

    def remove_leftovers(self, older_seconds: float = _AGE) -> int:
        """Delete what `put`s left that died, if nobody wrote there for so long; tells how many."""
        age = datetime.timedelta(seconds=older_seconds)
        limit = self._call(self._files.server_time) - age
        stale = self._call(self._files.stale, limit)
        return sum(self._call(self._files.sweep, upload, limit) for upload in stale)

    def close(self) -> None:
        self._client.close()

    def _try_put(self, key: str, view: memoryview) -> bool:
        """False if somebody took it for a dead one's, and removed it."""
        files, upload = self._files, self._files.new_id()
        try:
            now = self._call(files.open, upload)
            is_ours = all(self._insert(upload, *batch) for batch in files.batches(view))
            if is_ours:
                self._call(files.show, upload, key, len(view), now)
                is_ours = self._call(files.close, upload)
        except BaseException:
            with suppress(ModelyardError):
                self._call(files.retire, upload)
            raise
        if is_ours:
            self._call(files.retire_older, key)
        else:
            self._call(files.retire, upload)
        return is_ours

    def _insert(self, upload: ObjectId, number: int, batch: memoryview) -> bool:
        """Write some chunks; False if the upload was swept meanwhile."""
        if number and not self._call(self._files.touch, upload):
            return False
        self._call(self._files.insert, upload, number, batch)
        return True

    def _find(self, key: str) -> File:
        file = self._call(self._files.newest, key)
        with self._lock:
            self._known.pop(key, None)
            if file is not None:
                self._known[key] = file
                if len(self._known) > _KNOWN:
                    self._known.popitem(last=False)
        if file is None:
            raise NotFound("no-object", f"the store has no object {key}")
        return file

    def _read(self, file: File, start: int, end: int | None) -> bytes | None:
        """The bytes; None if the object ends before, or its chunks are gone meanwhile."""
        stop = file.size if end is None else end
        if stop > file.size:
            return None
        if start >= stop:
            return b""
        pieces = self._call(self._files.read, file, start, stop)
        if sum(map(len, pieces)) != stop - start:
            return None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        from modelyard.store.mongodb_errors import is_of_driver, is_passing, translated

        def can_pass(error: BaseException) -> bool:
            return is_passing(error, has_answered=self._has_answered)

        try:
            result = patiently(lambda: work(*args, **kwargs), can_pass, _PATIENCE)
        except Exception as error:
            if not is_of_driver(error):
                raise
            raise translated(error, self._place) from None
        self._has_answered = True
        return result
