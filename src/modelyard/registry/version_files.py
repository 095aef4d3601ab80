"""The files of a version as frameworks want them: out of the store, in a folder only if asked."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from modelyard.core.merge import SYMLINK
from modelyard.errors import InvalidInput
from modelyard.registry.blobs import open_blob
from modelyard.registry.files import checkout, open_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.registry.desk import Shelf
    from modelyard.registry.files import Contents

__all__ = ["VersionFiles"]

_WHOLE = 64 << 20
"""Files up to here are decoded at once: libraries read in small pieces, back and forth."""


class VersionFiles:
    """`frameworks.Files` over a stored version; use it in a `with` statement."""

    def __init__(self, shelf: Shelf, found: Contents) -> None:
        self._shelf = shelf
        self._found = found
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def paths(self) -> Sequence[str]:
        return sorted(self._found.tree)

    def size(self, path: str) -> int:
        entry = self._found.tree.get(path)
        return entry.size if entry is not None else len(self.read(path))

    def open(self, path: str) -> BinaryIO:
        entry = self._found.tree.get(path)
        if entry is not None and entry.size <= _WHOLE:
            return io.BytesIO(self.read(path))
        return open_file(self._shelf, self._found, path)

    def read(self, path: str) -> bytes:
        entry = self._found.tree.get(path)
        if entry is not None and entry.mode == SYMLINK:
            raise _link(path)
        if entry is None or entry.inline is not None:
            return open_file(self._shelf, self._found, path).read()
        blob = open_blob(self._shelf, self._found.blob(entry))
        return blob.read_all(self._shelf.pool).tobytes()

    def folder(self) -> Path:
        for path, entry in self._found.tree.items():
            if entry.mode == SYMLINK:  # what we look at and what a library opens must be one
                raise _link(path)
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="yard-load-")
            place = Path(self._folder.name)
            checkout(self._shelf, self._found, place, (), lambda _: None)
        return Path(self._folder.name)


def _link(path: str) -> InvalidInput:
    return InvalidInput(
        "not-loadable", f"{path} is a link", hint="commit the files themselves to load them"
    )
