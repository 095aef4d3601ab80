"""Folders as bytes, for workers that don't see this machine's files."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["packed", "unpacked"]


def packed(path: Path) -> bytes:
    """A folder or a file, its name left out."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        if path.is_file():
            archive.add(path, arcname=path.name)
        for each in sorted(path.rglob("*")) if path.is_dir() else ():
            archive.add(each, arcname=each.relative_to(path).as_posix(), recursive=False)
    return made.getvalue()


def unpacked(content: bytes, folder: Path) -> Path:
    """Into a folder that is not there yet, whole or not at all; the same folder."""
    room = folder.with_name(f".{folder.name}-new")
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(room, filter="data")
    room.rename(folder)
    return folder
