"""The directory of a zip file, read strictly, with the place where each member's bytes lie.

Readers of zip files disagree where a file contradicts itself; a scanner that believes one side
can be led past what a loader reads. So local and central headers must agree, names be unique and
members apart from each other. Written here because `zipfile` accepts all of that, and costs more
to import than most files cost to inspect.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from modelyard.formats.reading import Region, bad, printable

if TYPE_CHECKING:
    from modelyard.formats.interface import Budget

__all__ = ["STORED", "Member", "head_of", "members", "unpack"]

STORED = 0
_DEFLATED = 8
_BOMB = 1 << 30
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")


@dataclass(frozen=True, slots=True)
class Member:
    """One file inside a zip."""

    name: str
    method: int
    start: int
    """First byte of its data in the zip file."""
    packed: int
    """Bytes it occupies there."""
    size: int
    """Bytes it has once unpacked."""


def members(file: BinaryIO, budget: Budget) -> tuple[Member, ...]:
    """All members in the order of the central directory."""
    region = Region(file, kind="bad-zip")
    count, at, length = _directory(region)
    if count * _CENTRAL.size > length:
        raise bad("bad-zip", f"{count} members do not fit a directory of {length} bytes")
    if count > budget.max_tensors or length > budget.max_header:
        raise bad("bad-zip", f"{count} members are too many")
    directory = region.read(at, length)
    found: dict[str, Member] = {}
    pos = 0
    for index in range(count):
        member, pos = _member(region, directory, pos, at)
        if member.name in found:
            raise bad("bad-zip", f"the member {printable(member.name)!r} is there twice")
        found[member.name] = member
        if index % 256 == 0 and budget.spent:
            raise bad("bad-zip", f"{count} members take too long to read")
    if pos != length:
        raise bad("bad-zip", "the directory has bytes that belong to no member")
    _check_apart(found)
    _check_growth(found, region.size)
    return tuple(found.values())


def unpack(file: BinaryIO, member: Member, limit: int) -> bytes:
    """The bytes of one member; refused if they are more than `limit`."""
    if member.size > limit:
        raise bad("bad-zip", f"{printable(member.name)!r} has {member.size} bytes: too many")
    data = head_of(file, member, member.size)
    if len(data) != member.size:
        raise bad("bad-zip", f"{printable(member.name)!r} does not unpack to its size")
    return data


def head_of(file: BinaryIO, member: Member, count: int) -> bytes:
    """The first bytes of a member, at most `count`, unpacking no more than needed."""
    count = min(count, member.size)
    if member.method == STORED:
        return Region(file, member.start, member.packed, kind="bad-zip").read(0, count)
    if member.method != _DEFLATED:
        raise bad("bad-zip", f"{printable(member.name)!r} is packed by method {member.method}")
    region = Region(file, member.start, member.packed, kind="bad-zip")
    inflater = zlib.decompressobj(-15)
    out = bytearray()
    pos = 0
    while len(out) < count and pos < member.packed and not inflater.eof:
        block = region.upto(pos, 1 << 16)
        pos += len(block)
        try:
            while block and len(out) < count:
                out += inflater.decompress(block, count - len(out))
                block = inflater.unconsumed_tail
        except zlib.error:
            raise bad("bad-zip", f"{printable(member.name)!r} can't be unpacked") from None
    return bytes(out)


def _directory(region: Region) -> tuple[int, int, int]:
    """Number of members, and place and length of the central directory."""
    tail = region.read(max(0, region.size - 65_557), min(region.size, 65_557))
    found = tail.rfind(b"PK\5\6")
    if found < 0 or len(tail) - found < _END.size:
        raise bad("bad-zip", "the zip has no directory: it was probably cut")
    _, disk, first, here, count, length, at, comment = _END.unpack_from(tail, found)
    end = region.size - len(tail) + found
    if found + _END.size + comment != len(tail):
        raise bad("bad-zip", "bytes follow the end of the zip")
    if end >= _LOCATOR.size + _END64.size:
        magic, _, at64, _ = _LOCATOR.unpack(region.read(end - _LOCATOR.size, _LOCATOR.size))
        if magic == b"PK\6\7":
            narrow = (here, count, length, at)
            here, count, length, at = _directory64(region, at64, narrow)
            disk = first = 0
            end = at64
    if disk or first or here != count:
        raise bad("bad-zip", "the zip is a part of several")
    if at + length != end:
        raise bad("bad-zip", "the directory does not lie where the zip says")
    return count, at, length


def _directory64(
    region: Region, at64: int, narrow: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    fields = _END64.unpack(region.read(at64, _END64.size))
    if fields[0] != b"PK\6\6":
        raise bad("bad-zip", "the zip64 directory is not where it should be")
    wide = fields[6:10]
    for small, large, most in zip(
        narrow, wide, (0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1), strict=True
    ):
        if small not in (large, most):
            raise bad("bad-zip", "the two directories of the zip disagree")
    return wide


def _member(region: Region, directory: bytes, pos: int, limit: int) -> tuple[Member, int]:
    if pos + _CENTRAL.size > len(directory):
        raise bad("bad-zip", "the directory was cut")
    fields = _CENTRAL.unpack_from(directory, pos)
    magic, flags, method = fields[0], fields[3], fields[4]
    packed, size, name_length, extra_length, comment = fields[8:13]
    pos += _CENTRAL.size
    raw = directory[pos : pos + name_length]
    extra = directory[pos + name_length : pos + name_length + extra_length]
    pos += name_length + extra_length + comment
    if magic != b"PK\1\2" or pos > len(directory):
        raise bad("bad-zip", "the directory has an entry that is none")
    name = _name(raw, flags)
    if flags & 0x41:
        raise bad("bad-zip", f"{printable(name)!r} is encrypted")
    size, packed, at = _wide(extra, size, packed, fields[16])
    start = _data_start(region, at, raw, method)
    if start + packed > limit or (method == STORED and packed != size):
        raise bad("bad-zip", f"{printable(name)!r} has a size that can't be")
    return Member(name, method, start, packed, size), pos


def _name(raw: bytes, flags: int) -> str:
    try:
        name = raw.decode("utf-8" if flags & 0x800 else "cp437")
    except UnicodeDecodeError:
        raise bad("bad-zip", "a member's name is no text") from None
    parts = name.replace("\\", "/").split("/")
    if "\0" in name or not name or name[0] in "/\\" or ".." in parts or name[1:2] == ":":
        raise bad("bad-zip", f"the member name {printable(name)!r} leaves the folder")
    return name


def _wide(extra: bytes, size: int, packed: int, at: int) -> tuple[int, int, int]:
    """Sizes of more than 32 bits stand in an extra field."""
    pos = 0
    while pos + 4 <= len(extra):
        tag, length = struct.unpack_from("<2H", extra, pos)
        body = extra[pos + 4 : pos + 4 + length]
        pos += 4 + length
        if tag != 1:
            continue
        values = [value for (value,) in struct.iter_unpack("<Q", body[: length // 8 * 8])]
        wanted = [number == 2**32 - 1 for number in (size, packed, at)]
        if len(values) < sum(wanted):
            raise bad("bad-zip", "a zip64 field was cut")
        feed = iter(values)
        size, packed, at = (
            next(feed) if wide else number
            for wide, number in zip(wanted, (size, packed, at), strict=True)
        )
    return size, packed, at


def _data_start(region: Region, at: int, raw: bytes, method: int) -> int:
    """The local header may be padded otherwise than the central one, so it is read."""
    fields = _LOCAL.unpack(region.read(at, _LOCAL.size))
    name_length, extra_length = int(fields[9]), int(fields[10])
    if fields[0] != b"PK\3\4" or fields[3] != method:
        raise bad("bad-zip", "a member's own header contradicts the directory")
    if region.read(at + _LOCAL.size, name_length) != raw:
        raise bad("bad-zip", "a member has another name in its own header")
    return at + _LOCAL.size + name_length + extra_length


def _check_apart(found: dict[str, Member]) -> None:
    end = 0
    for member in sorted(found.values(), key=lambda member: (member.start, member.packed)):
        if member.start < end:
            raise bad("bad-zip", f"{printable(member.name)!r} overlaps another member")
        end = member.start + member.packed


def _check_growth(found: dict[str, Member], size: int) -> None:
    """Refuse a bomb by its own words: nothing is unpacked to find out."""
    grown = sum(member.size for member in found.values())
    if grown > _BOMB and grown > 100 * size:
        raise bad("bad-zip", f"{size} bytes would unpack to {grown}")
