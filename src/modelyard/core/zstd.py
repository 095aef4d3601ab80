"""Decompressing what others compressed, with a bound that holds."""

from __future__ import annotations

import zstandard

__all__ = ["decompressed"]


def decompressed(
    data: bytes | memoryview, limit: int, coder: zstandard.ZstdDecompressor | None = None
) -> bytes:
    """At most `limit` bytes, else zstandard.ZstdError.

    The library believes a frame that says how long it becomes, and takes that much memory.
    """
    if zstandard.frame_content_size(data) > limit:
        raise zstandard.ZstdError(f"more than {limit} bytes come of it")
    return (coder or zstandard.ZstdDecompressor()).decompress(data, max_output_size=max(limit, 1))
