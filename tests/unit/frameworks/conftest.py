"""Saving an object into a folder, as the registry will."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.frameworks import FolderFiles, Framework, Saved, named, serializer_of

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.insert(0, str(Path(__file__).parent))  # for the modules next to the tests


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., tuple[FolderFiles, Saved]]:
    """`saved("sklearn", obj, serializer=None, example=None)`: its files, and how they were saved.

    What `save` returned goes through the manifest's JSON before it is handed back.
    """
    count = iter(range(1000))

    def save(
        framework: Framework | str,
        obj: Any,
        *,
        serializer: str | None = None,
        example: Any = None,
    ) -> tuple[FolderFiles, Saved]:
        module = named(framework) if isinstance(framework, str) else framework
        folder = tmp_path / f"saved-{next(count)}"
        folder.mkdir()
        how = module.save(obj, folder, serializer_of(module, serializer), example)
        return FolderFiles(folder), Saved.decode(_through_json(how.encode()))

    return save


@pytest.fixture
def folder_files(tmp_path: Path) -> Callable[..., FolderFiles]:
    """`folder_files({"a/b.pkl": b"..."})`: a folder with these files, as `yard commit` finds it."""
    count = iter(range(1000))

    def write(contents: dict[str, bytes]) -> FolderFiles:
        folder = tmp_path / f"files-{next(count)}"
        folder.mkdir()
        for path, content in contents.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        return FolderFiles(folder)

    return write


def _through_json(content: Any) -> Any:
    import json

    return json.loads(json.dumps(content, allow_nan=False))
