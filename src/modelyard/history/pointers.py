"""What git keeps of a file: its bytes, or a git-lfs pointer (spec v1) to them."""

from __future__ import annotations

import re

from modelyard.core.digest import Digest
from modelyard.core.merge import ATTRIBUTES

__all__ = ["INLINE_LIMIT", "is_inline", "parse_pointer", "pointer"]

INLINE_LIMIT = 100_000
"""Files of this many bytes and more are never kept in git."""

_START = b"version https://git-lfs.github.com/spec/v1\n"
_POINTER = re.compile(
    re.escape(_START) + rb"oid sha256:([0-9a-f]{64})\nsize (0|[1-9][0-9]{0,18})\n\Z"
)


def is_inline(path: str, data: bytes) -> bool:
    """Whether git keeps this file's bytes: small UTF-8 text that does not read as a pointer.

    A NUL is legal UTF-8, but no text: a small tensor file full of zeros belongs into the store.
    """
    if len(data) >= INLINE_LIMIT:
        return False
    if path.rpartition("/")[2] == ATTRIBUTES:
        return True  # git itself must be able to read it
    if b"\0" in data:
        return False
    if data.startswith(_START) and _POINTER.match(data):
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def pointer(digest: Digest, size: int) -> bytes:
    """The text that stands in git for a file kept elsewhere."""
    return b"%boid sha256:%b\nsize %d\n" % (_START, digest.hex.encode(), size)


def parse_pointer(data: bytes) -> tuple[Digest, int] | None:
    """Digest and size, if `data` is a pointer exactly as `pointer` writes it."""
    match = _POINTER.match(data) if data.startswith(_START) else None
    if match is None:
        return None
    size = int(match[2])
    return (Digest(bytes.fromhex(match[1].decode())), size) if size < 1 << 63 else None
