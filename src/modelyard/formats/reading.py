"""Bytes of a file by offset, with every length checked before it is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from modelyard.formats.interface import Budget

__all__ = ["Json", "Region", "bad", "parse_json", "printable", "size_of"]

Json = Any
"""What JSON may hold: checked where it is used."""

_BLOCK = 1 << 16


def bad(kind: str, message: str) -> InvalidInput:
    """A refusal of a malformed file, told in one sentence."""
    return InvalidInput(kind, message, hint="write the file again, or leave it out of the commit")


def size_of(file: BinaryIO) -> int:
    """How many bytes the file has."""
    return file.seek(0, 2)


class Region:
    """A stretch of a file read by offsets of its own.

    One block is kept, so that walking small fields forward costs one read per block.
    """

    __slots__ = ("_at", "_block", "_file", "kind", "size", "start")

    def __init__(
        self, file: BinaryIO, start: int = 0, size: int | None = None, *, kind: str = "bad-file"
    ) -> None:
        self._file = file
        self._block = b""
        self._at = 0
        self.start = start
        self.size = size_of(file) - start if size is None else size
        self.kind = kind

    def read(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes; a file that ends before is refused."""
        if offset < 0 or count < 0 or offset + count > self.size:
            raise bad(self.kind, f"the file ends before byte {self.start + offset + count}")
        skip = offset - self._at
        if skip < 0 or skip + count > len(self._block):
            wanted = min(max(count, _BLOCK), self.size - offset)
            if count > _BLOCK:
                return self._load(offset, count)
            self._block = self._load(offset, wanted)
            self._at = offset
            skip = 0
        return self._block[skip : skip + count]

    def upto(self, offset: int, count: int) -> bytes:
        """At most `count` bytes: fewer at the end."""
        offset = min(offset, self.size)
        return self.read(offset, min(count, self.size - offset))

    def _load(self, offset: int, count: int) -> bytes:
        self._file.seek(self.start + offset)
        data = self._file.read(count)
        if len(data) < count:
            raise bad(self.kind, f"the file ends before byte {self.start + offset + count}")
        return data


def parse_json(data: bytes, kind: str, budget: Budget) -> Json:
    """JSON without what two readers could understand differently.

    Duplicate keys, NaN and endless numbers are refused. The cost is estimated first, since a
    document of empty lists grows twentyfold in memory.
    """
    opened = 64 * data.count(b"[") + 240 * data.count(b"{")
    cost = len(data) * 2 + 60 * data.count(b",") + opened
    if cost > budget.max_memory:
        raise bad(kind, f"{len(data)} bytes of JSON would need {cost} bytes of memory")
    import json

    try:
        return json.loads(data, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise bad(kind, "the JSON is nested too deeply") from None
    except (ValueError, OverflowError) as error:
        raise bad(kind, f"the JSON can't be read: {printable(str(error))}") from None


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {key[:80]!r} is given twice")
            seen.add(key)
    return found


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def printable(text: str, limit: int = 200) -> str:
    """Text of a file as it may stand in a message: one line, no control characters, short."""
    clean = "".join(char if char.isprintable() else "?" for char in text[: limit + 1])
    return clean if len(clean) <= limit else clean[: limit - 3] + "..."
