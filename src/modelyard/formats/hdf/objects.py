"""HDF5's superblock, object headers and their messages, of both generations of the format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.formats.reading import bad

if TYPE_CHECKING:
    from modelyard.formats.interface import Budget
    from modelyard.formats.reading import Region

__all__ = ["KIND", "NOWHERE", "Bytes", "Incomplete", "Part", "messages", "root_of"]

KIND = "bad-hdf5"
NOWHERE = (1 << 64) - 1
_MESSAGES = 20_000


class Incomplete(Exception):
    """A part of the file is written in a way that is not understood here."""


@dataclass(frozen=True, slots=True)
class Part:
    """One message of an object header."""

    kind: int
    start: int
    end: int
    shared: bool


class Bytes:
    """Little-endian numbers at offsets of the file, with a clock for hostile mazes."""

    __slots__ = ("_budget", "_steps", "region")

    def __init__(self, region: Region, budget: Budget) -> None:
        self.region = region
        self._budget = budget
        self._steps = 0

    def number(self, at: int, size: int) -> int:
        self._steps += 1
        if self._steps & 1023 == 0 and self._budget.spent:
            raise bad(KIND, "the file takes too long to read")
        return int.from_bytes(self.region.read(at, size), "little")

    def expect(self, at: int, magic: bytes) -> None:
        if self.region.read(at, len(magic)) != magic:
            raise bad(KIND, f"byte {at} should begin {magic.decode('latin-1')!r}")


def root_of(data: Bytes) -> int:
    """Address of the root group's header, after checking the superblock."""
    version = data.number(8, 1)
    if version in (0, 1):
        widths, at = (data.number(13, 1), data.number(14, 1)), 24 + 4 * version
        base, end, root = at, at + 16, at + 40
    elif version in (2, 3):
        widths = (data.number(9, 1), data.number(10, 1))
        base, end, root = 12, 28, 36
    else:
        raise bad(KIND, f"there is no superblock of version {version}")
    if widths != (8, 8) or data.number(base, 8) != 0:
        raise Incomplete("addresses are not of eight bytes, or begin elsewhere")
    if data.number(end, 8) > data.region.size:
        raise bad(KIND, "the file was cut: it says that it is longer")
    return data.number(root, 8)


def messages(data: Bytes, address: int) -> list[Part]:
    """All messages of an object header, through its continuation blocks."""
    if data.region.read(address, 4) == b"OHDR":
        return _modern(data, address)
    if data.number(address, 1) != 1:
        raise bad(KIND, f"byte {address} begins no object")
    found: list[Part] = []
    blocks = [(address + 16, data.number(address + 8, 4))]
    for start, length in blocks:
        pos, end = start, _end(data, start, length)
        while pos + 8 <= end:
            kind, size = data.number(pos, 2), data.number(pos + 2, 2)
            shared = bool(data.number(pos + 4, 1) & 2)
            pos += 8
            _add(data, found, blocks, Part(kind, pos, pos + size, shared), end)
            pos += size
    return found


def _modern(data: Bytes, address: int) -> list[Part]:
    flags = data.number(address + 5, 1)
    pos = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    found: list[Part] = []
    blocks = [(pos + width, data.number(pos, width))]
    head = 6 if flags & 4 else 4
    for index, (start, length) in enumerate(blocks):
        pos, end = start, _end(data, start, length)
        if index:
            data.expect(start, b"OCHK")
            pos, end = pos + 4, end - 4
        while pos + head <= end:
            kind, size = data.number(pos, 1), data.number(pos + 1, 2)
            shared = bool(data.number(pos + 3, 1) & 2)
            pos += head
            _add(data, found, blocks, Part(kind, pos, pos + size, shared), end)
            pos += size
    return found


def _end(data: Bytes, start: int, length: int) -> int:
    if length > data.region.size - start:
        raise bad(KIND, "an object header is longer than the file")
    return start + length


def _add(
    data: Bytes, found: list[Part], blocks: list[tuple[int, int]], part: Part, end: int
) -> None:
    if part.end > end:
        raise bad(KIND, f"the message at byte {part.start} is longer than its header")
    if len(found) > _MESSAGES or len(blocks) > 1000:
        raise bad(KIND, "an object has too many messages")
    if part.kind == 0x10 and part.end - part.start >= 16:
        block = (data.number(part.start, 8), data.number(part.start + 8, 8))
        if block in blocks:
            raise bad(KIND, "an object header continues in itself")
        blocks.append(block)
    found.append(part)
