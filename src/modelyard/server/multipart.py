"""`multipart/form-data` that lies in a file: its parts are found there, and never all in memory."""

from __future__ import annotations

import mmap
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Part", "parts_of"]

_MOST = 20_000
_LONGEST_HEAD = 16_384
_PIECE = 16 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form, or one file."""

    name: str
    filename: str | None
    """None for a field."""
    size: int
    _data: mmap.mmap
    _start: int

    def text(self, most: int = 1 << 20) -> str:
        """A field's value. InvalidInput: `bad-form`."""
        if self.size > most:
            raise InvalidInput("bad-form", f"the field {self.name!r} is too long")
        try:
            return self._data[self._start : self._start + self.size].decode()
        except UnicodeDecodeError:
            raise InvalidInput("bad-form", f"the field {self.name!r} is no UTF-8") from None

    def pieces(self) -> Iterator[bytes]:
        """A file's content."""
        for at in range(self._start, self._start + self.size, _PIECE):
            yield self._data[at : min(at + _PIECE, self._start + self.size)]


@contextmanager
def parts_of(file: Path, content_type: str) -> Iterator[list[Part]]:
    """The parts of a form; read them inside of the `with` block. InvalidInput: `bad-form`."""
    head = Message()
    head["content-type"] = content_type
    boundary = head.get_boundary()
    if head.get_content_type() != "multipart/form-data" or not boundary:
        raise InvalidInput(
            "wrong-media-type", "the body is to be multipart/form-data",
            hint="curl -F files=@model.onnx -F message=first",
        )  # fmt: skip
    if len(boundary) > 200 or not boundary.isascii():
        raise _bad("its boundary is none")
    with file.open("rb") as opened:
        if not file.stat().st_size:
            raise _bad("it is empty")
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield list(_parts(data, b"--" + boundary.encode()))


def _parts(data: mmap.mmap, border: bytes) -> Iterator[Part]:
    at = 0 if data[: len(border)] == border else data.find(b"\r\n" + border) + 2
    if at == 1:
        raise _bad("its boundary is not in it")
    for _ in range(_MOST):
        at += len(border)
        if data[at : at + 2] == b"--":
            return
        end_of_line = data.find(b"\r\n", at, at + 100)
        end = data.find(b"\r\n\r\n", at, at + _LONGEST_HEAD)
        if end_of_line < 0 or end < 0 or data[at:end_of_line].strip(b" \t"):
            raise _bad("a part has no head")
        start, stop = end + 4, data.find(b"\r\n" + border, end + 2)
        if stop < 0:
            raise _bad("it is cut")
        yield _part(data, data[end_of_line + 2 : end], start, max(stop, start))
        at = stop + 2
    raise _bad(f"it has more than {_MOST:,} parts")


def _part(data: mmap.mmap, head: bytes, start: int, stop: int) -> Part:
    try:
        told = HeaderParser().parsestr(head.decode())
    except UnicodeDecodeError:
        raise _bad("the head of a part is no UTF-8") from None
    name = told.get_param("name", header="content-disposition")
    if told.get_content_disposition() != "form-data" or not isinstance(name, str):
        raise _bad("a part has no name")
    return Part(name, told.get_filename(), stop - start, data, start)


def _bad(reason: str) -> InvalidInput:
    return InvalidInput("bad-form", f"the form can't be read: {reason}")
