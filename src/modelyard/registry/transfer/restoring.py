"""A yard made from a backup, or from the newest dump in a store."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import blake3
import sqlalchemy as sa

from modelyard.catalog.schema import model, pack
from modelyard.core.transfer import BackedUp
from modelyard.core.version import Progress
from modelyard.errors import Conflict, Corrupt, Denied, NotFound, Unavailable
from modelyard.registry.house import create_house
from modelyard.registry.settings import CATALOG, STORE, Settings
from modelyard.registry.transfer.backup import DUMP, HEAD, TAIL_SIZE, tail
from modelyard.registry.transfer.dump import load_dump, read_dump
from modelyard.registry.transfer.schedule import newest_dump
from modelyard.store.interface import check_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelyard.registry.house import House
    from modelyard.store.interface import Backend

__all__ = ["restore", "restore_backup", "restore_dump"]

_PIECE = 16 << 20
_LARGEST_HEAD = 256 << 20


class _Packs(Protocol):
    """Where a yard's bytes come from."""

    dump_name: str
    sealed: bool
    total: int

    def dump(self) -> bytes: ...

    def need(self, packs: list[tuple[str, str, int]]) -> None:
        """What the dump says is needed."""

    def packs(self) -> Iterator[tuple[str, bytes]]: ...


def restore(
    source: Path | str,
    path: Path | str,
    *,
    author: str,
    store: str | None,
    catalog: str | None,
    key: str | None,
    report: Callable[[Progress], None] | None,
) -> BackedUp:
    """A yard of a backup's file, or of the newest dump in a store: a folder, or a URL."""
    if key is not None and not key.startswith("env:"):
        key = str(Path(key).expanduser().absolute())
    settings = Settings(store=store or STORE, catalog=catalog or CATALOG, key=key)
    root, told = Path(path).expanduser().absolute(), report or (lambda _progress: None)
    place = Path(source).expanduser().absolute()
    if "://" not in str(source) and not place.is_dir():
        return restore_backup(place, root, settings, author, told)
    from modelyard.store.opening import open_backend

    backend = open_backend(str(source) if "://" in str(source) else str(place), folder=root)
    try:
        return restore_dump(backend, root, settings, author, told)
    finally:
        backend.close()


def restore_backup(
    file: Path, root: Path, settings: Settings, author: str, report: Callable[[Progress], None]
) -> BackedUp:
    """Make a yard in an empty folder. Corrupt: `bad-backup`, and then nothing was made."""
    started = time.monotonic()
    try:
        with file.open("rb") as opened:
            size = _check_digest(opened, file, report)
            source = _File(opened, file, size)
            versions = _restore(source, root, settings, author, report)
    except FileNotFoundError:
        raise NotFound("no-file", f"there is no file {file}") from None
    except PermissionError:
        raise Denied("no-permission", f"{file} can't be read") from None
    except OSError as error:
        raise Unavailable("source-io", f"{file}: {error.strerror}") from error
    return BackedUp(
        file=str(file), packs=len(source.sizes), versions=versions, bytes=size,
        sealed=source.sealed, seconds=round(time.monotonic() - started, 3),
    )  # fmt: skip


def restore_dump(
    backend: Backend,
    root: Path,
    settings: Settings,
    author: str,
    report: Callable[[Progress], None],
) -> BackedUp:
    """Make a yard of a store as of its newest dump; the store itself is only read."""
    started = time.monotonic()
    key = newest_dump(backend)
    if key is None:
        raise NotFound("no-dump", "the store holds no dump of a catalog",
                       hint="yard verify --rebuild needs none")  # fmt: skip
    source = _Store(backend, key)
    versions = _restore(source, root, settings, author, report)
    return BackedUp(
        file=key, packs=source.count, versions=versions, bytes=source.total, sealed=source.sealed,
        seconds=round(time.monotonic() - started, 3),
    )  # fmt: skip


def _restore(
    source: _Packs,
    root: Path,
    settings: Settings,
    author: str,
    report: Callable[[Progress], None],
) -> int:
    was_there = root.exists()
    house = create_house(root, author, settings)
    try:
        dump = _opened(house, source)
        source_head, tables = read_dump(dump)
        for _ in tables:
            pass  # all of it can be read
        source.need(source_head.packs)
        _refuse_filled(house)
        done = 0
        for key, content in source.packs():
            house.backend.put(key, content)
            done += len(content)
            report(Progress("restore", done, source.total))
        house.catalog.write(lambda connection: load_dump(connection, dump))
        house.pair(anew=True)
    except BaseException:
        house.close()
        _take_back(root, was_there=was_there)
        raise
    house.close()
    return source_head.versions


def _opened(house: House, source: _Packs) -> bytes:
    dump = source.dump()
    if not source.sealed:
        if house.vault is not None:
            raise Conflict(
                "not-sealed", "the backup is not encrypted, the yard would be",
                hint="restore it without a key, then mirror it into an encrypted yard",
            )  # fmt: skip
        return dump
    if house.vault is None:
        raise Denied("no-key", "the backup is encrypted", hint="give its key: --key FILE")
    return house.vault.open_object(source.dump_name, dump)


def _refuse_filled(house: House) -> None:
    with house.catalog.read() as connection:
        counts = [
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (model, pack)
        ]
    if any(counts) or any(True for _ in house.backend.keys("packs/")):
        raise Conflict("yard-not-empty", "the store or the catalog holds a yard already",
                       hint="name another place")  # fmt: skip


def _take_back(root: Path, *, was_there: bool) -> None:
    """Nothing is left of a yard that did not come to be."""
    for entry in list(root.iterdir()) if root.is_dir() else []:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    if not was_there:
        shutil.rmtree(root, ignore_errors=True)


# -- sources -------------------------------------------------------------------------------------


def _check_digest(opened: BinaryIO, file: Path, report: Callable[[Progress], None]) -> int:
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


class _File:
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
class _Store:
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
