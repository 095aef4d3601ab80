"""Our block inside `.gitattributes`: which files git-lfs must fetch, one line a file.

The block is marked, so that it can be taken out again and the user's own file comes back byte for
byte. A file's line stands in the nearest folder that has a `.gitattributes` of the user, below the
user's lines, because there nothing can overrule it; without one, at the top of the tree.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modelyard.core.digest import Digest
from modelyard.core.merge import ATTRIBUTES, REGULAR, SYMLINK, Entry, Tree
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

__all__ = ["add_blocks", "take_block"]

_BEGIN = b"# >>> modelyard (generated): "
_END = b"# <<< modelyard"
_ALONE, _BELOW, _JOINED = b"alone", b"below", b"joined"
_LFS = b" filter=lfs diff=lfs merge=lfs -text"
_NO_LFS = b" -filter"
_BLOCK = re.compile(
    rb"^# >>> modelyard \(generated\): (alone|below|joined)\r?\n"
    rb"(?:(?!# >>> modelyard).*\n)*?# <<< modelyard\r?(?:\n|\Z)",
    re.MULTILINE,
)
_MAX_LINE = 2_047
"""git ignores longer lines."""
_ESCAPES = str.maketrans({" ": "[[:space:]]", "*": r"\*", "?": r"\?", "[": r"\["})


def add_blocks(tree: Tree) -> dict[str, Entry]:
    """The `.gitattributes` files that the tree must have instead of its own."""
    homes = {p[: -len(ATTRIBUTES)]: e for p, e in tree.items() if _is_attributes(p)}
    users = {home: take_block(entry.inline or b"") for home, entry in homes.items()}
    lines: dict[str, list[bytes]] = {}
    for path in sorted(_ruled(tree, users.values())):
        home = _home(path, users)
        suffix = _LFS if tree[path].inline is None else _NO_LFS
        lines.setdefault(home, []).append(_line(path[len(home) :], suffix))
    return {
        home + ATTRIBUTES: entry
        for home in sorted(users.keys() | lines.keys())
        if (entry := _entry(homes.get(home), users.get(home), lines.get(home))) is not None
    }


def take_block(text: bytes) -> bytes | None:
    """The user's own lines; None if there was no file of the user."""
    if _BEGIN not in text:
        return text
    kept, position, alone = [], 0, False
    for block in _BLOCK.finditer(text):
        before = text[position : block.start()]
        kept.append(before.removesuffix(b"\n") if block[1] == _JOINED else before)
        alone = alone or block[1] == _ALONE
        position = block.end()
    user = b"".join(kept) + text[position:]
    return None if alone and not user else user


def _is_attributes(path: str) -> bool:
    return path.endswith(ATTRIBUTES) and path.rpartition("/")[2] == ATTRIBUTES


def _ruled(tree: Tree, users: Iterable[bytes | None]) -> list[str]:
    """Paths that need a line; those kept in git only if the user's lines could claim them."""
    if not any(user and b"filter" in user for user in users):
        return [path for path, entry in tree.items() if entry.inline is None]
    return [
        path for path, entry in tree.items() if entry.mode != SYMLINK and not _is_attributes(path)
    ]


def _home(path: str, users: Container[str]) -> str:
    home = path
    while users and home:
        home = home[: home.rstrip("/").rfind("/") + 1]
        if home in users:
            return home
    return ""


def _line(path: str, suffix: bytes) -> bytes:
    line = b"/" + path.translate(_ESCAPES).encode() + suffix
    if len(line) > _MAX_LINE:
        raise InvalidInput("path-too-long", f"{path[:80]!r}... is too long for git's attributes")
    return line


def _entry(old: Entry | None, user: bytes | None, lines: list[bytes] | None) -> Entry | None:
    if lines is None and user is None:
        return None
    text = user or b""
    if lines is not None:
        mode = _ALONE if user is None else _JOINED if text and text[-1:] != b"\n" else _BELOW
        glue = b"\n" if mode == _JOINED else b""
        block = b"\n".join([_BEGIN + mode, *lines, _END, b""])
        text = text + glue + block
    return Entry(old.mode if old else REGULAR, Digest.of(text), len(text), text)
