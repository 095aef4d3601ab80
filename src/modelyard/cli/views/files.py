"""Views of one file of a version."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Self

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.cli.text import Block

__all__ = ["FileView", "TextView"]

MOST_TEXT = 10_000_000


@dataclass(frozen=True, slots=True)
class FileView:
    """A file inside a JSON document."""

    path: str
    data: bytes

    def json(self) -> object:
        known = {"path": self.path, "size": len(self.data)}
        try:
            return known | {"text": self.data.decode()}
        except UnicodeDecodeError:
            return known | {"base64": base64.b64encode(self.data).decode()}

    def lines(self) -> Iterator[Block]:
        return iter(self.data.decode(errors="replace").splitlines())

    def ids(self) -> Iterator[str]:
        yield self.path


@dataclass(frozen=True, slots=True)
class TextView:
    """A text file on a terminal."""

    path: str
    text: str

    @classmethod
    def read(cls, path: str, file: BinaryIO) -> Self:
        """The file as text; InvalidInput if it would only be noise on a terminal."""
        data = file.read(MOST_TEXT + 1)
        try:
            if len(data) > MOST_TEXT or b"\0" in data:
                raise ValueError
            return cls(path, data.decode())
        except ValueError:
            raise InvalidInput(
                "not-text",
                f"{path} is not text that a terminal can show",
                hint="write it to a file: yard cat ... > FILE",
            ) from None

    def json(self) -> object:
        return {"path": self.path, "text": self.text}

    def lines(self) -> Iterator[Block]:
        return (line.expandtabs() for line in self.text.splitlines())

    def ids(self) -> Iterator[str]:
        return iter(self.text.splitlines())
