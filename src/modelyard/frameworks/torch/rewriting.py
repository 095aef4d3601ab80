"""A plan done on safetensors files: tensor by tensor, into one file or into shards."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

from modelyard.errors import InvalidInput
from modelyard.formats import inspect
from modelyard.frameworks.torch.checks import bad
from modelyard.frameworks.torch.operations import OPERATIONS, Tensors
from modelyard.frameworks.torch.shards import INDEX, weight_files
from modelyard.frameworks.torch.tensorfile import aliases_of, lazy_of, write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelyard.frameworks.interface import Files

__all__ = ["FILE_STEPS", "rewrite"]

Json = Any
FILE_STEPS = ("shard", "unshard")

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20,
          "GIB": 1 << 30}  # fmt: skip
_SHARDS = 10_000


def rewrite(files: Files, plan: Json, dest: Path) -> tuple[str, ...]:
    """Do a plan on the safetensors files of a version, and copy all other files.

    One tensor is in memory at a time (for a join, its parts). torch is not needed. Where names or
    shapes change, `model.json` tells that these are the tensors of no module any more, and a
    saved optimizer stays behind.

    Args:
        dest: A folder; it is made if it is not there.

    Returns:
        Sentences on what was done.

    Raises:
        InvalidInput: `bad-structure`: the plan can't be done, or there is no safetensors file.
    """
    from modelyard.frameworks.torch.plan import steps_of

    steps = steps_of(plan)
    weights = weight_files(files)
    others = tuple(files.paths())
    if weights is None:
        raise bad("there is no single safetensors model in these files")
    own = {*weights.files, weights.index}
    dest.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        tensors, metadata = _read(files, weights.files, stack)
        before = {name: tensor.shape for name, tensor in tensors.items()}
        limit = _LIMIT_KEPT if weights.index else None
        sentences = []
        for word, content in steps:
            if word in FILE_STEPS:
                limit, sentence = _limit(word, content)
            else:
                tensors, sentence = OPERATIONS[word](tensors, content)
            sentences.append(sentence)
        same = before == {name: tensor.shape for name, tensor in tensors.items()}
        if limit is _LIMIT_KEPT:
            limit = max(files.size(path) for path in weights.files)
        parent = dest / weights.folder
        parent.mkdir(parents=True, exist_ok=True)
        sentences += _write(parent, weights.stem, tensors, metadata, limit)
    sentences += _copy(files, [path for path in others if path not in own], dest, same)
    return tuple(sentences)


_LIMIT_KEPT = -1


def _read(files: Files, paths: tuple[str, ...], stack: ExitStack) -> tuple[Tensors, dict[str, str]]:
    tensors: Tensors = {}
    metadata: dict[str, str] = {}
    for path in paths:
        file = stack.enter_context(files.open(path))
        found = inspect(file, path)
        if found.format != "safetensors":
            raise bad(f"{path} is {found.format}, not safetensors")
        metadata.update(found.metadata.get("metadata", {}))
        for info in found.tensors:
            if info.name in tensors:
                raise bad(f"{info.name} is in two files")
            tensors[info.name] = lazy_of(partial(_same, file), info)
    aliases = aliases_of(metadata, tensors)
    for name, kept in aliases.items():
        tensors[name] = tensors[kept]
    return tensors, {name: text for name, text in metadata.items() if name not in aliases}


def _same(file: BinaryIO) -> BinaryIO:
    return file


def _limit(word: str, content: Json) -> tuple[int | None, str]:
    if word == "unshard":
        if content is not True:
            raise bad("unshard takes true")
        return None, "put the shards together"
    if not isinstance(content, dict) or content.keys() != {"max_size"}:
        raise bad("shard takes max_size, such as 200MB")
    return _bytes(content["max_size"]), f"cut into shards of {content['max_size']}"


def _bytes(value: Json) -> int:
    found = re.fullmatch(r"(\d{1,15})\s*([A-Za-z]*)", str(value))
    unit = _UNITS.get(found.group(2).upper()) if found else None
    if found is None or unit is None or isinstance(value, bool) or int(found.group(1)) == 0:
        raise bad(f"{str(value)[:40]!r} is no size such as 200MB")
    return int(found.group(1)) * unit


def _write(
    folder: Path, stem: str, tensors: Tensors, metadata: Mapping[str, str], limit: int | None
) -> list[str]:
    if limit is None:
        write(folder / f"{stem}.safetensors", tensors, metadata)
        return []
    groups: list[Tensors] = [{}]
    filled = 0
    at: dict[int, Tensors] = {}
    for name, tensor in tensors.items():
        if id(tensor) in at:  # another name of a tensor: told in the file that holds it
            at[id(tensor)][name] = tensor
            continue
        if groups[-1] and filled + tensor.nbytes > limit:
            groups.append({})
            filled = 0
        groups[-1][name] = tensor
        at[id(tensor)] = groups[-1]
        filled += tensor.nbytes
    if len(groups) > _SHARDS:
        raise bad(f"{len(groups)} shards are too many", "choose a larger max_size")
    names = [f"{stem}-{i:05}-of-{len(groups):05}.safetensors" for i in range(1, len(groups) + 1)]
    for file, group in zip(names, groups, strict=True):
        write(folder / file, group, metadata)
    index = {
        "metadata": {
            "total_size": sum(t.nbytes for t in {id(t): t for t in tensors.values()}.values())
        },
        "weight_map": {n: f for f, group in zip(names, groups, strict=True) for n in group},
    }
    text = json.dumps(index, indent=2, ensure_ascii=False) + "\n"
    (folder / f"{stem}{INDEX}").write_text(text, encoding="utf-8")
    return [f"{len(groups)} shard{'s' if len(groups) != 1 else ''}"]


def _copy(files: Files, paths: list[str], dest: Path, same: bool) -> list[str]:
    sentences = []
    for path in paths:
        if not same and path in ("optimizer.safetensors", "optimizer.json"):
            sentences.append(f"{path} stayed behind: it belonged to the tensors as they were")
            continue
        target = dest / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            raise InvalidInput("bad-structure", f"{path} would be written twice")
        if path == "model.json" and not same:
            target.write_text('{"kind": "state"}\n')
            sentences.append("the tensors fit no module that was saved: they load as a dict")
            continue
        with files.open(path) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
    return sentences
