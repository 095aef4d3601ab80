"""Trees of versions as values: three-way merge and change list, both at file level.

A merge never guesses: what both sides changed in different ways is a named conflict, and the tree
keeps our side there. Two files are exempt, because people do not edit them as content:

- `.modelyard/manifest.json`: if both sides changed it, ours stays (params and metrics are those of
  the branch that is merged into).
- `.gitattributes`: if both sides changed it, ours stays, followed by the lines that theirs added;
  if one side deleted it, ours stays as it is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from modelyard.core.diff import FileChange
from modelyard.core.digest import Digest
from modelyard.core.manifest import MANIFEST_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ATTRIBUTES",
    "EXECUTABLE",
    "REGULAR",
    "SYMLINK",
    "Clash",
    "Entry",
    "MergeConflict",
    "Merged",
    "Places",
    "Tree",
    "change_tree",
    "is_hidden",
    "merge_trees",
]

REGULAR = 0o100644
EXECUTABLE = 0o100755
SYMLINK = 0o120000
ATTRIBUTES = ".gitattributes"
"""Name of git's attribute files, in any folder."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a tree: what it is, not where."""

    mode: int
    """`REGULAR`, `EXECUTABLE` or `SYMLINK`."""
    digest: Digest
    """SHA-256 of the whole file's bytes, wherever they are kept; of a symlink, of its target."""
    size: int
    inline: bytes | None
    """Its bytes if git keeps them, None if git keeps an LFS pointer."""


Tree = Mapping[str, Entry]
"""The files of a version by POSIX path."""

ConflictKind = Literal[
    "both-changed", "both-added", "deleted-changed", "changed-deleted",
    "file-folder", "case-collision", "unicode-collision",
]  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class MergeConflict:
    """A path that the two sides can't share."""

    path: str
    kind: ConflictKind
    """Our side is named first: `deleted-changed` was deleted by us and changed by them."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge gives. The tree is complete, and valid, also with conflicts: ours stays."""

    tree: dict[str, Entry]
    conflicts: tuple[MergeConflict, ...]


def is_hidden(path: str) -> bool:
    """Whether a path of the tree is kept from checkouts and change lists.

    The generated part of `.gitattributes` never gets this far: `read_tree` takes it out.
    """
    return path.startswith(".modelyard/")


def merge_trees(base: Tree | None, ours: Tree, theirs: Tree) -> Merged:
    """Join two trees that both came from `base`; None if they have no common past."""
    base = base or {}
    merged: dict[str, Entry] = {}
    conflicts: set[MergeConflict] = set()
    for path in sorted(ours.keys() | theirs.keys()):
        old, our, their = base.get(path), ours.get(path), theirs.get(path)
        entry, conflict = _merge_entry(path, old, our, their)
        if entry is not None:
            merged[path] = entry
        if conflict is not None:
            conflicts.add(MergeConflict(path, conflict))
    conflicts.update(_drop_clashes(merged, ours))
    return Merged(merged, tuple(sorted(conflicts)))


def change_tree(old: Tree, new: Tree) -> tuple[FileChange, ...]:
    """Files that differ, by path. A file that only moved is `renamed`, if no other is like it."""
    removed = {p: old[p] for p in old.keys() - new.keys() if not is_hidden(p)}
    added = {p: new[p] for p in new.keys() - old.keys() if not is_hidden(p)}
    changes = [
        FileChange(path, "changed", None, old[path].size, new[path].size)
        for path in old.keys() & new.keys()
        if not is_hidden(path) and not _same(old[path], new[path])
    ]
    for path, former in _renames(removed, added):
        size = added.pop(path).size
        del removed[former]
        changes.append(FileChange(path, "renamed", former, size, size))
    changes += [FileChange(p, "removed", None, e.size, None) for p, e in removed.items()]
    changes += [FileChange(p, "added", None, None, e.size) for p, e in added.items()]
    return tuple(sorted(changes, key=lambda change: change.path))


@dataclass(frozen=True, slots=True)
class Clash:
    """Why a path has no room in a tree: what is there already, and how it is in the way."""

    kind: Literal["file-folder", "case-collision", "unicode-collision"]
    path: str
    """The path, or the folder above it, that is in the way."""
    other: str
    """How the tree spells it."""


