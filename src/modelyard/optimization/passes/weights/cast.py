"""`cast`: the tensors of files in a smaller dtype, or with their smallest weights left out."""

from __future__ import annotations

import json
import posixpath
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from modelyard.errors import InvalidInput, Unsupported
from modelyard.frameworks import FolderFiles
from modelyard.frameworks.torch.shards import INDEX, read_json
from modelyard.optimization.making import model_of_files
from modelyard.optimization.passes.interface import Choice, Made, Option
from modelyard.optimization.passes.weights.streams import (
    FLOATS,
    Change,
    Source,
    TooLarge,
    is_weight,
    limit_of,
    sources_of,
    write_npz,
    write_safetensors,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from modelyard.core.lineage import LineageKind
    from modelyard.frameworks import Saved
    from modelyard.optimization.state import Model, Subject, Work

__all__ = ["PASS"]

Json = Any

_DTYPES = ("bfloat16", "float16", "float32", "same")
_TORCH = (".pt", ".pth", ".bin")
_OPTIMIZER = ("optimizer.safetensors", "optimizer.json")
_WIDTH = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}


class Cast:
    """Options beyond those that trials choose: `sparsity` (0): share of the weights, the smallest
    of all, that become zero. Files of any size are changed piece by piece; nothing is loaded."""

    NAME = "cast"
    KIND: Literal["model"] = "model"
    LINEAGE: LineageKind = "quantized-from"
    SUMMARY = "Keeps weights with 16 bits instead of 32; files of any size"

    def why_not(self, subject: Subject) -> str | None:
        """It takes safetensors, torch and npz files."""
        if subject.framework == "torch" and subject.serializer in ("safetensors", "torch"):
            return None
        if subject.framework in ("", "numpy"):
            return None
        if subject.framework == "onnx":
            return "an ONNX graph must be changed with its weights: quantize with kind: float16"
        return "it works on safetensors, torch and npz files"

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`dtype`: bfloat16 has the range of float32, float16 is more exact."""
        return {"dtype": Choice(("bfloat16", "float16"))}

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        """Write the files again, tensor by tensor; a saved optimizer stays behind.

        Raises:
            InvalidInput: `bad-pass-option`; those of `formats.inspect`.
            Unsupported: `not-improvable`: there are no such files.
        """
        dtype, sparsity = _options(params)
        paths = FolderFiles(model.folder).paths()
        weights = [path for path in paths if _is_weights(path)]
        if not weights or model.saved.serializer == "export":
            raise Unsupported(
                "not-improvable", "there are no safetensors, torch or npz files with weights"
            )
        files = {path: sources_of(model.folder / path) for path in weights}
        tensors = [source for sources, _ in files.values() for source in sources]
        if not any(_shrinks(source, dtype) for source in tensors) and not sparsity:
            return Made(model=None, why="its weights have no more bits than that")
        limit = limit_of(tensors, sparsity) if sparsity else -1
        change = Change(None if dtype == "same" else dtype, limit)
        folder = work.folder()
        renamed: dict[str, str] = {}
        try:
            for path, (sources, found) in files.items():
                work.tell(f"writing {path}", None)
                metadata = {
                    str(key): str(value)
                    for key, value in found.metadata.get("metadata", {}).items()
                }
                renamed[path] = _written(folder, path, sources, change, metadata)
        except TooLarge as error:
            shutil.rmtree(folder)
            return Made(
                model=None, why=f"a value of {error.name} is beyond what float16 can hold",
                notes=("bfloat16 has the range of float32",),
            )  # fmt: skip
        _copy_rest(model.folder, folder, [path for path in paths if path not in files], renamed)
        saved = _saved(model.saved, renamed)
        made = model_of_files(
            folder, saved, like=model, signature=_signature(model.signature, change.dtype)
        )
        return Made(model=made, notes=_notes(tensors, change, sparsity))


def _options(params: Mapping[str, Json]) -> tuple[str, float]:
    dtype, sparsity = params.get("dtype", "bfloat16"), params.get("sparsity", 0.0)
    if dtype not in _DTYPES:
        raise InvalidInput(
            "bad-pass-option", f"dtype is one of {', '.join(_DTYPES)}, not {dtype!r:.40}"
        )
    if isinstance(sparsity, bool) or not isinstance(sparsity, int | float) or not 0 <= sparsity < 1:
        raise InvalidInput(
            "bad-pass-option", f"sparsity is a number from 0, below 1, not {sparsity!r:.40}"
        )
    return str(dtype), float(sparsity)


def _is_weights(path: str) -> bool:
    if posixpath.basename(path) in _OPTIMIZER:
        return False
    return path.endswith((".safetensors", ".npz", *_TORCH))


def _shrinks(source: Source, dtype: str) -> bool:
    return _WIDTH.get(source.info.dtype, 0) > _WIDTH.get(dtype, 9)


def _written(
    folder: Path, path: str, sources: Sequence[Source], change: Change, metadata: Mapping[str, str]
) -> str:
    """Write one file's tensors; gives its new name: what torch wrote becomes safetensors."""
    if path.endswith(".npz"):
        if change.dtype == "bfloat16":
            raise Unsupported(
                "not-improvable", "npz files can't hold bfloat16", hint="dtype: float16"
            )
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_npz(folder / path, sources, change)
        return path
    target = path
    if path.endswith(_TORCH):
        target = posixpath.splitext(path)[0] + ".safetensors"
        metadata = {"format": "pt"}
    (folder / target).parent.mkdir(parents=True, exist_ok=True)
    write_safetensors(folder / target, sources, change, metadata)
    return target


