"""What store and catalog tell each other about chunks and packs."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from modelyard.core.digest import ChunkId

__all__ = ["PACK_LIMIT", "ChunkRow", "Kind", "NewChunk", "PackGrowth"]

PACK_LIMIT = 64 << 20
"""A pack that has grown beyond this many bytes is sealed."""


class Kind(IntEnum):
    """What a record is for; the pack format keeps the numbers."""

    CONTENT = 1
    """Bytes of a file."""
    RECIPE = 2
    """The chunks of a blob, in order."""
    INSPECTION = 3
    """What `formats` told of a blob."""
    BUNDLE = 4
    """The git objects that one commit added, and its journal entry."""


class ChunkRow(NamedTuple):
    """Where a chunk lies."""

    id: int
    hash: ChunkId
    pack: str
    """Key of its pack."""
    start: int
    length: int
    size: int
    codec: int
    kind: int
    base_id: int | None
    seal: bytes | None = None
    """Wrapped key of its pack, if that is encrypted; `start` and `length` are those of its box."""


class NewChunk(NamedTuple):
    """A chunk that was just written and waits to be registered."""

    hash: ChunkId
    start: int
    length: int
    size: int
    codec: int
    kind: int
    base: ChunkId | None


class PackGrowth(NamedTuple):
    """Durable bytes of one pack that the index is to learn of."""

    pack: str
    size: int
    """Of the pack, with these chunks."""
    sealed: bool
    chunks: tuple[NewChunk, ...]
    seal: bytes | None = None
    """Wrapped key of the pack, if it is encrypted."""
