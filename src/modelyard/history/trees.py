"""Trees as git objects and back. `read_tree` gives exactly what `write_tree` was given.

What a tree may hold and how it is laid out: `docs/spec/tree-1.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.core.digest import Digest
from modelyard.core.merge import ATTRIBUTES, EXECUTABLE, REGULAR, SYMLINK, Entry, Tree, is_hidden
from modelyard.errors import Corrupt, InvalidInput, Unsupported
from modelyard.history.attributes import add_blocks, take_block
from modelyard.history.gitobject import BLOB, TREE, GitObject, Objects
from modelyard.history.paths import check_path, check_tree
from modelyard.history.pointers import INLINE_LIMIT, is_inline, parse_pointer, pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "INLINE_LIMIT",
    "GitObject",
    "Objects",
    "is_hidden",
    "is_inline",
    "parse_pointer",
    "pointer",
    "read_tree",
    "write_tree",
]

_FOLDER = 0o040000
_MODE_TEXT = {REGULAR: b"100644 ", EXECUTABLE: b"100755 ", SYMLINK: b"120000 "}
_MODES = {b"100644": REGULAR, b"100664": REGULAR, b"100755": EXECUTABLE, b"120000": SYMLINK,
          b"40000": _FOLDER}  # fmt: skip
_SUBMODULE = b"160000"
_MAX_ENTRIES = 1_000_000
"""Of one tree. A few small trees that name each other could otherwise stand for billions."""

_Row = tuple[bytes, bytes]
"""What an entry is sorted by, and its encoding."""


def write_tree(tree: Tree) -> tuple[bytes, tuple[GitObject, ...]]:
    """The root's name and every git object of the tree: blobs, then folders, the root last.

    InvalidInput if a path, mode or symlink is unfit, or two paths can't live together.
    """
    check_tree(tree)
    objects: dict[bytes, GitObject] = {}
    folders: dict[str, list[_Row]] = {"": []}
    for path, entry in _with_attributes(tree):
        blob = _blob(path, entry)
        objects[blob.sha] = blob
        parent, _, name = path.rpartition("/")
        row = _MODE_TEXT[entry.mode] + name.encode() + b"\0" + blob.sha
        _folder(parent, folders).append((name.encode(), row))
    for path in sorted(folders, key=_depth, reverse=True):
        folder = GitObject.of(TREE, b"".join(row for _, row in sorted(folders[path])))
        objects.pop(folder.sha, None)
        objects[folder.sha] = folder
        if path:
            parent, _, name = path.rpartition("/")
            row = b"40000 " + name.encode() + b"\0" + folder.sha
            folders[parent].append((name.encode() + b"/", row))
    return folder.sha, tuple(objects.values())


def read_tree(root_sha: bytes, objects: Objects) -> dict[str, Entry]:
    """The files of a tree by path, hidden ones too (`is_hidden`); our attribute lines taken out.

    Trees may come from anybody by `git push`: what could not have been written here is InvalidInput
    or Unsupported, what is not a tree at all is Corrupt.
    """
    tree: dict[str, Entry] = {}
    folders = [("", root_sha)]
    count = 0
    while folders:
        prefix, sha = folders.pop()
        for name, mode, child in _rows(_get(objects, sha, TREE)):
            count += 1
            if count > _MAX_ENTRIES:
                raise Unsupported("tree-too-large", f"more than {_MAX_ENTRIES} files and folders")
            path = prefix + name
            check_path(path)
            if mode == _FOLDER:
                folders.append((path + "/", child))
                continue
            entry = _entry(path, mode, _get(objects, child, BLOB))
            if entry is not None:
                tree[path] = entry
    return dict(sorted(tree.items()))


def _with_attributes(tree: Tree) -> Iterator[tuple[str, Entry]]:
    replaced = add_blocks(tree)
    for path, entry in tree.items():
        if path.rpartition("/")[2] != ATTRIBUTES:
            yield path, entry
    yield from replaced.items()


def _blob(path: str, entry: Entry) -> GitObject:
    if entry.inline is None:
        return GitObject.of(BLOB, pointer(entry.digest, entry.size))
    if parse_pointer(entry.inline) is not None:
        raise InvalidInput(
            "inline-pointer", f"{path!r} reads as an LFS pointer, so git can't keep its bytes"
        )
    return GitObject.of(BLOB, entry.inline)


def _folder(path: str, folders: dict[str, list[_Row]]) -> list[_Row]:
    """The rows of a folder; it and those above it come to be."""
    missing = path
    while missing not in folders:
        folders[missing] = []
        missing = missing.rpartition("/")[0]
    return folders[path]


def _depth(path: str) -> int:
    return path.count("/") + 1 if path else 0


def _get(objects: Objects, sha: bytes, kind: int) -> bytes:
    found, body = objects.get(sha)
    if found != kind:
        raise Corrupt("git-object-kind", f"git object {sha.hex()} has kind {found}, not {kind}")
    return body


def _rows(body: bytes) -> Iterator[tuple[str, int, bytes]]:
    position, previous = 0, b""
    while position < len(body):
        space = body.find(b" ", position, position + 8)
        end = body.find(b"\0", space + 1)
        if space < 0 or end < 0 or end + 21 > len(body):
            raise Corrupt("bad-tree", "a git tree is cut or broken")
        name, mode = body[space + 1 : end], _mode(body[position:space])
        key = name + b"/" if mode == _FOLDER else name
        if key <= previous:
            raise Corrupt("bad-tree", "a git tree is not in order, or names a file twice")
        yield _name(name), mode, body[end + 1 : end + 21]
        position, previous = end + 21, key


def _name(raw: bytes) -> str:
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise InvalidInput("name-not-utf8", f"the file name {raw[:80]!r} is not UTF-8") from None
    if "/" in name:
        raise InvalidInput("bad-path", f"a tree holds the name {name[:80]!r}")
    return name


def _mode(text: bytes) -> int:
    mode = _MODES.get(text)
    if mode is None:
        if text == _SUBMODULE:
            raise Unsupported("submodule", "a version can't hold git submodules")
        raise InvalidInput("bad-mode", f"a tree holds mode {text!r}")
    return mode


def _entry(path: str, mode: int, body: bytes) -> Entry | None:
    if mode == SYMLINK:
        return Entry(mode, Digest.of(body), len(body), body)
    known = parse_pointer(body)
    if known is not None:
        return Entry(mode, *known, None)
    if path.rpartition("/")[2] == ATTRIBUTES:
        user = take_block(body)
        if user is None:
            return None
        body = user
    return Entry(mode, Digest.of(body), len(body), body)
