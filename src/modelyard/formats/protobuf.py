"""Protobuf messages read field by field where they lie, without a schema and without copying.

Large fields are given as ranges, so a model of many gigabytes costs as little as its structure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.formats.reading import Region, bad, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.formats.interface import Budget

__all__ = ["LENGTH", "VARINT", "Field", "Message", "packed_varints", "signed"]

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_TEXT = 4096

Field = tuple[int, int, int, int]
"""Number, wire type, and either value and 0 or the range of bytes."""


class Message:
    """A file of protobuf, or a message in it."""

    __slots__ = ("_budget", "_count", "_region", "kind")

    def __init__(self, region: Region, budget: Budget) -> None:
        self._region = region
        self._budget = budget
        self._count = 0
        self.kind = region.kind

    def fields(self, start: int, end: int) -> Iterator[Field]:
        """The fields of the message that lies in a range."""
        if end > self._region.size:
            raise bad(self.kind, "a message is longer than the file")
        pos = start
        while pos < end:
            key, pos = self._varint(pos, end)
            number, wire = key >> 3, key & 7
            if number == 0 or key >> 32:  # others would take 32 bits of it: another field
                raise bad(self.kind, f"byte {pos - 1} begins no field")
            self._charge()
            if wire == VARINT:
                value, pos = self._varint(pos, end)
                yield number, wire, value, 0
                continue
            if wire == LENGTH:
                length, pos = self._varint(pos, end)
            elif wire in (FIXED32, FIXED64):
                length = 4 if wire == FIXED32 else 8
            else:
                raise bad(self.kind, f"byte {pos - 1} has a field of unknown type {wire}")
            if length > end - pos:
                raise bad(self.kind, f"the field at byte {pos} is longer than its message")
            yield number, wire, pos, pos + length
            pos += length

    def _charge(self) -> None:
        self._count += 1
        if self._count & 1023 == 0 and self._budget.spent:
            raise bad(self.kind, "the structure takes too long to read")

    def _varint(self, pos: int, end: int) -> tuple[int, int]:
        data = self._region.read(pos, min(10, end - pos)) if pos < end else b""
        value = shift = 0
        for index, byte in enumerate(data):
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, pos + index + 1
            shift += 7
        raise bad(self.kind, f"the number at byte {pos} has no end")

    def bytes(self, start: int, end: int) -> bytes:
        """A field as bytes; only for what is small by its nature."""
        if end - start > self._budget.max_header // 8:
            raise bad(self.kind, f"the field at byte {start} is too large")
        return self._region.read(start, end - start)

    def text(self, start: int, end: int) -> str:
        """A field as text of at most some thousand characters."""
        if end - start > _TEXT:
            raise bad(self.kind, f"a name of {end - start} bytes is too long")
        try:
            return self._region.read(start, end - start).decode("utf-8")
        except UnicodeDecodeError:
            raise bad(self.kind, f"the name at byte {start} is no text") from None

    def shown(self, start: int, end: int) -> str:
        """A field as text for people: cut and cleaned, never refused."""
        raw = self._region.read(start, min(end - start, _TEXT))
        return printable(raw.decode("utf-8", "replace"), 1000)


def signed(value: int) -> int:
    """An int64 as protobuf writes it."""
    return value - (1 << 64) if value >> 63 else value


def packed_varints(data: bytes, kind: str, limit: int) -> list[int]:
    """Numbers in one field; protobuf may also write each as a field of its own."""
    found = []
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            found.append(signed(value & 0xFFFF_FFFF_FFFF_FFFF))
            value = shift = 0
        if len(found) > limit or shift > 70:
            raise bad(kind, "a list of numbers is too long or broken")
    if shift:
        raise bad(kind, "a list of numbers was cut")
    return found
