"""How much the small files of a commit take, which git holds itself and the store never sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import zstandard

from modelyard.core.merge import is_hidden

if TYPE_CHECKING:
    from modelyard.core.merge import Tree

__all__ = ["new_text"]


def new_text(before: Tree, after: Tree) -> int:
    """About as many bytes as those of `after` take that `before` does not have, compressed.

    A file that was there under the same name is counted by what differs.
    """
    known = {entry.digest for entry in before.values() if entry.inline is not None}
    fresh = {
        entry.digest: path
        for path, entry in after.items()
        if entry.inline and entry.digest not in known and not is_hidden(path)
    }
    total = 0
    for path in fresh.values():
        entry, old = after[path], before.get(path)
        total += _compressed(entry.inline or b"", old.inline if old else None)
    return total


def _compressed(content: bytes, old: bytes | None) -> int:
    if not old:
        return len(zstandard.ZstdCompressor(level=1).compress(content))
    words = zstandard.ZstdCompressionDict(old, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return len(zstandard.ZstdCompressor(level=1, dict_data=words).compress(content))
