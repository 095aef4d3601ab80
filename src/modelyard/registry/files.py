"""Bytes of a version: whole checkouts, single files, single tensors."""

from __future__ import annotations

import fcntl
import io
import os
import secrets
import shutil
import time
from typing import TYPE_CHECKING, BinaryIO, cast

from modelyard.catalog.queries import blobs
from modelyard.core.digest import Digest
from modelyard.core.globs import matches
from modelyard.core.listing import listed
from modelyard.core.merge import EXECUTABLE, SYMLINK, Entry, is_hidden
from modelyard.core.version import CheckedOut, Progress
from modelyard.errors import Conflict, Corrupt, Denied, InvalidInput, NotFound, Unavailable
from modelyard.formats import read_tensor
from modelyard.history.paths import check_symlink
from modelyard.history.trees import read_tree
from modelyard.registry.blobs import blobs_ahead, open_blob
from modelyard.registry.inspections import inspection_of
from modelyard.registry.lookup import find_model, find_version
from modelyard.registry.objects import ModelObjects
from modelyard.store.extract import BlobFile
from modelyard.store.interface import NO_ROOM
from modelyard.store.local import write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from modelyard.catalog.queries.blobs import BlobRow
    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.core.merge import Tree
    from modelyard.registry.desk import Shelf
    from modelyard.registry.house import House
    from modelyard.store.fetch import Ahead

__all__ = ["Contents", "checked_out_branch", "checkout", "contents", "open_file", "tensor"]

_BUFFER = 1 << 17


class Contents:
    """A version's files: what git holds and what the store holds."""

    def __init__(
        self, model: ModelRow, version: VersionRow, tree: Tree, rows: Mapping[bytes, BlobRow]
    ) -> None:
        self.model = model
        self.version = version
        self.all_files = tree
        self.tree = {path: entry for path, entry in tree.items() if not is_hidden(path)}
        self._rows = rows

    @property
    def title(self) -> str:
        return f"{self.model.name}@{self.version.number}"

    def blob(self, entry: Entry) -> BlobRow:
        """The stored blob of a file that git does not hold itself."""
        row = self._rows.get(entry.digest.raw)
        if row is None:
            raise Corrupt(
                "blob-lost", f"blob {entry.digest.hex[:12]} of {self.title} is not in the store",
                hint="yard verify tells the extent",
            )  # fmt: skip
        return row


def contents(house: House, model: str, revision: str | int | None) -> Contents:
    """Look up a version and read its tree."""
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        version = find_version(connection, row, revision)
    return contents_of(house, row, version)


def contents_of(house: House, model: ModelRow, version: VersionRow) -> Contents:
    """The files of a version whose row is known."""
    tree = read_tree(version.tree_id, ModelObjects(house, model.id))
    digests = {entry.digest.raw for entry in tree.values() if entry.inline is None}
    with house.catalog.read() as connection:
        rows = blobs.by_digest(connection, digests)
    return Contents(model, version, tree, rows)


def open_file(shelf: Shelf, found: Contents, path: str) -> BinaryIO:
    """A seekable file object that fetches only what is read."""
    entry = found.tree.get(path)
    if entry is None:
        raise NotFound("no-file", f"{found.title} has no file {path}", hint="yard show lists them")
    if entry.inline is not None:
        return io.BytesIO(entry.inline)
    raw = BlobFile(open_blob(shelf, found.blob(entry)))
    return cast("BinaryIO", io.BufferedReader(raw, _BUFFER))


def tensor(shelf: Shelf, found: Contents, name: str) -> np.ndarray:
    """One tensor, by `name` or `file:name`."""
    matches_of = [
        (path, row, inspection, info)
        for path, entry in found.tree.items()
        if entry.inline is None and (row := found.blob(entry)).inspection_id is not None
        for inspection in [inspection_of(shelf, row)]
        for info in inspection.tensors
        if name in (info.name, f"{path}:{info.name}")
    ]
    if not matches_of:
        raise NotFound(
            "no-tensor", f"{found.title} has no tensor {name}", hint="yard show lists them"
        )
    if len({path for path, *_ in matches_of}) > 1:
        files = ", ".join(sorted({path for path, *_ in matches_of}))
        raise InvalidInput("ambiguous-tensor", f"{name} is in {files}", hint="say FILE:TENSOR")
    path, row, inspection, info = matches_of[0]
    with io.BufferedReader(BlobFile(open_blob(shelf, row)), _BUFFER) as file:
        return read_tensor(cast("BinaryIO", file), path, inspection, info)


def checkout(
    shelf: Shelf,
    found: Contents,
    dest: Path,
    globs: Sequence[str],
    report: Callable[[Progress], None],
    branch: str | None = None,
) -> CheckedOut:
    """Write files into a folder, whole or not at all; what is there already stays."""
    started = time.monotonic()
    wanted = {p: e for p, e in found.tree.items() if not globs or matches(p, globs)}
    if globs and not wanted:
        raise NotFound("no-file", f"{found.title} has no file like {' '.join(globs)}")
    try:
        writer = _Writer(shelf, found, dest, wanted, report)
        writer.run()
    except PermissionError as error:
        raise Denied("no-permission", f"{error.filename} can't be written") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise Conflict("dest-not-empty", f"{error.filename} is in the way") from None
    except OSError as error:
        kind = "disk-full" if error.errno in NO_ROOM else "dest-io"
        raise Unavailable(kind, f"{error.filename or dest}: {error.strerror}") from error
    return CheckedOut(
        model=found.model.name,
        number=found.version.number,
        commit=found.version.commit_id.hex(),
        branch=branch,
        dest=str(dest),
        files=len(wanted),
        size=sum(entry.size for entry in wanted.values()),
        seconds=round(time.monotonic() - started, 3),
    )


