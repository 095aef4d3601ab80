"""Which safetensors files make up a model: one, or shards that an index names."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats.interface import Budget
from modelyard.formats.reading import parse_json, printable

if TYPE_CHECKING:
    from modelyard.frameworks.interface import Files

__all__ = ["INDEX", "Weights", "read_json", "weight_files"]

INDEX = ".safetensors.index.json"
_OWN = ("optimizer.safetensors",)
_LARGEST = 16_000_000


@dataclass(frozen=True, slots=True)
class Weights:
    """The files that hold the tensors."""

    files: tuple[str, ...]
    index: str | None
    """The index that names them, if there is one."""
    folder: str
    stem: str
    """The name without `.safetensors`."""

    @property
    def main(self) -> str:
        """The file to name when the model is meant."""
        return self.index or self.files[0]


def weight_files(files: Files) -> Weights | None:
    """The one model of safetensors files, or None where there is none, or more than one.

    Raises:
        InvalidInput: `not-loadable`: an index names files that are not there.
    """
    paths = files.paths()
    indices = [path for path in paths if path.endswith(INDEX)]
    found = [p for p in paths if p.endswith(".safetensors") and posixpath.basename(p) not in _OWN]
    if len(indices) > 1:
        return None
    if indices:
        shards = _shards(files, indices[0])
        if set(found) - set(shards):
            return None
        folder, name = posixpath.split(indices[0])
        return Weights(shards, indices[0], folder, name.removesuffix(INDEX))
    if len(found) != 1:
        return None
    folder, name = posixpath.split(found[0])
    return Weights((found[0],), None, folder, name.removesuffix(".safetensors"))


def read_json(files: Files, path: str) -> Any:
    """A small JSON object of a version. InvalidInput: `not-loadable`."""
    if files.size(path) > _LARGEST:
        raise InvalidInput("not-loadable", f"{path} is too large to be read")
    content = parse_json(files.read(path), "not-loadable", Budget().begun())
    if not isinstance(content, dict):
        raise InvalidInput("not-loadable", f"{path} is no JSON object")
    return content


def _shards(files: Files, index: str) -> tuple[str, ...]:
    weights = read_json(files, index).get("weight_map")
    if not isinstance(weights, dict) or not all(type(v) is str for v in weights.values()):
        raise InvalidInput("not-loadable", f"{index} has no weight_map")
    paths = set(files.paths())
    shards = []
    for name in dict.fromkeys(weights.values()):
        path = posixpath.join(posixpath.dirname(index), name)
        if path not in paths or not path.endswith(".safetensors"):
            raise InvalidInput("not-loadable", f"{index} names {printable(name)!r}: no shard")
        shards.append(path)
    return tuple(sorted(shards))
