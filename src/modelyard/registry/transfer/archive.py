"""Reading an export: only what its head lists, in that order, each byte against its digest."""

from __future__ import annotations

import hashlib
import os
import tarfile
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, NoReturn

import msgspec

from modelyard.core.decoding import decode_json
from modelyard.core.digest import Digest
from modelyard.core.manifest import MANIFEST_PATH, Manifest
from modelyard.core.merge import EXECUTABLE, REGULAR, SYMLINK, Entry
from modelyard.errors import InvalidInput, ModelyardError
from modelyard.history.paths import check_symlink, check_tree
from modelyard.registry.transfer.exporting import FILES, TOLD

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Archive", "ReportTold", "Told"]

_LARGEST_TOLD = 256 << 20
_LARGEST_NAMES = 64 << 10
_LARGEST_REST = 1 << 20
_PIECE = 4 << 20
_MODES = {"100644": REGULAR, "100755": EXECUTABLE, "120000": SYMLINK}


class FileTold(msgspec.Struct, frozen=True):
    path: str
    mode: str
    size: int
    sha256: str


class ReportTold(msgspec.Struct, frozen=True):
    kind: str
    data: str
    digest: str
    suite: str
    created: Annotated[int, msgspec.Meta(ge=0, le=253402300799_000_000)]
    who: str
    content: dict[str, Any]
    outcomes: bytes | None
    """In the file as base64."""


class Told(msgspec.Struct, frozen=True):
    format: int
    model: str
    kind: str
    commit: str
    branch: str
    author: str
    message: str
    time: str
    labels: dict[str, str]
    files: list[FileTold]
    reports: list[ReportTold] = []


class Archive:
    """A tar of which only what its head lists is read, in that order and nothing beside it."""

    def __init__(self, opened: BinaryIO, file: Path) -> None:
        self._opened = opened
        self._file = file
        self._size = os.fstat(opened.fileno()).st_size

    def told(self) -> Told:
        info, _ = self._next()
        if info.name != TOLD or info.size > _LARGEST_TOLD:
            self._refuse(f"it does not begin with {TOLD}")
        try:
            told = decode_json(self._read(info.size), Told)
            if told.format != 1:
                self._refuse("it is of a newer modelyard")
            if len(bytes.fromhex(told.commit)) != 20 or told.kind not in ("model", "dataset"):
                self._refuse("its head can't be read")
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            if isinstance(error, ModelyardError):
                raise
            self._refuse("its head can't be read")
        self._skip(info.size)
        return told

    def unpack(self, told: Told, room: Path) -> Manifest:
        """Write all files below a folder; what they say of themselves comes back."""
        self._check(told)
        manifest = Manifest()
        for file in told.files:
            info, link = self._next()
            if info.name != FILES + file.path:
                self._refuse(f"{info.name[:80]!r} stands where {file.path[:80]!r} should")
            if file.path == MANIFEST_PATH:
                content = self._exactly(file, info.size)
                manifest = Manifest.decode(content)
            elif _MODES[file.mode] == SYMLINK:
                self._link(file, info, link, room)
            else:
                self._write(file, info, room)
            self._skip(info.size)
        rest = self._opened.read(_LARGEST_REST)
        if not 1024 <= len(rest) < _LARGEST_REST or rest.strip(b"\0"):
            self._refuse("it is cut, or holds more than it says")
        return manifest

    def _check(self, told: Told) -> None:
        paths = [file.path for file in told.files]
        if len(set(paths)) < len(paths) or paths != sorted(paths):
            self._refuse("its files are named twice, or are not in order")
        if sum(file.size for file in told.files) > self._size or any(
            file.size < 0 or file.mode not in _MODES for file in told.files
        ):
            self._refuse("its files can't be as it says")
        empty = Digest.of(b"")
        check_tree({path: Entry(REGULAR, empty, 0, None) for path in paths})

    def _link(self, file: FileTold, info: tarfile.TarInfo, link: str, room: Path) -> None:
        target = link.encode("utf-8", "surrogateescape")
        if info.type != tarfile.SYMTYPE or Digest.of(target).hex != file.sha256 or info.size:
            self._refuse(f"{file.path[:80]!r} is not the link that it should be")
        check_symlink(file.path, target)
        place = room / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(os.fsdecode(target), place)

    def _write(self, file: FileTold, info: tarfile.TarInfo, room: Path) -> None:
        if info.type != tarfile.REGTYPE or info.size != file.size:
            self._refuse(f"{file.path[:80]!r} is not the file that it should be")
        place = room / file.path
        for parent in place.relative_to(room).parents:
            if (room / parent).is_symlink():
                self._refuse(f"{file.path[:80]!r} lies behind a link")
        place.parent.mkdir(parents=True, exist_ok=True)
        digest, left = hashlib.sha256(), file.size
        with place.open("xb") as out:
            while left:
                piece = self._read(min(left, _PIECE))
                digest.update(piece)
                out.write(piece)
                left -= len(piece)
        if digest.hexdigest() != file.sha256:
            self._refuse(f"{file.path[:80]!r} was altered")
        place.chmod(0o755 if _MODES[file.mode] == EXECUTABLE else 0o644)

    def _exactly(self, file: FileTold, size: int) -> bytes:
        if size != file.size or size > _LARGEST_TOLD:
            self._refuse(f"{file.path[:80]!r} is not the file that it should be")
        content = self._read(size)
        if Digest.of(content).hex != file.sha256:
            self._refuse(f"{file.path[:80]!r} was altered")
        return content

    # -- tar -------------------------------------------------------------------------------------

    def _next(self) -> tuple[tarfile.TarInfo, str]:
        """The next member's header with its long names: the only extension that is understood."""
        names: dict[str, str] = {}
        info = self._header()
        if info.type == tarfile.XHDTYPE:
            if info.size > _LARGEST_NAMES:
                self._refuse("a name in it is too long")
            names = self._names(self._read(info.size))
            self._skip(info.size)
            info = self._header()
        if info.type not in (tarfile.REGTYPE, tarfile.SYMTYPE) or not 0 <= info.size <= self._size:
            self._refuse("it holds something that is neither a file nor a link")
        info.name = names.get("path", info.name)
        return info, names.get("linkpath", info.linkname)

    def _header(self) -> tarfile.TarInfo:
        try:
            return tarfile.TarInfo.frombuf(self._read(512), "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError):
            self._refuse("a header in it can't be read")

    def _names(self, content: bytes) -> dict[str, str]:
        found = {}
        while content:
            length, space, _ = content.partition(b" ")
            size = int(length) if length.isdigit() and len(length) < 6 else 0
            record = content[len(length) + 1 : size - 1]
            key, equals, value = record.partition(b"=")
            if not space or not equals or content[size - 1 : size] != b"\n":
                self._refuse("a name in it can't be read")
            if key not in (b"path", b"linkpath"):
                self._refuse(f"it says {key[:20]!r} of a file")
            found[key.decode()] = value.decode("utf-8", "surrogateescape")
            content = content[size:]
        return found

    def _read(self, size: int) -> bytes:
        data = self._opened.read(size)
        if len(data) < size:
            self._refuse("it is cut")
        return data

    def _skip(self, size: int) -> None:
        if self._read(-size % 512).strip(b"\0"):
            self._refuse("there is something between its files")

    def _refuse(self, reason: str) -> NoReturn:
        raise InvalidInput(
            "bad-export", f"{self._file} can't be imported: {reason}",
            hint="yard export makes such a file",
        )  # fmt: skip