def checked_out_branch(here: Sequence[str], revision: str | int | None) -> str | None:
    """The branch that was asked for by name, or the one that ends `here`."""
    if str(revision) in here:
        return str(revision)
    if revision is None or revision in ("latest", "HEAD"):
        return "main" if "main" in here else (here[0] if here else None)
    return None


class _Writer:
    """Files go beside their places first, and are renamed when all are there."""

    def __init__(
        self,
        shelf: Shelf,
        found: Contents,
        dest: Path,
        wanted: Tree,
        report: Callable[[Progress], None],
    ) -> None:
        self._shelf = shelf
        self._found = found
        self._dest = dest
        self._wanted = wanted
        self._report = report
        self._is_far = not shelf.reader.backend.facts.is_local
        self._lock = -1
        self._done = 0
        self._total = sum(entry.size for entry in wanted.values())

    def run(self) -> None:
        missing = self._missing()
        new_folder = not self._dest.exists()
        self._dest.mkdir(parents=True, exist_ok=True)
        room = self._room()
        try:
            parts = {path: room / str(i) for i, path in enumerate(sorted(self._found.tree))}
            wanted = [p for p in missing if self._wanted[p].inline is None]
            rows = [self._found.blob(self._wanted[p]) for p in wanted if not parts[p].exists()]
            with blobs_ahead(self._shelf, rows) as ahead:
                for path in missing:
                    self._write(parts[path], path, ahead)
            for path in missing:
                place = self._dest / path
                place.parent.mkdir(parents=True, exist_ok=True)
                os.rename(parts[path], place)
        except BaseException as error:
            goes_on = isinstance(error, Unavailable | KeyboardInterrupt)
            if not (self._is_far and goes_on):  # else the next run takes it up
                shutil.rmtree(room, ignore_errors=True)
                if new_folder:
                    shutil.rmtree(self._dest, ignore_errors=True)
            raise
        finally:
            if self._lock >= 0:
                os.close(self._lock)
        shutil.rmtree(room, ignore_errors=True)

    def _room(self) -> Path:
        """A folder for what is not whole yet; from far away, the one that a run before left."""
        if self._is_far:
            kept = self._dest / f".yard-{self._found.version.commit_id.hex()[:12]}.part"
            kept.mkdir(exist_ok=True)
            lock = os.open(kept, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # another run is at it
                os.close(lock)
            else:
                self._lock = lock
                return kept
        room = self._dest / f".yard-{secrets.token_hex(6)}.part"
        room.mkdir()
        return room

    def _missing(self) -> list[str]:
        """Files to write; those that lie there already with the same content need not be."""
        missing, different = [], []
        for path, entry in self._wanted.items():
            place = self._dest / path
            if self._blocked(path):
                different.append(path)
            elif not os.path.lexists(place):
                missing.append(path)
            elif not same_file(place, entry):
                different.append(path)
        if different:
            shown = listed(different, 5)
            raise Conflict(
                "dest-not-empty", f"{self._dest} holds other files: {shown}",
                hint="name a new folder; yard pull brings a checkout to another version",
            )  # fmt: skip
        return missing

    def _blocked(self, path: str) -> bool:
        """Whether a folder on the way is a link or a file: we never write through one."""
        place = self._dest
        for part in path.split("/")[:-1]:
            place = place / part
            if place.is_symlink() or (place.exists() and not place.is_dir()):
                return True
        return False

    def _write(self, part: Path, path: str, ahead: Ahead | None) -> None:
        entry = self._wanted[path]
        if entry.mode == SYMLINK:
            check_symlink(path, entry.inline)
            part.unlink(missing_ok=True)
            os.symlink(os.fsdecode(entry.inline or b""), part)
            return
        mode = 0o755 if entry.mode == EXECUTABLE else 0o644
        begun = self._lock >= 0 and part.is_file() and entry.inline is None
        if not begun:
            part.unlink(missing_ok=True)
        flags = os.O_RDWR | os.O_NOFOLLOW | (0 if begun else os.O_CREAT | os.O_EXCL)
        descriptor = os.open(part, flags, mode)
        try:
            if entry.inline is not None:
                write_all(descriptor, [entry.inline])
                self._count(entry.size)
            else:
                blob = open_blob(self._shelf, self._found.blob(entry), ahead)
                blob.write_to(descriptor, self._shelf.pool, self._count, begun=begun)
        finally:
            os.close(descriptor)

    def _count(self, size: int) -> None:
        self._done += size
        self._report(Progress("write", self._done, self._total))


def same_file(place: Path, entry: Entry) -> bool:
    """Whether a file on the disk has an entry's content."""
    if entry.mode == SYMLINK:
        return place.is_symlink() and os.fsencode(os.readlink(place)) == entry.inline
    if place.is_symlink() or not place.is_file() or place.stat().st_size != entry.size:
        return False
    return digest_of(place) == entry.digest


def digest_of(place: Path) -> Digest:
    """SHA-256 of a file on the disk."""
    import hashlib

    with place.open("rb") as file:
        return Digest(hashlib.file_digest(file, "sha256").digest())
