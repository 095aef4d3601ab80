"""Names of bytes: a blob is named by SHA-256, a chunk by BLAKE3, a git object by SHA-1."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import NewType, Self

from modelyard.errors import InvalidInput

__all__ = ["ChunkId", "Digest"]

ChunkId = NewType("ChunkId", bytes)
"""BLAKE3-256 of a chunk's decoded bytes. Plain bytes: tens of thousands live on the hot path."""

_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})\Z")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The name of a blob: SHA-256 of exactly its bytes."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != 32:
            raise InvalidInput("bad-digest", f"a blob's digest has 32 bytes, not {len(self.raw)}")

    @classmethod
    def of(cls, data: bytes | memoryview) -> Self:
        return cls(hashlib.sha256(data).digest())

    @classmethod
    def parse(cls, text: str) -> Self:
        """`sha256:<64 hex>` or the bare hex digits."""
        match = _SHA256.match(text)
        if match is None:
            raise InvalidInput(
                "bad-digest", f"{text[:80]!r} is no SHA-256 digest", hint="64 hex digits"
            )
        return cls(bytes.fromhex(match[1]))

    @property
    def hex(self) -> str:
        return self.raw.hex()

    def __str__(self) -> str:
        return self.hex
