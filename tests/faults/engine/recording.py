"""What a process asked of the system, in order, with every byte: read from strace's words.

Only what changes files or makes changes durable is kept, and only below one folder. SQLite's writes
are seen as ours are; its `-shm` file is memory shared between processes, and left out.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Event", "record", "told"]

_CALLS = (
    "open,openat,creat,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,rename,renameat,"
    "renameat2,unlink,unlinkat,ftruncate,truncate,mkdir,mkdirat,rmdir,lseek,dup,dup2,dup3,"
    "link,linkat,fallocate,sync_file_range"
)
_LINE = re.compile(r"(?:(\d+) +)?(.*)", re.DOTALL)
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+)(.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)", re.DOTALL)
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(r"(?:AT_FDCWD|\d+)<((?:\\x[0-9a-f]{2})*)>(\(deleted\))?")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Event:
    """One change, or one step of making changes durable."""

    what: str
    """`create mkdir write size rename unlink sync-begin sync-end tell`."""
    path: str = ""
    """Absolute; the old one of a rename."""
    to: str = ""
    at: int = 0
    """Offset of a write, size of a truncation, number of a sync."""
    data: bytes = b""

    def __str__(self) -> str:
        name = Path(self.path).name
        return f"{self.what} {Path(name).suffix or name}"


def record(words: list[str], log: Path, below: Path, **environment: str) -> list[Event]:
    """Run a Python module under strace; gives its events below a folder.

    A line written to a file named `acks` is a `tell`.
    """
    command = [
        "strace", "--seccomp-bpf", "-f", "-y", "-xx", "-v", "-s", "100000000",
        "-e", f"trace={_CALLS}", "-e", "signal=none", "-o", str(log), sys.executable, *words,
    ]  # fmt: skip
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
    )
    if done.returncode != 0:
        raise RuntimeError(f"{words}: {done.stderr[-2000:]}")
    with log.open() as lines:
        events = [e for e in _Reader().events(lines) if _is_below(e, str(below))]
    log.unlink()
    return events


def _is_below(event: Event, folder: str) -> bool:
    if event.path.endswith("-shm"):
        return False
    return event.path == folder or event.path.startswith(folder + "/") or event.what == "tell"


class _Reader:
    """Keeps what the lines do not say: where descriptors stand, and calls that are under way."""

    def __init__(self) -> None:
        self._offsets: dict[str, int] = {}
        self._waiting: dict[str, tuple[str, int]] = {}
        self._syncs = 0

    def events(self, lines: Iterator[str]) -> Iterator[Event]:
        for line in lines:
            match = _LINE.match(line.rstrip("\n"))
            assert match is not None
            thread, text = match[1] or "", match[2]
            if text.endswith("<unfinished ...>"):
                start = text[: -len("<unfinished ...>")]
                number = 0
                if start.startswith(("fsync(", "fdatasync(")):
                    number = self._next_sync()
                    yield Event("sync-begin", _place(start.partition("(")[2]), at=number)
                self._waiting[thread] = (start, number)
                continue
            number = 0
            if (resumed := _RESUMED.match(text)) is not None:
                start, number = self._waiting.pop(thread)
                text = start + resumed[2]
            call = _CALL.match(text)
            if call is not None and int(call[3]) >= 0:
                yield from self._happened(call[1], call[2], int(call[3]), call[4], number)

    def _next_sync(self) -> int:
        self._syncs += 1
        return self._syncs

    def _happened(
        self, call: str, given: str, result: int, rest: str, number: int
    ) -> Iterator[Event]:
        if call in ("open", "openat", "creat"):
            yield from self._opened(given, result)
        elif call in ("fsync", "fdatasync"):
            path = _place(given)
            if not number:
                number = self._next_sync()
                yield Event("sync-begin", path, at=number)
            yield Event("sync-end", path, at=number)
        elif call in ("write", "writev", "pwrite64", "pwritev", "pwritev2"):
            yield from self._written(call, given, result)
        elif call == "lseek":
            self._offsets[_number(given)] = result
        elif call in ("ftruncate", "truncate"):
            yield Event("size", _place(given), at=int(given.rsplit(", ", 1)[1]))
        elif call in ("rename", "renameat", "renameat2"):
            old, new = _paths(given)
            yield Event("rename", old, new)
        elif call in ("unlink", "unlinkat", "rmdir"):
            yield Event("unlink", _paths(given)[0])
        elif call in ("mkdir", "mkdirat"):
            yield Event("mkdir", _paths(given)[0])
        else:
            raise RuntimeError(f"{call} is not understood: {given[:200]} {rest[:100]}")

    def _opened(self, given: str, result: int) -> Iterator[Event]:
        self._offsets[str(result)] = 0
        path = _paths(given)[0]
        if "O_CREAT" in given:
            yield Event("create", path)
        if "O_TRUNC" in given:
            yield Event("size", path, at=0)
        if "O_APPEND" in given and not path.endswith("acks"):
            raise RuntimeError(f"{path} is appended to by the system")

    def _written(self, call: str, given: str, result: int) -> Iterator[Event]:
        descriptor = _DESCRIPTOR.search(given)
        if descriptor is None or descriptor[2] or result == 0:
            return
        path = _bytes(descriptor[1]).decode()
        data = b"".join(_bytes(text) for text in _TEXT.findall(given[descriptor.end() :]))
        number = _number(given)
        if call.startswith("p"):
            at = int(given.rsplit(", ", 1)[1])
        else:
            at = self._offsets.get(number, 0)
            self._offsets[number] = at + result
        if path.endswith("/acks"):
            yield Event("tell", data=data)
        else:
            yield Event("write", path, at=at, data=data[:result])


def told(event: Event) -> tuple:
    """What a `tell` says."""
    return tuple(json.loads(event.data))


def _bytes(hexadecimal: str) -> bytes:
    return bytes.fromhex(hexadecimal.replace("\\x", ""))


def _number(given: str) -> str:
    match = _NUMBER.match(given)
    return match[0] if match else ""


def _place(given: str) -> str:
    """The path of a descriptor."""
    descriptor = _DESCRIPTOR.match(given)
    if descriptor is None:
        return _paths(given)[0]
    return "" if descriptor[2] else _bytes(descriptor[1]).decode()


def _paths(given: str) -> list[str]:
    """Every named path, made absolute by the folder before it."""
    found, folder, at = [], "", 0
    for match in re.finditer(f"{_DESCRIPTOR.pattern}|{_TEXT.pattern}", given[at:]):
        if match[3] is None:
            folder = _bytes(match[1]).decode()
        else:
            found.append(os.path.normpath(os.path.join(folder, _bytes(match[3]).decode())))
            folder = ""
    return found
