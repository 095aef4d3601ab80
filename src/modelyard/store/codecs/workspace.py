"""Buffers that one worker thread keeps, because touching fresh memory costs more than the work."""

from __future__ import annotations

import threading

import numpy as np
import zstandard

__all__ = ["Workspace", "workspace"]

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]

_HUFFMAN = zstandard.ZstdCompressionParameters(
    window_log=17, chain_log=6, hash_log=6, search_log=1, min_match=7, target_length=0, strategy=1
)
"""zstd as a Huffman coder that hardly looks for matches: smaller and 3x faster on exponents."""


class Workspace:
    """Scratch memory and zstd contexts. Not for two threads at once."""

    def __init__(self) -> None:
        self._arrays: dict[str, Bytes] = {}
        self.huffman = zstandard.ZstdCompressor(compression_params=_HUFFMAN)
        self.fast = zstandard.ZstdCompressor(level=1)
        self.strong = zstandard.ZstdCompressor(level=3)
        self.best = zstandard.ZstdCompressor(level=15)
        self.decompressor = zstandard.ZstdDecompressor()

    def bytes(self, name: str, size: int) -> Bytes:
        """A kept array of `size` bytes; its content is whatever was there."""
        array = self._arrays.get(name)
        if array is None or len(array) < size:
            array = self._arrays[name] = np.empty(max(size, 1 << 20), np.uint8)
        return array[:size]


_threads = threading.local()


def workspace() -> Workspace:
    """This thread's own."""
    work: Workspace | None = getattr(_threads, "work", None)
    if work is None:
        work = _threads.work = Workspace()
    return work
