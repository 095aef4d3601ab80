"""The files of a version in a folder of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from modelyard.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["FolderFiles"]


class FolderFiles:
    """A folder as `Files`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def paths(self) -> Sequence[str]:
        found = (path for path in self._root.rglob("*") if path.is_file())
        relative = (path.relative_to(self._root).as_posix() for path in found)
        return sorted(path for path in relative if not path.startswith(".modelyard/"))

    def size(self, path: str) -> int:
        return self._place(path).stat().st_size

    def open(self, path: str) -> BinaryIO:
        return self._place(path).open("rb")

    def read(self, path: str) -> bytes:
        return self._place(path).read_bytes()

    def folder(self) -> Path:
        return self._root

    def _place(self, path: str) -> Path:
        place = self._root / path
        try:
            inside = place.resolve().is_relative_to(self._root.resolve()) and place.is_file()
        except (OSError, ValueError):  # names that no file system takes
            inside = False
        if not inside:
            raise NotFound("no-file", f"no file named {path[:200]}")
        return place