def _copy_rest(
    source: Path, folder: Path, paths: Sequence[str], renamed: Mapping[str, str]
) -> None:
    """All other files as they are; the index of shards and `model.json` tell what is now so."""
    for path in paths:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if posixpath.basename(path) in _OPTIMIZER:
            continue
        if path == "model.json" or path.endswith(INDEX):
            content = read_json(FolderFiles(source), path)
            if path == "model.json" and content.get("kind") == "pair":
                content["kind"] = "module"
            if path.endswith(INDEX) and isinstance(content.get("metadata"), dict):
                shards = {folder / target for target in renamed.values()}
                content["metadata"]["total_size"] = sum(_values(shard) for shard in shards)
            text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
            target.write_text(text, encoding="utf-8")
            continue
        shutil.copyfile(source / path, target)


def _values(shard: Path) -> int:
    """Bytes of the tensors of a file."""
    return sum(source.info.nbytes or 0 for source in sources_of(shard)[0])


def _saved(saved: Saved, renamed: Mapping[str, str]) -> Saved:
    details = dict(saved.details)
    if details.get("file") in renamed:
        details["file"] = renamed[details["file"]]
    if details.get("kind") == "pair":
        details["kind"] = "module"
    serializer = saved.serializer
    if any(path.endswith(_TORCH) for path in renamed):
        serializer = "safetensors"
    return replace(saved, serializer=serializer, details=details)


def _signature(
    signature: Mapping[str, Json] | None, dtype: str | None
) -> Mapping[str, Json] | None:
    """Outputs come as the weights are; bfloat16 is given as float32."""
    if signature is None or dtype is None:
        return signature
    told = "float32" if dtype == "bfloat16" else dtype
    outputs = [
        {**entry, "dtype": told if entry.get("dtype") in FLOATS else entry.get("dtype")}
        for entry in signature.get("outputs", ())
    ]
    return {**signature, "outputs": outputs}


def _notes(tensors: Sequence[Source], change: Change, sparsity: float) -> tuple[str, ...]:
    count = sum(change.dtype_of(source.info) != source.info.dtype for source in tensors)
    notes = [f"{count} of {len(tensors)} tensors are {change.dtype} now"] if change.dtype else []
    if sparsity:
        weights = sum(is_weight(source.info) for source in tensors)
        notes.append(f"the smallest {sparsity:.0%} of the weights of {weights} tensors are zero")
    return tuple(notes)


PASS = Cast()
