"""Where the opcodes of a pickle come from: a stretch of a file, or a packed stream."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from modelyard.formats.reading import Region

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.formats.interface import Budget

__all__ = ["FileSource", "PackedSource", "Source", "Spent", "packing_of"]


Unpacker = Any


class Spent(Exception):
    """The budget of the scan is used up; what was found so far counts."""


class Source(Protocol):
    """Bytes by offset. Offsets only grow, so that a packed stream can serve."""

    size: int | None
    """None while it is unknown."""
    raw: bool
    """Whether offsets are offsets of the file itself, so that tensors have ranges."""
    start: int
    """Where offset 0 lies in the file."""

    def read(self, offset: int, count: int) -> bytes:
        """At most `count` bytes: fewer at the end."""
        ...


class FileSource:
    """A stretch of a file. Reading a window is one seek, so blocks between are never touched."""

    raw = True

    def __init__(self, file: BinaryIO, start: int = 0, size: int | None = None) -> None:
        self._region = Region(file, start, size, kind="bad-pickle")
        self.size: int | None = self._region.size
        self.start = start

    def read(self, offset: int, count: int) -> bytes:
        return self._region.upto(offset, count)


_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x5d\0\0", "lzma"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
)


def packing_of(head: bytes) -> str | None:
    """The compression that a file begins with."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if len(head) > 2 and head[0] == 0x78 and head[1] in b"\x01\x5e\x9c\xda":
        return "zlib" if int.from_bytes(head[:2], "big") % 31 == 0 else None
    return None


def _unpacker(packing: str) -> Unpacker:
    """An object with `decompress(data, max_length)`. Memory of the packers is bounded too."""
    if packing == "gzip":
        return zlib.decompressobj(31)
    if packing == "zlib":
        return zlib.decompressobj(15)
    if packing == "bz2":
        return bz2.BZ2Decompressor()
    if packing in ("xz", "lzma"):
        return lzma.LZMADecompressor(memlimit=100_000_000)
    raise Spent(f"no unpacker for {packing}")


class PackedSource:
    """A compressed stream, unpacked as far as it is asked for and forgotten behind."""

    raw = False
    start = 0

    def __init__(self, file: BinaryIO, packing: str, budget: Budget) -> None:
        self.size: int | None = None
        self._input = Region(file, kind="bad-pickle")
        self._packing = packing
        self._pos = 0
        self._budget = budget
        self._kept = bytearray()
        self._at = 0
        self._ended = False
        self._blocks = _zstd_blocks(self) if packing == "zstd" else _blocks(self, packing)

    def read(self, offset: int, count: int) -> bytes:
        while not self._ended and self._at + len(self._kept) < offset + count:
            self._grow(offset)
        skip = offset - self._at
        if skip < 0:
            raise Spent("a packed stream can't be read backwards")
        return bytes(self._kept[skip : skip + count])

    def _grow(self, offset: int) -> None:
        surplus = min(offset - self._at, len(self._kept))
        if surplus > 0:
            del self._kept[:surplus]
            self._at += surplus
        try:
            block = next(self._blocks, None)
        except (zlib.error, OSError, EOFError, lzma.LZMAError, MemoryError) as error:
            raise Spent(f"the packed stream is damaged: {error}") from None
        if block is None:
            self._ended = True
            self.size = self._at + len(self._kept)
            return
        self._kept += block
        if self._at + len(self._kept) > self._budget.max_output or self._budget.spent:
            raise Spent("unpacking it would cost too much")

    def more(self) -> bytes:
        """The next block of the packed file."""
        block = self._input.upto(self._pos, 1 << 16)
        self._pos += len(block)
        return block


def _blocks(source: PackedSource, packing: str) -> Iterator[bytes]:
    """Unpacked blocks of at most 1 MiB, over all members of the file."""
    unpacker = _unpacker(packing)
    is_zlib = packing in ("gzip", "zlib")
    block = source.more()
    while True:
        out = unpacker.decompress(block, 1 << 20)
        if out:
            yield out
        if unpacker.eof:
            block = unpacker.unused_data or source.more()
            if not block:
                return
            unpacker = _unpacker(packing)
            continue
        block = unpacker.unconsumed_tail if is_zlib else b""
        if not block and (is_zlib or unpacker.needs_input):
            block = source.more()
            if not block:
                if out:
                    continue
                raise EOFError("cut")


def _zstd_blocks(source: PackedSource) -> Iterator[bytes]:
    import zstandard

    reader = zstandard.ZstdDecompressor(max_window_size=1 << 26).stream_reader(
        cast("BinaryIO", _Blocks(source)), read_across_frames=True
    )
    try:
        while block := reader.read(1 << 20):
            yield block
    except zstandard.ZstdError as error:
        raise EOFError(str(error)) from None


class _Blocks:
    """The packed file as zstandard wants to read it."""

    def __init__(self, source: PackedSource) -> None:
        self._source = source

    def read(self, _count: int = -1) -> bytes:
        return self._source.more()
