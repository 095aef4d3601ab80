"""Which files of a folder are written anew, under which names, and what becomes of the others."""

from __future__ import annotations

import json
import posixpath
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from modelyard.errors import InvalidInput, Unsupported
from modelyard.frameworks import FolderFiles
from modelyard.frameworks.torch.shards import read_json
from modelyard.optimization.passes.weights.checkpoints import others_in
from modelyard.optimization.passes.weights.streams import Source, sources_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["OPTIMIZER", "Weights", "copy_rest", "renamed_by", "shards_in", "weights_in"]

Json = Any

OPTIMIZER = ("optimizer.safetensors", "optimizer.json")
_INDEX = ".index.json"
_FORMATS: dict[str, Literal["safetensors", "npz", "torch"]] = {
    ".safetensors": "safetensors", ".npz": "npz", ".pt": "torch", ".pth": "torch", ".bin": "torch"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of tensors."""

    path: str
    format: Literal["safetensors", "npz", "torch"]
    sources: tuple[Source, ...]
    others: tuple[str, ...] = ()
    """What a file of torch holds beside tensors."""

    @property
    def target(self) -> str:
        """Its name once it is written anew: what torch wrote becomes safetensors."""
        if self.format != "torch":
            return self.path
        return posixpath.splitext(self.path)[0] + ".safetensors"


def weights_in(folder: Path, paths: Iterable[str]) -> list[Weights]:
    """The files that are what their names say; `training_args.bin` has no tensors, and is none.

    Raises:
        InvalidInput: those of `formats.inspect`.
        Unsupported: `not-improvable`: a file of torch can't be seen as a whole.
    """
    found = []
    for path in paths:
        kind = _FORMATS.get(posixpath.splitext(path)[1])
        if kind is None or posixpath.basename(path) in OPTIMIZER:
            continue
        sources, inspection = sources_of(folder / path)
        if inspection.format == kind and sources:
            others = others_in(folder / path) if kind == "torch" else ()
            found.append(Weights(path, kind, tuple(sources), others))
    return found


def shards_in(files: FolderFiles) -> list[set[str]]:
    """The files that each index names: they go together."""
    indices = (_index_in(files, path) for path in files.paths() if path.endswith(_INDEX))
    return [set(index.places.values()) for index in indices if index is not None]


def renamed_by(chosen: Iterable[Weights], paths: Iterable[str]) -> dict[str, str]:
    """Names of the files that are written anew. Unsupported: `not-improvable`: two are equal."""
    renamed = {file.path: file.target for file in chosen}
    first: dict[str, str] = {}
    for path in paths:
        target = renamed.get(path, path)
        one = first.setdefault(target, path)
        if one != path:
            raise Unsupported(
                "not-improvable", f"{one} and {path} would both become {target}",
                hint="leave one of them out of the commit",
            )  # fmt: skip
    return renamed


def copy_rest(source: Path, folder: Path, paths: Sequence[str], renamed: Mapping[str, str]) -> None:
    """All other files as they are; indices of shards and `model.json` tell what is now so."""
    files = FolderFiles(source)
    for path in paths:
        if path in renamed or posixpath.basename(path) in OPTIMIZER:
            continue
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        content = _told(files, folder, path, renamed)
        if content is None:
            shutil.copyfile(source / path, target)
        else:
            text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
            target.write_text(text, encoding="utf-8")


def _told(
    files: FolderFiles, folder: Path, path: str, renamed: Mapping[str, str]
) -> dict[str, Json] | None:
    """What a JSON file says now; None for whatever stays as it is."""
    if path == "model.json":
        about = _object_in(files, path)
        return {**about, "kind": "module"} if about.get("kind") == "pair" else None
    index = _index_in(files, path) if path.endswith(_INDEX) else None
    if index is None or not renamed.keys() & set(index.places.values()):
        return None
    names = {value: _moved(value, place, renamed) for value, place in index.places.items()}
    content = dict(index.content)
    content["weight_map"] = {
        tensor: names[value] for tensor, value in content["weight_map"].items()
    }
    if isinstance(content.get("metadata"), dict):
        shards = {renamed[place] for place in index.places.values() if place in renamed}
        sources = (source for shard in shards for source in sources_of(folder / shard)[0])
        size = sum(source.info.nbytes or 0 for source in sources)
        content["metadata"] = {**content["metadata"], "total_size": size}
    return content


def _moved(value: str, place: str, renamed: Mapping[str, str]) -> str:
    """How an index names a file now; it stays in its folder."""
    if renamed.get(place, place) == place:
        return value
    return posixpath.join(posixpath.dirname(value), posixpath.basename(renamed[place]))


@dataclass(frozen=True, slots=True)
class _Index:
    content: Mapping[str, Json]
    places: Mapping[str, str]
    """Paths in the folder, by how the index names them."""


def _index_in(files: FolderFiles, path: str) -> _Index | None:
    """An index of shards; None for a file that is something else."""
    content = _object_in(files, path)
    names = content.get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(value, str) for value in names.values()):
        return None
    base = posixpath.dirname(path)
    places = {value: posixpath.normpath(posixpath.join(base, value)) for value in names.values()}
    return _Index(content, places)


def _object_in(files: FolderFiles, path: str) -> dict[str, Json]:
    """A JSON object; empty for a file that is none, though it is named as one."""
    try:
        found: dict[str, Json] = read_json(files, path)
    except InvalidInput:
        return {}
    return found
