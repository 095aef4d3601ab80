"""A whole yard in one file: docs/spec/backup-1.md."""

from __future__ import annotations

import json
import os
import secrets
import tarfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import blake3

from modelyard.catalog.queries import chunks, transfer
from modelyard.core.transfer import BackedUp
from modelyard.core.version import Progress
from modelyard.errors import Conflict, Corrupt, Denied, NotFound, Unavailable
from modelyard.registry.transfer.dump import Head, write_dump
from modelyard.store.interface import NO_ROOM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import sqlalchemy as sa

    from modelyard.registry.house import House

__all__ = ["DUMP", "HEAD", "TAIL_SIZE", "TarWriter", "backup", "tail", "writing"]

HEAD, DUMP, _DIGEST = "yard-backup.json", "catalog.dump", "digest.txt"
TAIL_SIZE = 2048
_PIECE = 16 << 20
_LEASE = 3600 * 1_000_000
_BEAT = 600.0
_TRIES = 5


def backup(house: House, file: Path, report: Callable[[Progress], None]) -> BackedUp:
    """Write everything into a file, whole or not at all, while others go on."""
    started = time.monotonic()
    session = f"backup-{secrets.token_hex(12)}"
    try:
        head, dump = _held(house, session)
        sizes = _sizes(house, head)
        name = DUMP
        if house.vault is not None:
            dump = house.vault.seal_object(name, dump)
        told = {
            "format": 1, "time": head.time, "versions": head.versions,
            "sealed": house.vault is not None, "packs": sizes,
        }  # fmt: skip
        with writing(file) as out:
            out.member(HEAD, json.dumps(told).encode())
            out.member(name, dump)
            done, beat = 0, time.monotonic()
            for key, size in sizes.items():
                out.begin(key, size)
                for start in range(0, size, _PIECE):
                    piece = house.backend.get(key, start, min(start + _PIECE, size))
                    out.write(piece)
                    done += len(piece)
                    report(Progress("back up", done, sum(sizes.values())))
                out.end()
                if time.monotonic() - beat > _BEAT:
                    house.index.renew(session)
                    beat = time.monotonic()
            out.finish()
    finally:
        house.index.release(session)
    return BackedUp(
        file=str(file), packs=len(sizes), versions=head.versions, bytes=file.stat().st_size,
        sealed=house.vault is not None, seconds=round(time.monotonic() - started, 3),
    )  # fmt: skip


def _held(house: House, session: str) -> tuple[Head, bytes]:
    """A dump whose packs stay where they are: gc waits for the session."""
    for _ in range(_TRIES):
        with house.catalog.read() as connection:
            head, dump = write_dump(connection, house.catalog.now(connection))
        wanted = {name for name, _, _ in head.packs}

        def work(connection: sa.Connection, wanted: set[str] = wanted) -> bool:
            ids = {name: key for name, key in transfer.packs(connection).items() if name in wanted}
            until = house.catalog.now(connection) + _LEASE
            for key in ids.values():
                chunks.take_lease(connection, session, key, until)
            return len(ids) == len(wanted)

        if house.catalog.write(work):
            return head, dump
    raise Unavailable("busy-store", "gc takes packs all the time", hint="try again")


def _sizes(house: House, head: Head) -> dict[str, int]:
    """How much of each pack belongs to it: what an open one got later is not in the dump."""
    sizes = {}
    for name, state, size in head.packs:
        if state != "open":
            status = house.backend.stat(name)
            if status is None:
                raise Corrupt(
                    "pack-lost", f"pack {name} is not in the store",
                    hint="yard verify tells which versions need it",
                )  # fmt: skip
            size = status.size
        sizes[name] = size
    return sizes


# -- the file ------------------------------------------------------------------------------------


class TarWriter:
    """Plain tar, the same bytes for the same content."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._hash = blake3.blake3()
        self._left = 0
        self._size = 0

    def member(self, name: str, content: bytes, *, mtime: int = 0) -> None:
        self.begin(name, len(content), mtime=mtime)
        self.write(content)
        self.end()

    def begin(
        self,
        name: str,
        size: int,
        *,
        mtime: int = 0,
        mode: int = 0o644,
        kind: bytes = tarfile.REGTYPE,
        link: str = "",
    ) -> None:
        self._put(header(name, size, mtime, mode, kind, link))
        self._left = self._size = size

    def write(self, piece: bytes | memoryview) -> None:
        self._left -= len(piece)
        self._put(piece)

    def end(self) -> None:
        if self._left:
            raise Corrupt("short-object", "what was written is not as long as it should be")
        self._put(bytes(-self._size % 512))

    def finish(self) -> None:
        """End a backup: with the digest of all of it."""
        self._put(tail(self._hash.hexdigest()))
        os.fsync(self._descriptor)

    def close_tar(self) -> None:
        """End any other tar."""
        self._put(bytes(1024))
        os.fsync(self._descriptor)

    def _put(self, data: bytes | memoryview) -> None:
        self._hash.update(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]


def header(
    name: str,
    size: int,
    mtime: int = 0,
    mode: int = 0o644,
    kind: bytes = tarfile.REGTYPE,
    link: str = "",
) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode, info.type, info.linkname = size, mtime, mode, kind, link
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def tail(digest: str) -> bytes:
    """The last `TAIL_SIZE` bytes of a backup: the digest of all before, and the end of the tar."""
    content = f"blake3 {digest}\n".encode()
    return (header(_DIGEST, len(content)) + content).ljust(TAIL_SIZE, b"\0")


@contextmanager
def writing(file: Path, mode: int = 0o600) -> Iterator[TarWriter]:
    """A file that appears when it is whole. Conflict: `file-exists`."""
    if file.exists():
        raise Conflict("file-exists", f"{file} is there already", hint="name another file")
    part = file.with_name(f"{file.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        try:
            yield TarWriter(descriptor)
        finally:
            os.close(descriptor)
        os.rename(part, file)
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _told(file, error) from None
        raise


def _told(file: Path, error: OSError) -> Exception:
    if isinstance(error, FileNotFoundError):
        return NotFound("no-folder", f"there is no folder {file.parent}")
    if isinstance(error, FileExistsError):
        return Conflict("file-exists", f"{file} is there already", hint="name another file")
    if isinstance(error, PermissionError):
        return Denied("no-permission", f"{file} can't be written")
    full = error.errno in NO_ROOM
    return Unavailable("disk-full" if full else "dest-io", f"{file}: {error.strerror}")
