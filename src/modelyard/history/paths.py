"""Which paths a tree may hold: those that every file system keeps apart and git accepts."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from modelyard.core.merge import ATTRIBUTES, SYMLINK, Entry, Places, Tree
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from modelyard.core.merge import Clash

__all__ = ["check_path", "check_symlink", "check_tree"]

_MAX_PATH = 700
_MAX_PART = 255
_MAX_TARGET = 4_000
_MODES = (0o100644, 0o100755, SYMLINK)

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,254}\Z")
"""A part that needs no closer look."""
_HFS_IGNORES = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_NTFS_SHORT = re.compile(
    r"(?:git~1|(?:gitmod|gitatt|gitign|mailma)~[1-4]|(?:(?:gi|ma)[0-9a-f]{0,4}|[gm]?)~[1-9]\d*)\Z"
)
"""Short names that Windows gives to git's own files."""
_GIT_FILES = (ATTRIBUTES, ".gitignore", ".mailmap")


def check_tree(tree: Tree) -> None:
    """InvalidInput if any path, mode or symlink is unfit, or two paths can't live together."""
    places = Places()
    for path, entry in tree.items():
        check_path(path)
        _check_entry(path, entry)
        clash = places.take(path)
        if clash is not None:
            raise _clash_error(path, clash)


def check_path(path: str) -> None:
    """InvalidInput `bad-path`, or `path-too-long`."""
    if len(path) > _MAX_PATH:
        raise InvalidInput(
            "path-too-long", f"{path[:80]!r}... has more than {_MAX_PATH} characters"
        )
    if f"/{ATTRIBUTES}/" in f"/{path}":
        raise InvalidInput("bad-path", f"{path!r} can't be kept: {ATTRIBUTES} is no folder")
    for part in path.split("/"):
        if _PLAIN.match(part) is None:
            reason = _refusal(part)
            if reason is not None:
                raise InvalidInput("bad-path", f"{path!r} can't be kept: {reason}")


def check_symlink(path: str, target: bytes | None) -> None:
    """InvalidInput `symlink-escapes`, or `bad-symlink`.

    With `..` only in front, each folder on the way up is a real one, so nothing can lead out.
    """
    if not target or len(target) > _MAX_TARGET or b"\0" in target or b"\\" in target:
        raise InvalidInput("bad-symlink", f"the target of symlink {path!r} can't be kept")
    try:
        parts = target.decode().split("/")
    except UnicodeDecodeError:
        raise InvalidInput("bad-symlink", f"the target of {path!r} is not UTF-8") from None
    above = 0
    while above < len(parts) and parts[above] == "..":
        above += 1
    inside = parts[0] != "" and ".." not in parts[above:] and above <= path.count("/")
    if not inside:
        raise InvalidInput(
            "symlink-escapes",
            f"symlink {path!r} leads out of the version, to {target[:200]!r}",
            hint="a target is relative, has '..' only in front, and stays inside",
        )


@lru_cache(maxsize=1024)
def _refusal(part: str) -> str | None:
    if part in ("", ".", ".."):
        return "a part of a path is empty, '.' or '..'"
    if "\\" in part or any(unicodedata.category(c) in ("Cc", "Cs") for c in part):
        return "backslashes, control characters and broken Unicode are not possible in names"
    if len(part.encode()) > _MAX_PART:
        return f"a name may have {_MAX_PART} bytes"
    read_as = _as_git_file(part)
    if read_as == ".git" or _NTFS_SHORT.match(read_as):
        return "a file system could take this name for one of git's own"
    if read_as == ".gitmodules":
        return "a version has no submodules"
    if read_as == ATTRIBUTES and part != ATTRIBUTES:
        return f"a file system could take this name for {ATTRIBUTES}"
    return None


def _as_git_file(part: str) -> str:
    """The name as HFS+ (which skips characters) or NTFS (which cuts the end) could read it."""
    return _HFS_IGNORES.sub("", part).partition(":")[0].rstrip(" .").lower()


def _check_entry(path: str, entry: Entry) -> None:
    if entry.mode not in _MODES:
        raise InvalidInput("bad-mode", f"{path!r} has mode {entry.mode:o}, which no file has")
    if entry.size < 0 or (entry.inline is not None and len(entry.inline) != entry.size):
        raise InvalidInput("bad-size", f"{path!r} has not the {entry.size} bytes that are said")
    name = path.rpartition("/")[2]
    if entry.mode == SYMLINK:
        if _as_git_file(name) in _GIT_FILES:
            raise InvalidInput("bad-symlink", f"{path!r} can't be a symlink: git reads it")
        check_symlink(path, entry.inline)
    elif name == ATTRIBUTES and entry.inline is None:
        raise InvalidInput("bad-attributes", f"{path!r} is too large for git to read")


def _clash_error(path: str, clash: Clash) -> InvalidInput:
    if clash.kind == "file-folder":
        return InvalidInput("file-folder", f"{clash.path!r} is a file and a folder")
    how = "only by case" if clash.kind == "case-collision" else "only by Unicode form"
    return InvalidInput(
        clash.kind,
        f"{path!r} and {clash.other!r} differ {how}, so not every computer can hold both",
        hint="rename one of them",
    )
