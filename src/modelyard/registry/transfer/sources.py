"""Where a yard that is restored comes from: a backup's file, or a store and its newest dump."""

from __future__ import annotations

import json
import os
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import blake3

from modelyard.core.version import Progress
from modelyard.errors import Corrupt, NotFound
from modelyard.registry.transfer.backup import DUMP, HEAD, TAIL_SIZE, tail
from modelyard.store.interface import check_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modelyard.store.interface import Backend

__all__ = ["FilePacks", "Packs", "StorePacks", "check_digest"]

_PIECE = 16 << 20


class Packs(Protocol):
    """Where a yard's bytes come from."""

    dump_name: str
    sealed: bool
    total: int

    def dump(self) -> bytes: ...

    def need(self, packs: list[tuple[str, str, int]]) -> None:
        """What the dump says is needed."""

    def packs(self) -> Iterator[tuple[str, bytes]]: ...


def check_digest(opened: BinaryIO, file: Path, report: Callable[[Progress], None]) -> int:
    """Read all of it once: a cut or altered file is refused before anything is made."""
    size = os.fstat(opened.fileno()).st_size
    body = size - TAIL_SIZE
    if body <= 0:
        raise _bad(file, "it is cut")
    digest, done = blake3.blake3(), 0
    while done < body:
        piece = opened.read(min(_PIECE, body - done))
        if not piece:
            raise _bad(file, "it became shorter")
        digest.update(piece)
        done += len(piece)
        report(Progress("check", done, body))
    if opened.read() != tail(digest.hexdigest()):
        raise _bad(file, "it is cut or altered")
    opened.seek(0)
    return size


class FilePacks:
    """A backup whose digest is right: yet what it says is not believed."""

    dump_name = DUMP

    def __init__(self, opened: BinaryIO, file: Path, size: int) -> None:
        self._file = file
        self._opened = opened
        self._limit = size - TAIL_SIZE
        self._members = self._walk()
        name, content = next(self._members, ("", b""))
        if name != HEAD:
            raise _bad(file, f"it does not begin with {HEAD}")
        self.sealed, self.sizes = self._head(content)
        self.total = sum(self.sizes.values())

    def _head(self, content: bytes) -> tuple[bool, dict[str, int]]:
        try:
            told: Any = json.loads(content)
            if told["format"] != 1:
                raise _bad(self._file, "it is of a newer modelyard")
            sizes = {check_key(str(key)): int(size) for key, size in told["packs"].items()}
            sealed = bool(told["sealed"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise _bad(self._file, "its head can't be read") from None
        if not all(key.startswith("packs/") for key in sizes):
            raise _bad(self._file, "it holds more than packs")
        return sealed, sizes

    def dump(self) -> bytes:
        name, content = next(self._members, ("", b""))
        if name != DUMP:
            raise _bad(self._file, f"it has no {DUMP}")
        return content

    def need(self, packs: list[tuple[str, str, int]]) -> None:
        if {name for name, _, _ in packs} != self.sizes.keys():
            raise _bad(self._file, "its packs are not those of its catalog")

    def packs(self) -> Iterator[tuple[str, bytes]]:
        seen = set()
        for name, content in self._members:
            if name in seen or self.sizes.get(name) != len(content):
                raise _bad(self._file, f"{name[:80]!r} is not what its head says")
            seen.add(name)
            yield name, content
        if seen != self.sizes.keys():
            raise _bad(self._file, "a pack is missing")

    def _walk(self) -> Iterator[tuple[str, bytes]]:
        while self._opened.tell() < self._limit:
            try:
                info = tarfile.TarInfo.frombuf(self._opened.read(512), "utf-8", "strict")
            except (tarfile.HeaderError, UnicodeDecodeError):
                raise _bad(self._file, "a header in it can't be read") from None
            if info.type != tarfile.REGTYPE or info.size > self._limit - self._opened.tell():
                raise _bad(self._file, "it holds what a backup does not")
            content = self._opened.read(info.size)
            self._opened.read(-info.size % 512)
            yield info.name, content


@dataclass
class StorePacks:
    """A store and its newest dump."""

    backend: Backend
    dump_name: str
    total: int = 0
    count: int = 0
    sealed: bool = False

    def __post_init__(self) -> None:
        self._dump = self.backend.get(self.dump_name)
        self.sealed = not self._dump.startswith(b"yarddump")
        self._needed: list[tuple[str, str, int]] = []

    def dump(self) -> bytes:
        return self._dump

    def need(self, packs: list[tuple[str, str, int]]) -> None:
        self._needed = packs
        self.count = len(packs)

    def packs(self) -> Iterator[tuple[str, bytes]]:
        for name, state, size in self._needed:
            try:
                content = self.backend.get(name, 0, size if state == "open" else None)
            except NotFound:
                raise Corrupt(
                    "pack-lost", f"pack {name} is not in the store any more",
                    hint="yard verify --rebuild uses what is there",
                ) from None  # fmt: skip
            self.total += len(content)
            yield name, content


def _bad(file: Path, reason: str) -> Corrupt:
    return Corrupt("bad-backup", f"{file} can't be used: {reason}", hint="take another backup")
