"""Files of an MLflow that is a folder of this machine: only what lies in that folder is read."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["LocalFiles"]


class LocalFiles:
    """Finds what a store's absolute paths mean, also after the folder was moved."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def files(self, place: str) -> dict[str, tuple[str, int]] | str:
        """Key and size of each file below a place, by path; or why there are none."""
        folder = self._find(place)
        if isinstance(folder, str):
            return folder
        if folder.is_file():
            return {folder.name: self._told(folder)}
        found: dict[str, tuple[str, int]] = {}
        for top, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                file = Path(top, name)
                if self._is_inside(file) and file.is_file():
                    found[file.relative_to(folder).as_posix()] = self._told(file)
        return found if found else f"{place} holds no files"

    def read(self, key: str) -> Path | None:
        file = Path(key.partition(":")[2])
        return file if self._is_inside(file) and file.is_file() else None

    def _find(self, place: str) -> Path | str:
        scheme = urlsplit(place).scheme
        if scheme not in ("", "file"):
            return f"its files are at {scheme}://, not in this folder"
        path = Path(unquote(urlsplit(place).path) if scheme else place)
        if not path.is_absolute():
            path = self.root / path
        if self._is_inside(path) and path.exists():
            return path
        parts = path.parts
        for start in range(1, len(parts)):
            moved = self.root.joinpath(*parts[start:])
            is_fit = ".." not in parts[start:] and len(parts) - start > 1
            if is_fit and moved.exists() and self._is_inside(moved):
                return moved
        if path.exists():
            return f"{place} is outside of {self.root}"
        return f"there is nothing at {place}"

    def _is_inside(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.root)

    def _told(self, file: Path) -> tuple[str, int]:
        status = file.stat()
        return f"file:{file}", status.st_size
