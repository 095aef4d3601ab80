"""Object stores by Apache OpenDAL: S3, Azure Blob, OSS, Google Cloud Storage, WebDAV.

OpenDAL speaks the protocols; patience, checks and words are ours. What was put is asked for again
before it counts, what is got is as long as it should be. OpenDAL is imported on first use.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from modelyard.core.extras import need
from modelyard.errors import Corrupt, InvalidInput, ModelyardError, NotFound, Unsupported
from modelyard.store.credentials import settings
from modelyard.store.interface import Facts, Stat, check_key
from modelyard.store.opendal_errors import (
    Again,
    is_long,
    is_missing,
    is_passing,
    is_short,
    no_bucket,
    translated,
)
from modelyard.store.retries import patiently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from modelyard.store.opening import Place

__all__ = ["OpenDalBackend"]

T = TypeVar("T")

_SLOWEST = 200_000
"""Bytes per second below which an upload counts as stuck."""
_FIRST_PATIENCE = 4.0
"""Seconds given to a service that has never answered: its address may be wrong."""
_PARALLEL = 16


class OpenDalBackend:
    """Objects in a bucket, container or folder of a service.

    Errors: as `Backend`, and `Denied` `store-credentials` and `store-permission`, `NotFound`
    `no-bucket`, `Unavailable` `store-unavailable` and `disk-full`.
    """

    def __init__(
        self, place: Place, *, patience: float = 60.0, timeout: float = 20.0, part: int = 64 << 20
    ) -> None:
        """`patience`: seconds during which a failed request is tried again.

        `timeout`: seconds without an answer, or without a byte of it, that make a request fail.
        Objects of more than two `part`s (bytes, at least 5 MiB) go up in parts, four at once.
        """
        opendal = need("opendal", "cloud")
        _check_process()
        self.place = place
        self.facts = Facts(
            max_object=place.scheme.max_object, is_local=False, max_parallel=_PARALLEL
        )
        self._patience = patience
        self._timeout = timeout
        self._part = part
        self._layers = opendal.layers
        self._has_met = False
        self._tells_md5 = True
        self._with_timeout: dict[int, Any] = {}
        self._lock = threading.Lock()
        try:
            self._plain = opendal.Operator(place.scheme.names[0], **settings(place))
        except Exception as error:
            raise translated(error, place, "") from None
        can = self._plain.capability()
        self._can_part = bool(can.write_can_multi)
        self._can_refuse = bool(can.write_with_if_not_exists)

    def __repr__(self) -> str:
        return f"OpenDalBackend({self.place.url!r})"

    def put(self, key: str, data: bytes) -> None:
        self._check_size(key, data)
        tries: list[str] = []

        def write() -> None:
            if tries and self._is_proven(key, data):
                return  # the last try arrived, only its answer did not
            tries.append(key)
            self._write(key, data)
            if not self._has_arrived(key, data):
                raise Again(f"other bytes than the {len(data)} that were sent are there")

        self._call(key, write)

    def create(self, key: str, data: bytes) -> bool:
        """As `put`, but the service is asked to refuse if the key exists with other bytes.

        False if it refused. Services that don't know the condition write: see `probing`.
        """
        self._check_size(key, data)

        condition = {"if_not_exists": True} if self._can_refuse else {}

        def write() -> bool:
            try:
                self._write(key, data, **condition)
            except Exception as error:
                if type(error).__name__ not in ("ConditionNotMatch", "AlreadyExists"):
                    raise
                return self._get(key, 0, None) == data  # the answer to an earlier try was lost
            return True

        return self._call(key, write)

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        check_key(key)
        return self._call(key, lambda: self._get(key, start, end))

    def stat(self, key: str) -> Stat | None:
        check_key(key)
        try:
            found = self._call(key, lambda: self._file(key))
        except NotFound as error:
            if error.kind != "no-object":
                raise
            return None
        modified = found.last_modified
        return Stat(found.content_length, modified.timestamp() if modified else 0.0)

    def keys(self, prefix: str = "") -> Iterator[str]:
        folder = prefix[: prefix.rfind("/") + 1]
        if re.search(r"(\A|/)\.{0,2}(/|\Z)", folder[:-1] or "x") or "\0" in prefix:
            return  # no key begins like this
        yield from sorted(
            key for key in self._call(folder, lambda: self._list(folder)) if key.startswith(prefix)
        )

    def delete(self, key: str) -> None:
        check_key(key)
        if not self.place.scheme.bucket and self.stat(key) is None:
            return  # WebDAV would delete a folder with all that is in it
        self._call(key, lambda: self._operator().delete(key))

    def signed(self, keys: Sequence[str], seconds: int) -> Sequence[str]:
        """See `SupportsSigning`."""
        if not self._plain.capability().presign_read:
            return ()
        operator = self._plain.to_async_operator()

        async def sign() -> list[str]:
            found = [await operator.presign_read(check_key(key), seconds) for key in keys]
            return [each.url for each in found if each.method == "GET"]

        with ThreadPoolExecutor(1) as pool:
            try:
                urls = pool.submit(lambda: asyncio.run(sign())).result()
            except Exception as error:
                raise translated(error, self.place, "") from None
        return urls if len(urls) == len(keys) else ()

    def close(self) -> None:
        with self._lock:
            self._with_timeout.clear()

    def _check_size(self, key: str, data: bytes) -> None:
        check_key(key)
        limit = self.facts.max_object
        if limit is not None and len(data) > limit:
            raise InvalidInput("object-too-large", f"{key} has {len(data)} bytes")

    def _operator(self, size: int = 0) -> Any:
        """The operator that gives up a request after the timeout, later for large uploads."""
        steps = 1 + int(size / _SLOWEST / self._timeout)
        with self._lock:
            if steps not in self._with_timeout:
                timeout = steps * self._timeout
                layer = self._layers.TimeoutLayer(timeout=timeout, io_timeout=timeout)
                self._with_timeout[steps] = self._plain.layer(layer)
            return self._with_timeout[steps]

    def _call(self, key: str, work: Callable[[], T]) -> T:
        _check_process()
        patience = self._patience if self._has_met else min(self._patience, _FIRST_PATIENCE)
        try:
            done = patiently(work, is_passing, patience)
        except ModelyardError:
            self._has_met = True
            raise
        except Exception as error:
            self._has_met = self._has_met or not is_passing(error)
            raise translated(error, self.place, key) from None
        self._has_met = True
        return done

    def _write(self, key: str, data: bytes, **options: Any) -> None:
        size = len(data)
        if size > 2 * self._part and self._can_part:
            options.update(chunk=self._part, concurrent=4)
            size = self._part * 4
        self._operator(size).write(key, bytes(data), **options)

    def _file(self, key: str) -> Any:
        """What the service tells of an object; `NotFound` `no-object` for a folder."""
        found = self._operator().stat(key)
        if found.is_dir:
            raise NotFound("no-object", f"the store has no object {key}")
        return found

    def _size(self, key: str) -> int:
        return int(self._file(key).content_length)

    def _get(self, key: str, start: int, end: int | None) -> bytes:
        if end is None or end <= start:
            size = self._size(key)
            if end is not None and end > size:
                raise Corrupt("short-object", f"{key} ends before byte {end}")
            end = size if end is None else end
        return self._read(key, start, end)

    def _read(self, key: str, start: int, end: int) -> bytes:
        if end <= start:
            return b""
        try:
            data: bytes = self._operator().read(key, offset=start, size=end - start)
        except Exception as error:
            if is_long(error):  # the service sent all of it, as some WebDAV servers always do
                return self._whole(key, end)[start:end]
            if not is_short(error):
                raise
            if self._size(key) < end:
                raise Corrupt("short-object", f"{key} ends before byte {end}") from None
            raise Again("the answers are shorter than what was asked for") from None
        return data

    def _whole(self, key: str, end: int) -> bytes:
        data: bytes = self._operator().read(key)
        if len(data) != self._size(key):
            raise Again("the answers are shorter than what was asked for")
        if len(data) < end:
            raise Corrupt("short-object", f"{key} ends before byte {end}")
        return data

    def _list(self, folder: str) -> list[str]:
        """All keys below a folder, unsorted; a list that fails begins anew.

        OpenDAL's RetryLayer would go on with the next page, and end early without a word (WebDAV).
        Its list for threads holds Python's lock while it waits; the one for coroutines doesn't, so
        that one runs, in a loop of its own.
        """
        operator = self._operator().to_async_operator()

        async def walk() -> list[str]:
            entries = await operator.list(folder, recursive=True)
            return [entry.path async for entry in entries if not entry.path.endswith("/")]

        with ThreadPoolExecutor(1) as pool:
            try:
                return pool.submit(lambda: asyncio.run(walk())).result()
            except Exception as error:
                if not is_missing(error):
                    raise
        if self.place.scheme.bucket:
            raise no_bucket(self.place)  # a prefix without objects would be an empty list
        return []

    def _has_arrived(self, key: str, data: bytes) -> bool:
        """Whether the service has what was sent: as many bytes and, where it tells, their MD5.

        A sum of 32 letters may be something else (S3 with KMS, some WebDAV): then the object is
        read back once, and sums are not looked at any more.
        """
        found = self._find(key)
        if found is None or found.content_length != len(data):
            return False
        told = _md5_told(found) if self._tells_md5 else None
        if told is None or told == _md5(data):
            return True
        if self._read(key, 0, len(data)) != data:
            return False
        self._tells_md5 = False
        return True

    def _is_proven(self, key: str, data: bytes) -> bool:
        """Whether an earlier try surely arrived."""
        found = self._find(key)
        return (
            found is not None
            and found.content_length == len(data)
            and _md5_told(found) == _md5(data)
        )

    def _find(self, key: str) -> Any:
        """As `_file`, and None if there is none."""
        try:
            return self._file(key)
        except Exception as error:
            if is_missing(error):
                return None
            raise


_process = 0
"""The process that OpenDAL's threads live in; 0 before they do."""


def _check_process() -> None:
    """A forked process has none of OpenDAL's threads: it would wait for them for ever."""
    global _process
    _process = _process or os.getpid()
    if _process != os.getpid():
        raise Unsupported(
            "forked-process", "object stores can't be used in a forked process",
            hint="multiprocessing.set_start_method('spawn')",
        )  # fmt: skip


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _md5_told(found: Any) -> str | None:
    """What looks like an MD5 in the service's answer: in its ETag, else in Content-MD5."""
    etag = (found.etag or "").strip('"').lower()
    if re.fullmatch("[0-9a-f]{32}", etag):
        return str(etag)
    try:
        sum_ = base64.b64decode(found.content_md5 or "", validate=True)
    except ValueError:
        return None
    return sum_.hex() if len(sum_) == 16 else None
