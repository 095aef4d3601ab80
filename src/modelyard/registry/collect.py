"""What a commit takes from the disk: a file, or everything below a folder."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from modelyard.errors import Denied, InvalidInput, NotFound, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["IGNORED", "LocalFile", "collect"]

HIDDEN = ".modelyard"
"""What we write at the top of a tree ourselves; a clone has it, and nobody commits it as a file."""
IGNORED = frozenset({".git", ".yard"})
"""Folders that are never part of a version: git's own, and a checkout's memory."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on this machine that is to be committed."""

    path: str
    """Inside the version, with slashes."""
    place: str
    """On this machine."""
    mode: int
    """As git knows it: 0o100644, 0o100755, 0o120000."""
    status: os.stat_result

    def opened(self) -> BinaryIO:
        """To be read. Denied: `no-permission`. Unavailable: `source-io`."""
        try:
            return open(self.place, "rb")
        except PermissionError:
            raise Denied("no-permission", f"{self.place} can't be read") from None
        except OSError as error:
            raise Unavailable("source-io", f"{self.place}: {error.strerror}") from error


def collect(source: Path) -> list[LocalFile]:
    """A single file keeps its name; files of a folder keep their paths below it."""
    try:
        if source.is_dir():
            files = _below(str(source), "")
        else:
            files = [_local(source.name, str(source), source.stat())]
    except FileNotFoundError as error:
        raise NotFound("no-file", f"there is no file {error.filename}") from None
    except PermissionError as error:
        raise Denied("no-permission", f"{error.filename} can't be read") from None
    except OSError as error:
        raise Unavailable("source-io", f"{error.filename}: {error.strerror}") from error
    if not files:
        raise InvalidInput(
            "nothing-to-commit",
            f"{source} holds no files",
            hint="name a file, or a folder with files",
        )
    return sorted(files, key=lambda file: file.path)


def _below(folder: str, prefix: str) -> list[LocalFile]:
    files: list[LocalFile] = []
    stack = [(folder, prefix)]
    while stack:
        place, inside = stack.pop()
        with os.scandir(place) as entries:
            for entry in entries:
                path = inside + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in IGNORED and path != HIDDEN:
                        stack.append((entry.path, path + "/"))
                else:
                    files.append(_local(path, entry.path, entry.stat(follow_symlinks=False)))
    return files


def _local(path: str, place: str, status: os.stat_result) -> LocalFile:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        shown = path.encode("utf-8", "replace").decode()
        raise InvalidInput(
            "name-not-utf8", f"the name of {shown!r} is not UTF-8", hint="rename the file"
        ) from None
    if stat.S_ISLNK(status.st_mode):
        mode = 0o120000
    elif stat.S_ISREG(status.st_mode):
        mode = 0o100755 if status.st_mode & stat.S_IXUSR else 0o100644
    else:
        raise InvalidInput(
            "special-file", f"{path} is neither a file nor a link", hint="remove it, or use --only"
        )
    return LocalFile(path, place, mode, status)
