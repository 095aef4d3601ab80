"""Files of a version for people who look: lists, the begin of a text, pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modelyard.core.merge import SYMLINK
from modelyard.core.version import FileInfo, Finding
from modelyard.errors import InvalidInput, NotFound
from modelyard.formats import Inspection
from modelyard.registry.files import contents, open_file
from modelyard.registry.views import inspection_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.registry.files import Contents
    from modelyard.registry.house import House

__all__ = ["FileList", "FileLook", "list_files", "look_at_file", "picture_of"]

_TEXT = 128 << 10
_LINES = 3000
_LARGEST_PICTURE = 8 << 20
_PICTURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"), (b"GIF89a", "image/gif"),
)  # fmt: skip
"""By how they begin. SVG is shown as text: it may hold scripts."""


@dataclass(frozen=True, slots=True)
class FileList:
    """Files of a version by path."""

    items: tuple[FileInfo, ...]
    """Of this page."""
    total: int
    """How many files the version has."""
    found: int
    """How many of them were looked for."""
    size: int
    """Bytes of all that were found."""
    next: int | None
    """Where the next page goes on."""


@dataclass(frozen=True, slots=True)
class FileLook:
    """One file."""

    model: str
    """Name of its model."""
    number: int
    """Of the version."""
    file: FileInfo
    """Facts that lists show too."""
    lines: tuple[str, ...] | None
    """The text, or its begin; None if the file is no text."""
    is_cut: bool
    """Whether there is more text than is shown."""
    points_at: str
    """Where a symbolic link leads; empty for what is none."""
    picture: str
    """Media type of a picture that can be shown; empty if it is none."""
    tensors: int
    """How many tensors it holds."""
    findings: tuple[Finding, ...] = ()
    """What to know before it is trusted."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What it says of itself."""


def list_files(
    house: House,
    model: str,
    revision: str | int | None,
    *,
    words: str = "",
    limit: int = 200,
    after: int = 0,
) -> FileList:
    """Files whose path has all of the words."""
    found = contents(house, model, revision)
    wanted = words.casefold().split()
    paths = [p for p in sorted(found.tree) if all(w in p.casefold() for w in wanted)]
    shown = paths[after : after + limit]
    return FileList(
        tuple(_info(house, found, path) for path in shown), len(found.tree), len(paths),
        sum(found.tree[path].size for path in paths),
        after + limit if after + limit < len(paths) else None,
    )  # fmt: skip


def look_at_file(house: House, model: str, revision: str | int | None, path: str) -> FileLook:
    """One file, with its text if it is one. NotFound: `no-file`."""
    found = contents(house, model, revision)
    entry = _entry(found, path)
    is_link = entry.mode == SYMLINK
    inspection = Inspection("text") if is_link else inspection_at(house, found, path)
    with open_file(house, found, path) as file:
        begin = file.read(_TEXT + 1)
    lines, is_cut = (None, False) if is_link else _text(begin)
    media = "" if entry.size > _LARGEST_PICTURE else _picture(begin)
    return FileLook(
        found.model.name, found.version.number,
        FileInfo(path, entry.size, entry.digest.hex, inspection.format), lines, is_cut,
        begin.decode("utf-8", "replace") if is_link else "", media, len(inspection.tensors),
        inspection.findings, inspection.metadata,
    )  # fmt: skip


def picture_of(
    house: House, model: str, revision: str | int | None, path: str
) -> tuple[str, bytes]:
    """Media type and bytes of a picture. NotFound: `no-file`; InvalidInput: `no-picture`."""
    found = contents(house, model, revision)
    entry = _entry(found, path)
    if entry.size <= _LARGEST_PICTURE and entry.mode != SYMLINK:
        with open_file(house, found, path) as file:
            content = file.read()
        if media := _picture(content):
            return media, content
    raise InvalidInput("no-picture", f"{path[:400]} is no picture that is shown")


def _entry(found: Contents, path: str) -> Any:
    entry = found.tree.get(path)
    if entry is None:
        raise NotFound(
            "no-file", f"{found.title} has no file {path[:400]}", hint="yard show lists them"
        )
    return entry


def _info(house: House, found: Contents, path: str) -> FileInfo:
    entry = found.tree[path]
    if entry.inline is None:
        kind = found.blob(entry).format
    else:
        kind = "text" if entry.mode == SYMLINK else inspection_at(house, found, path).format
    return FileInfo(path, entry.size, entry.digest.hex, kind)


def _text(begin: bytes) -> tuple[tuple[str, ...] | None, bool]:
    """Lines of what is UTF-8 without control characters; and whether something was left out."""
    if b"\0" in begin:
        return None, False
    is_cut = len(begin) > _TEXT
    kept = begin[:_TEXT]
    try:
        text = kept.decode("utf-8")
    except UnicodeDecodeError as error:
        if not is_cut or error.start < len(kept) - 4:  # a character may have been cut in two
            return None, False
        text = kept[: error.start].decode("utf-8")
    text = text.removeprefix("\ufeff")
    if sum(ord(char) < 32 and char not in "\t\n\r\f\x1b" for char in text) > 0:
        return None, False
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    return tuple(lines[:_LINES]), is_cut or len(lines) > _LINES


def _picture(begin: bytes) -> str:
    if begin[:4] == b"RIFF" and begin[8:12] == b"WEBP":
        return "image/webp"
    return next((media for start, media in _PICTURES if begin.startswith(start)), "")
