"""Packs in a folder of this machine: preadv, writev, fsync and rename, nothing between."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import threading
import time
from collections import OrderedDict
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from modelyard.errors import Corrupt, Denied, NotFound, Unavailable
from modelyard.store.interface import NO_ROOM, Facts, Stat, check_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from modelyard.store.codecs.workspace import Bytes

__all__ = ["LocalAppender", "LocalBackend"]

_OPEN_FILES = 64


class LocalBackend:
    """A folder. New objects appear by rename, so that a reader never sees half of one."""

    facts = Facts(max_object=None, is_local=True)

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files: OrderedDict[str, _File] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, key: str, data: bytes) -> None:
        path = self._path(key)
        with _os_errors(key):
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            try:
                try:
                    write_all(descriptor, [data])
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                part.rename(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
            _sync_folder(path.parent, self.root)

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        file = self._open(key)
        with _os_errors(key):
            stop = os.fstat(file.descriptor).st_size if end is None else end
            data = os.pread(file.descriptor, max(stop - start, 0), start)
            while len(data) < stop - start:
                more = os.pread(file.descriptor, stop - start - len(data), start + len(data))
                if not more:
                    raise Corrupt("short-object", f"{key} ends before byte {stop}")
                data += more
        return data

    def read_into(self, key: str, start: int, out: Bytes) -> None:
        file = self._open(key)
        view = out.data
        with _os_errors(key):
            while view:
                count = os.preadv(file.descriptor, [view], start)
                if count == 0:
                    raise Corrupt("short-object", f"{key} ends at byte {start}")
                view, start = view[count:], start + count

    def stat(self, key: str) -> Stat | None:
        with _os_errors(key):
            try:
                status = self._path(key).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return Stat(status.st_size, status.st_mtime) if stat.S_ISREG(status.st_mode) else None

    def keys(self, prefix: str = "") -> Iterator[str]:
        with _os_errors(prefix):
            found = []
            for folder, _, names in os.walk(self.root):
                inside = os.path.relpath(folder, self.root)
                for name in names:
                    key = name if inside == "." else f"{inside}/{name}"
                    if key.startswith(prefix) and not name.endswith(".part"):
                        found.append(key)
        yield from sorted(found)

    def delete(self, key: str) -> None:
        with self._lock:
            self._files.pop(key, None)
        with _os_errors(key), suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
            self._path(key).unlink()

    def append(self, key: str, size: int) -> LocalAppender | None:
        path = self._path(key)
        with _os_errors(key):
            if size == 0:
                path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if size == 0 else 0)
            descriptor = os.open(path, flags, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            if size == 0:
                _sync_folder(path.parent, self.root)
        return LocalAppender(key, descriptor, size)

    def remove_leftovers(self, older_seconds: float = 3600.0) -> int:
        """Delete what interrupted `put`s left behind; tells how many there were."""
        limit, count = time.time() - older_seconds, 0
        for part in self.root.rglob("*.part"):
            with suppress(FileNotFoundError):
                if part.stat().st_mtime < limit:
                    part.unlink()
                    count += 1
        return count

    def close(self) -> None:
        with self._lock:
            self._files.clear()

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    def _open(self, key: str) -> _File:
        with self._lock:
            file = self._files.get(key)
            if file is not None:
                self._files.move_to_end(key)
                return file
        with _os_errors(key):
            file = _File(os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC))
        with self._lock:
            self._files[key] = file
            if len(self._files) > _OPEN_FILES:
                self._files.popitem(last=False)
        return file


class _File:
    """A descriptor that closes when its last reader lets go of it."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self.descriptor)  # kept as a default: at exit the module may be gone before us


class LocalAppender:
    """An open pack under an exclusive lock."""

    def __init__(self, key: str, descriptor: int, size: int) -> None:
        self._key = key
        self._descriptor = descriptor
        self._size = size
        self._is_cut = False

    def write(self, parts: Sequence[bytes | memoryview]) -> None:
        with _os_errors(self._key):
            if not self._is_cut:
                self._cut()
            write_all(self._descriptor, parts)

    def _cut(self) -> None:
        """Drop what a writer left that died here; nobody was told of it."""
        end = os.fstat(self._descriptor).st_size
        if end < self._size:
            raise Corrupt("short-object", f"{self._key} has {end} bytes, not {self._size}")
        if end > self._size:
            os.ftruncate(self._descriptor, self._size)
        os.lseek(self._descriptor, self._size, os.SEEK_SET)
        self._is_cut = True

    def sync(self) -> None:
        with _os_errors(self._key):
            os.fdatasync(self._descriptor)
            if self._is_cut:
                self._size = os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def close(self) -> None:
        """What was not synced is given back: nobody was told of it, and the disk may be full."""
        if self._is_cut:
            with suppress(OSError):
                if os.fstat(self._descriptor).st_size > self._size:
                    os.ftruncate(self._descriptor, self._size)
        os.close(self._descriptor)


def write_all(descriptor: int, parts: Sequence[bytes | memoryview]) -> None:
    """writev until everything is written, also after short writes."""
    rest = [memoryview(part) for part in parts if len(part)]
    while rest:
        count = os.writev(descriptor, rest[:512])
        while rest and count >= len(rest[0]):
            count -= len(rest.pop(0))
        if count:
            rest[0] = rest[0][count:]


def _sync_folder(folder: Path, root: Path) -> None:
    """Make a new name durable, up to the root."""
    while True:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if folder == root or root not in folder.parents:
            return
        folder = folder.parent


@contextmanager
def _os_errors(key: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise NotFound("no-object", f"the store has no object {key}") from None
    except PermissionError as error:
        raise Denied("store-permission", f"{error.filename or key}: {error.strerror}") from None
    except OSError as error:
        kind = "disk-full" if error.errno in NO_ROOM else "store-io"
        hint = "free some space, then run the command again" if kind == "disk-full" else None
        raise Unavailable(kind, f"{key}: {error.strerror}", hint=hint) from error
