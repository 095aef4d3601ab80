"""One git object: kind, body and name. A name is only ever computed, never believed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol, Self

__all__ = ["BLOB", "COMMIT", "TAG", "TREE", "GitObject", "Objects"]

COMMIT, TREE, BLOB, TAG = 1, 2, 3, 4
_HEADERS = {COMMIT: b"commit ", TREE: b"tree ", BLOB: b"blob ", TAG: b"tag "}


@dataclass(frozen=True, slots=True)
class GitObject:
    """A commit, tree, blob or annotated tag, as git encodes it."""

    sha: bytes
    """SHA-1 of kind, length and body: 20 bytes."""
    kind: int
    """`COMMIT`, `TREE`, `BLOB` or `TAG`: the numbers of git's pack format."""
    body: bytes

    @classmethod
    def of(cls, kind: int, body: bytes) -> Self:
        header = b"%b%d\0" % (_HEADERS[kind], len(body))
        return cls(hashlib.sha1(header + body, usedforsecurity=False).digest(), kind, body)


class Objects(Protocol):
    """Where git objects are read from."""

    def get(self, sha: bytes) -> tuple[int, bytes]:
        """Kind and body. NotFound: `git-object-missing`."""
