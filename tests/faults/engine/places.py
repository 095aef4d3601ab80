"""Where a victim can be hurt: every call of its own that changes the disk or the catalog.

The calls of `os` and the statements of SQLAlchemy are wrapped in the victim's process, counted, and
at the n-th something happens. What SQLite itself asks of the system is not seen here: `disks` hurts
that, by strace and by a small disk that is really full.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine.default import DefaultDialect

from modelyard.core.sqlite import sqlite3

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Injury", "Places"]

WRITES = ("write", "writev", "pwrite", "pwritev")
SYNCS = ("fsync", "fdatasync")
NAMES = ("rename", "replace", "unlink", "mkdir", "rmdir", "link", "symlink")
_SQL = ("do_execute", "do_executemany", "do_commit")
_CHANGES = ("INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "BEGIN I", "REPLACE")


@dataclass(frozen=True)
class Injury:
    """What happens at the n-th place, and whether it goes on."""

    what: str
    """`kill-before`, `kill-after`, `kill-half`, `short`, `lie`, `clock`, or an error's name."""
    at: int
    lasting: bool = False
    """Whether every later place fails too, as on a disk that stays full."""
    ahead: float = 0.0
    """Seconds by which the clock is wrong: from the place on if `what` is `clock`, else always."""


class Places:
    """Wraps the calls for the rest of the process's life; `heal` lets all pass again."""

    def __init__(
        self, injury: Injury | None, tell: Callable[[tuple], None], roots: tuple[str, ...]
    ) -> None:
        self.count = 0
        self.seen: list[str] = []
        self._injury = injury
        self._tell = tell
        self._roots = roots
        self._unsynced: dict[tuple[int, int], int] = {}
        self._pid = os.getpid()

    def begin(self) -> None:
        if self._injury is not None and self._injury.ahead and self._injury.what != "clock":
            step_clock(self._injury.ahead)
        for name in (*WRITES, *SYNCS, *NAMES, "ftruncate", "truncate", "open"):
            setattr(os, name, self._system_call(name, getattr(os, name)))
        for dialect in _dialects(DefaultDialect):
            for name in _SQL:
                if name in vars(dialect):
                    setattr(dialect, name, self._statement(name, vars(dialect)[name]))

    def heal(self) -> None:
        self._injury = None

    def _hit(self, place: str) -> str | None:
        """What happens here."""
        if os.getpid() != self._pid:
            return None
        self.count += 1
        self.seen.append(place)
        injury = self._injury
        if injury is None or self.count < injury.at:
            return None
        if self.count > injury.at and not injury.lasting:
            return None
        if self.count == injury.at:
            self._tell(("hurt", place))
        if injury.what == "clock":
            step_clock(injury.ahead)
            return None
        return injury.what

    def _system_call(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **rest: Any) -> Any:
            if name == "open" and not args[1] & os.O_CREAT:
                return original(*args, **rest)
            path = _path_of(args[0], rest.get("dir_fd"))
            if not path.startswith(self._roots):
                return original(*args, **rest)
            what = self._hit(f"{name} {_kind_of(path)}")
            if name in WRITES:
                self._note_write(args[0], args[2] if name.startswith("p") else None)
            if what is None:
                result = original(*args, **rest)
                if name in SYNCS:
                    self._unsynced.pop(_identity(args[0]), None)
                return result
            return self._hurt(what, name, original, args, rest)

        return call

    def _hurt(
        self, what: str, name: str, original: Callable[..., Any], args: tuple, rest: dict
    ) -> Any:
        is_write = name in WRITES
        if what.startswith("kill"):
            try:
                if what == "kill-half" and is_write:
                    original(args[0], _half(args[1]), *args[2:])
                elif what != "kill-before":
                    original(*args, **rest)
            finally:
                os.kill(os.getpid(), signal.SIGKILL)
        if what == "short":
            given = (args[0], _half(args[1]), *args[2:]) if is_write else args
            return original(*given, **rest)
        if what == "lie":
            return self._lie(name, original, args, rest)
        number = getattr(errno, what)
        if name in SYNCS and number == errno.EIO:
            self._drop(args[0])
        raise OSError(number, os.strerror(number), args[0] if isinstance(args[0], str) else None)

    def _lie(self, name: str, original: Callable[..., Any], args: tuple, rest: dict) -> Any:
        """Say that bytes were written, and leave zeros."""
        if name not in WRITES:
            return original(*args, **rest)
        size = sum(len(part) for part in _parts(args[1]))
        return original(args[0], _like(args[1], bytes(size)), *args[2:])

    def _note_write(self, descriptor: int, start: int | None) -> None:
        at = os.lseek(descriptor, 0, os.SEEK_CUR) if start is None else start
        key = _identity(descriptor)
        self._unsynced[key] = min(self._unsynced.get(key, at), at)

    def _drop(self, descriptor: int) -> None:
        """After a failed fsync the system forgets the pages: what was not durable is gone."""
        start = self._unsynced.pop(_identity(descriptor), None)
        end = os.fstat(descriptor).st_size
        if start is not None and start < end:
            with open(f"/proc/self/fd/{descriptor}", "r+b", buffering=0) as file:
                file.seek(start)
                file.write(bytes(end - start))

    def _statement(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(dialect: Any, *args: Any, **rest: Any) -> Any:
            text = "COMMIT" if name == "do_commit" else str(args[1]).lstrip()
            if name != "do_commit" and not text.startswith(_CHANGES):
                return original(dialect, *args, **rest)
            if name == "do_commit" and not getattr(args[0], "in_transaction", True):
                return original(dialect, *args, **rest)
            what = self._hit("sql " + " ".join(text.split()[:3]))
            if what is None or what in ("short", "lie"):
                return original(dialect, *args, **rest)
            if what.startswith("kill"):
                if what != "kill-before":
                    original(dialect, *args, **rest)
                os.kill(os.getpid(), signal.SIGKILL)
            full = what in ("ENOSPC", "EDQUOT")
            raise sqlite3.OperationalError("database or disk is full" if full else "disk I/O error")

        return call


def step_clock(seconds: float) -> None:
    """From now on, this process takes it to be so much later, or earlier."""
    real, real_ns = time.time, time.time_ns
    time.time = lambda: real() + seconds
    time.time_ns = lambda: real_ns() + int(seconds * 1e9)


def _dialects(base: type) -> list[type]:
    found = [base]
    for child in base.__subclasses__():
        found += _dialects(child)
    return found


def _parts(given: Any) -> list[Any]:
    return [given] if isinstance(given, bytes | bytearray | memoryview) else list(given)


def _like(given: Any, content: bytes) -> Any:
    return content if isinstance(given, bytes | bytearray | memoryview) else [content]


def _half(given: Any) -> Any:
    joined = b"".join(bytes(part) for part in _parts(given))
    return _like(given, joined[: max(len(joined) // 2, 1)])


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _path_of(place: Any, folder: int | None = None) -> str:
    if isinstance(place, int):
        path = os.readlink(f"/proc/self/fd/{place}")
        return path if path.startswith("/") else f"/dev/{path}"
    path = os.fsdecode(place)
    return path if folder is None else f"{os.readlink(f'/proc/self/fd/{folder}')}/{path}"


def _kind_of(place: str) -> str:
    """What sort of file it is, so that places can be counted by name."""
    path = Path(place)
    for folder in ("packs", "journal", "backups"):
        if folder in path.parts:
            return "pack" if path.suffix == ".pack" else f"{folder}{path.suffix}"
    return path.name if path.name.startswith(("catalog", "yard")) else f"*{path.suffix}"