class Places:
    """The names that a tree occupies, as the least discerning file system would see them."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self._taken: dict[str, tuple[str, bool]] = {}
        for path in paths:
            self.take(path)

    def take(self, path: str) -> Clash | None:
        """Give a file its place, or say why it can't have it (and change nothing)."""
        wanted: list[str] = []
        place, is_file = path, True
        while place:
            there = self._taken.get(_fold(place))
            if there is not None:
                if there != (place, False) or is_file:
                    return _clash(place, there[0])
                break
            wanted.append(place)
            place, is_file = place.rpartition("/")[0], False
        for place in wanted:
            self._taken[_fold(place)] = (place, place == path)
        return None


def _fold(path: str) -> str:
    if path.isascii():
        return path.lower()
    decomposed = unicodedata.normalize("NFD", path).casefold()
    return unicodedata.normalize("NFC", decomposed)


def _clash(path: str, other: str) -> Clash:
    if path == other:
        return Clash("file-folder", path, other)
    if unicodedata.normalize("NFC", path) == unicodedata.normalize("NFC", other):
        return Clash("unicode-collision", path, other)
    return Clash("case-collision", path, other)


def _merge_entry(
    path: str, old: Entry | None, our: Entry | None, their: Entry | None
) -> tuple[Entry | None, ConflictKind | None]:
    if _same(our, their) or _same(old, their):
        return our, None
    if _same(old, our):
        return their, None
    if path == MANIFEST_PATH or path.rpartition("/")[2] == ATTRIBUTES:
        return _merge_exempt(path, old, our, their), None
    if our is None or their is None:
        return our, "deleted-changed" if our is None else "changed-deleted"
    if old is not None:
        return _merge_changed(old, our, their)
    return our, "both-added"


def _merge_changed(
    old: Entry, our: Entry, their: Entry
) -> tuple[Entry, Literal["both-changed"] | None]:
    """One side may have changed the executable bit only, and the other the content."""
    if SYMLINK in (old.mode, our.mode, their.mode):
        return our, "both-changed"
    mode = our.mode if our.mode != old.mode else their.mode
    if our.digest in (old.digest, their.digest):
        return replace(their, mode=mode), None
    if their.digest == old.digest:
        return replace(our, mode=mode), None
    return our, "both-changed"


def _merge_exempt(
    path: str, old: Entry | None, our: Entry | None, their: Entry | None
) -> Entry | None:
    if path == MANIFEST_PATH or our is None or their is None:
        return our
    return _join_lines(old, our, their)


def _join_lines(old: Entry | None, our: Entry, their: Entry) -> Entry:
    ours, before = our.inline, old.inline if old is not None else b""
    if ours is None or before is None or their.inline is None:
        return our
    known = {*ours.splitlines(), *before.splitlines()}
    new = [line for line in their.inline.splitlines() if line not in known]
    if not new:
        return our
    glue = b"" if not ours or ours.endswith(b"\n") else b"\n"
    text = ours + glue + b"\n".join(new) + b"\n"
    return Entry(our.mode, Digest.of(text), len(text), text)


def _drop_clashes(merged: dict[str, Entry], ours: Tree) -> Iterable[MergeConflict]:
    """Take out what theirs added where ours has no room for it."""
    places = Places(path for path in merged if path in ours)
    for path in [path for path in merged if path not in ours]:
        clash = places.take(path)
        if clash is not None:
            del merged[path]
            yield MergeConflict(clash.path, clash.kind)


def _renames(removed: Mapping[str, Entry], added: Mapping[str, Entry]) -> list[tuple[str, str]]:
    before, after = _by_content(removed), _by_content(added)
    return [
        (paths[0], before[digest][0])
        for digest, paths in after.items()
        if len(paths) == 1 and len(before.get(digest, ())) == 1
    ]


def _by_content(tree: Tree) -> dict[tuple[Digest, bool], list[str]]:
    found: dict[tuple[Digest, bool], list[str]] = {}
    for path, entry in tree.items():
        if entry.size:
            found.setdefault((entry.digest, entry.mode == SYMLINK), []).append(path)
    return found


def _same(a: Entry | None, b: Entry | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.digest == b.digest and a.mode == b.mode
