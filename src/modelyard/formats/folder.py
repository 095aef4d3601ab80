"""What files of one version say of each other: data beside ONNX, shards, SavedModel variables.

Each such name must stay inside the version and be there. The files themselves were inspected
before; here only the names in them count.
"""

from __future__ import annotations

import posixpath
import stat
from typing import TYPE_CHECKING

from modelyard.core.version import Finding
from modelyard.errors import InvalidInput
from modelyard.formats.interface import Budget
from modelyard.formats.reading import Json, Region, parse_json, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["inspect_folder"]

_INDEX = 16_000_000
_FINDINGS = 100


def inspect_folder(root: Path, paths: Sequence[str]) -> tuple[Finding, ...]:
    """Findings about names that lead out of the folder, or to nothing.

    Args:
        root: the folder as it is on disk.
        paths: the relative paths of the files that will be committed.
    """
    known = set(paths)
    found: list[Finding] = []
    for path in paths:
        if len(found) >= _FINDINGS:
            break
        if path.endswith(".onnx"):
            found += _check(root, path, known, _external_of(root / path), "external-data")
        elif path.endswith(".index.json"):
            found += _check(root, path, known, _shards_of(root / path), "shard-index")
        elif path.rpartition("/")[2] == "saved_model.pb":
            found += _variables(path, known)
    return tuple(found[:_FINDINGS])


def _check(
    root: Path, path: str, known: set[str], names: Iterable[str], kind: str
) -> list[Finding]:
    """One finding for each name that is not a committed file below the folder of its mention."""
    found = []
    for name in sorted(set(names)):
        text = printable(name)
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
        if _leaves(name) or not name:
            found.append(Finding(kind, "danger", f"{text} leaves the folder", path))
            continue
        if _is_linked(root, target):
            found.append(Finding(kind, "danger", f"{text} goes through a symbolic link", path))
        elif target not in known:
            found.append(Finding(kind, "warning", f"{text} is not among the files", path))
    return found


def _leaves(name: str) -> bool:
    slashed = name.replace("\\", "/")
    rooted = slashed.startswith("/") or slashed[1:2] == ":" or "://" in slashed or "\0" in slashed
    return rooted or ".." in slashed.split("/")


def _is_linked(root: Path, target: str) -> bool:
    """Whether the file, or a folder on the way to it, is a symbolic link."""
    step = root
    for part in target.split("/"):
        step = step / part
        try:
            if stat.S_ISLNK(step.lstat().st_mode):
                return True
        except (OSError, ValueError):
            return False
    return False


def _external_of(path: Path) -> list[str]:
    from modelyard.formats.inspecting import inspect

    try:
        with path.open("rb") as file:
            external = inspect(file, path.name).metadata.get("external", {})
    except (OSError, InvalidInput):
        return []
    return [location for location, _offset, _length in external.values()]


def _shards_of(path: Path) -> list[str]:
    """The files that the index of a sharded model names."""
    try:
        with path.open("rb") as file:
            region = Region(file, kind="bad-index")
            if region.size > _INDEX:
                return []
            index: Json = parse_json(region.read(0, region.size), "bad-index", Budget().begun())
    except (OSError, InvalidInput):
        return []
    weights = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weights, dict):
        return []
    return [name for name in weights.values() if isinstance(name, str)]


def _variables(path: str, known: set[str]) -> list[Finding]:
    """Variables may be missing altogether; an index without its values is a loss."""
    folder = posixpath.join(posixpath.dirname(path), "variables")
    beside = [name for name in known if posixpath.dirname(name) == folder]
    has_index = any(name.endswith("variables.index") for name in beside)
    has_values = any("variables.data-" in name for name in beside)
    if has_index == has_values:
        return []
    missing = "variables.data" if has_index else "variables.index"
    return [Finding("savedmodel-variables", "warning", f"{missing} is missing", path)]
