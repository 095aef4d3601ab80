"""What files of one version say of each other: data beside ONNX, shards, SavedModel variables.

Each such name must stay inside the version and be there. The files themselves were inspected
before; here only the names in them count.
"""

from __future__ import annotations

import posixpath
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from modelyard.core.version import Finding
from modelyard.errors import InvalidInput
from modelyard.formats.interface import Budget
from modelyard.formats.reading import Json, Region, parse_json, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["SHARDS", "between", "inspect_folder", "shards_of"]

SHARDS = ".index.json"
"""How the name of an index of a sharded model ends."""
_INDEX = 16_000_000
_FINDINGS = 100


def inspect_folder(root: Path, paths: Sequence[str]) -> tuple[Finding, ...]:
    """Findings about names that lead out of the folder, or to nothing.

    Args:
        root: the folder as it is on disk.
        paths: the relative paths of the files that will be committed.
    """
    named: dict[str, Sequence[str]] = {}
    for path in paths:
        if path.endswith(".onnx"):
            named[path] = _external_of(root / path)
        elif path.endswith(SHARDS):
            with suppress(OSError), (root / path).open("rb") as file:
                named[path] = shards_of(file)
    steps = {step for path in _targets(named) for step in _steps(path)}
    return between(paths, [step for step in steps if _is_link(root / step)], named)


def between(
    paths: Iterable[str], links: Iterable[str], named: Mapping[str, Iterable[str]]
) -> tuple[Finding, ...]:
    """As `inspect_folder`, of files that lie anywhere.

    Args:
        paths: All files of a version.
        links: Those that are symbolic links.
        named: The names of other files that ONNX files and shard indexes hold, as they hold them.
    """
    known, linked = set(paths), set(links)
    found: list[Finding] = []
    for path in sorted(known):
        if len(found) >= _FINDINGS:
            break
        if path in named:
            kind = "shard-index" if path.endswith(SHARDS) else "external-data"
            found += _check(path, known, linked, named[path], kind)
        elif path.rpartition("/")[2] == "saved_model.pb":
            found += _variables(path, known)
    return tuple(found[:_FINDINGS])


def _check(
    path: str, known: set[str], linked: set[str], names: Iterable[str], kind: str
) -> list[Finding]:
    """One finding for each name that is not a committed file below the folder of its mention."""
    found = []
    for name in sorted(set(names)):
        text = printable(name)
        target = _target(path, name)
        if _leaves(name) or not name:
            found.append(Finding(kind, "danger", f"{text} leaves the folder", path))
        elif not linked.isdisjoint(_steps(target)):
            found.append(Finding(kind, "danger", f"{text} goes through a symbolic link", path))
        elif target not in known:
            found.append(Finding(kind, "warning", f"{text} is not among the files", path))
    return found


def _target(path: str, name: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name))


def _targets(named: Mapping[str, Iterable[str]]) -> Iterator[str]:
    for path, names in named.items():
        yield from (_target(path, name) for name in names if not _leaves(name))


def _steps(target: str) -> list[str]:
    """A path, and the folders on the way to it."""
    parts = target.split("/")
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]


def _leaves(name: str) -> bool:
    slashed = name.replace("\\", "/")
    rooted = slashed.startswith("/") or slashed[1:2] == ":" or "://" in slashed or "\0" in slashed
    return rooted or ".." in slashed.split("/")


def _is_link(place: Path) -> bool:
    try:
        return stat.S_ISLNK(place.lstat().st_mode)
    except (OSError, ValueError):
        return False


def _external_of(path: Path) -> list[str]:
    from modelyard.formats.inspecting import inspect

    try:
        with path.open("rb") as file:
            external = inspect(file, path.name).metadata.get("external", {})
    except (OSError, InvalidInput):
        return []
    return [location for location, *_ in external.values()]


def shards_of(file: BinaryIO) -> list[str]:
    """The files that the index of a sharded model names."""
    try:
        region = Region(file, kind="bad-index")
        if region.size > _INDEX:
            return []
        index: Json = parse_json(region.read(0, region.size), "bad-index", Budget().begun())
    except InvalidInput:
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
