"""Packet lines, git's framing: four hex digits of length, then as many bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["FLUSH", "Packets", "framed", "packet", "said"]

FLUSH = b"0000"
_LARGEST = 65520
_PIECE = 65515


def packet(content: bytes) -> bytes:
    """One line, framed."""
    return b"%04x%b" % (len(content) + 4, content)


def framed(band: int, pieces: Iterable[bytes], largest: int = _PIECE) -> Iterator[bytes]:
    """Bytes on one band of a side band: 1 is content, 2 is shown to people."""
    for piece in pieces:
        for at in range(0, len(piece), largest):
            yield packet(bytes([band]) + piece[at : at + largest])


def said(text: str) -> bytes:
    """Words that git shows after `remote:`."""
    clean = "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
    return b"".join(framed(2, [clean.encode() + b"\n"], 900))


class Packets:
    """Reads packet lines. InvalidInput: `bad-packet`."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self._at = 0

    def next(self) -> bytes | None:
        """The next line without its newline; None for a flush."""
        head = bytes(self._data[self._at : self._at + 4])
        try:
            length = int(head, 16) if len(head) == 4 else -1
        except ValueError:
            length = -1
        if length in (0, 1, 2):
            self._at += 4
            return None
        end = self._at + length
        if not 4 <= length <= _LARGEST or end > len(self._data):
            raise InvalidInput("bad-packet", "this is no request of git's")
        line = bytes(self._data[self._at + 4 : end])
        self._at = end
        return line.removesuffix(b"\n")

    @property
    def is_over(self) -> bool:
        return self._at >= len(self._data)

    @property
    def rest(self) -> memoryview:
        """What follows the lines: a pack."""
        return self._data[self._at :]
