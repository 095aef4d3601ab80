"""`cast`: the tensors of files in a smaller dtype, or with their smallest weights left out."""

from __future__ import annotations

import posixpath
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from modelyard.core.tensor import ITEMSIZE
from modelyard.errors import InvalidInput, Unsupported
from modelyard.frameworks import FolderFiles
from modelyard.optimization.making import model_of_files
from modelyard.optimization.passes.interface import Choice, Made, Option
from modelyard.optimization.passes.weights.folders import (
    OPTIMIZER,
    Weights,
    copy_rest,
    renamed_by,
    shards_in,
    weights_in,
)
from modelyard.optimization.passes.weights.streams import (
    FLOATS,
    Change,
    TooLarge,
    is_weight,
    limit_of,
)
from modelyard.optimization.passes.weights.writing import (
    metadata_of,
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
_NONE = "it has no weights that could become zero"


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
        """Write the files again, tensor by tensor. A saved optimizer stays behind; a file in which
        nothing gets smaller or zero is copied.

        Raises:
            InvalidInput: `bad-pass-option`; those of `formats.inspect`.
            Unsupported: `not-improvable`: there are no such files, or safetensors would lose a part
                of what is in them.
        """
        dtype, sparsity = _options(params)
        files = FolderFiles(model.folder)
        paths = [path for path in files.paths() if posixpath.basename(path) not in OPTIMIZER]
        found = [] if model.saved.serializer == "export" else weights_in(model.folder, paths)
        if not found:
            raise Unsupported(
                "not-improvable", "there are no safetensors, torch or npz files with weights"
            )
        change = Change(None if dtype == "same" else dtype, 0 if sparsity else -1)
        chosen, notes = _chosen(found, change, model.saved, shards_in(files))
        if not chosen:
            why = _NONE if sparsity else "its weights have no more bits than that"
            return Made(model=None, why=why, notes=notes)
        renamed = renamed_by(chosen, paths)
        if sparsity:
            limit, share = limit_of((s for file in chosen for s in file.sources), sparsity)
            change = Change(change.dtype, limit)
            notes = (_zeros(chosen, sparsity, share), *notes)
            if not any(_is_touched(file, change) for file in chosen):
                return Made(model=None, why=notes[0], notes=notes[1:])
        folder = work.folder()
        try:
            for file in chosen:
                work.tell(f"writing {file.path}", None)
                _write(model.folder, folder, file, change)
        except TooLarge as error:
            shutil.rmtree(folder)
            return Made(
                model=None, why=f"a value of {error.name} is beyond what {error.dtype} can hold",
                notes=("bfloat16 has the range of float32",) if error.dtype == "float16" else (),
            )  # fmt: skip
        copy_rest(model.folder, folder, paths, renamed)
        cast = _smaller(found, change, renamed)
        signature = _signature(model.signature, change.dtype) if cast else model.signature
        made = model_of_files(folder, _saved(model.saved, renamed), like=model, signature=signature)
        if len(paths) < len(files.paths()):
            notes = (*notes, "the state of its optimizer is left out")
        return Made(model=made, notes=(*cast, *notes))


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


def _chosen(
    found: Sequence[Weights], change: Change, saved: Saved, shards: Sequence[set[str]]
) -> tuple[list[Weights], tuple[str, ...]]:
    """The files to write anew, of shards all or none; and what to tell of files that stay."""
    staying = {file.path: why for file in found if (why := _why_it_stays(file, saved))}
    wanted = {file.path for file in found if _is_touched(file, change)}
    for group in shards:
        if group & wanted - staying.keys():
            wanted |= group
    kept = wanted & staying.keys()
    wanted -= kept
    torn = {path for group in shards if group & wanted for path in group & kept}
    if torn or (kept and len(staying) == len(found)):
        raise Unsupported(
            "not-improvable", staying[min(torn or kept)],
            hint="commit its tensors alone: a dict of them by name",
        )  # fmt: skip
    chosen = [file for file in found if file.path in wanted]
    if change.dtype == "bfloat16" and any(_is_numpy(file, change) for file in chosen):
        raise Unsupported("not-improvable", "npz files can't hold bfloat16", hint="dtype: float16")
    return chosen, tuple(staying[path] for path in sorted(kept))


def _is_touched(file: Weights, change: Change) -> bool:
    return any(change.touches(source.info) for source in file.sources)


def _is_numpy(file: Weights, change: Change) -> bool:
    """Whether numpy must hold the new dtype."""
    infos = (source.info for source in file.sources)
    return file.format == "npz" and any(change.dtype_of(info) != info.dtype for info in infos)


def _why_it_stays(file: Weights, saved: Saved) -> str:
    """Why a file must not become safetensors; empty if it may."""
    path = file.path
    if file.others:
        shown = ", ".join(file.others)
        return f"{path} stays as it is: it holds more than tensors ({shown})"
    if file.format == "torch" and saved.serializer == "safetensors":
        return f"{path} stays as it is: the model is in the safetensors files beside it"
    return ""


def _write(source: Path, folder: Path, file: Weights, change: Change) -> None:
    old, new = source / file.path, folder / file.target
    new.parent.mkdir(parents=True, exist_ok=True)
    if file.format == "npz":
        write_npz(new, old, file.sources, change)
    else:
        metadata = {"format": "pt"} if file.format == "torch" else metadata_of(old)
        write_safetensors(new, file.sources, change, metadata)


def _saved(saved: Saved, renamed: Mapping[str, str]) -> Saved:
    details = dict(saved.details)
    main = details.get("file")
    if main is not None:
        details["file"] = renamed.get(main, main)
    if details.get("kind") == "pair":
        details["kind"] = "module"
    moved = any(new != path for path, new in renamed.items() if main in (None, path))
    serializer = "safetensors" if moved else saved.serializer
    return replace(saved, serializer=serializer, details=details)


def _signature(
    signature: Mapping[str, Json] | None, dtype: str | None
) -> Mapping[str, Json] | None:
    """Outputs come as the weights are; bfloat16 is given as float32."""
    if signature is None or dtype is None:
        return signature
    told = "float32" if dtype == "bfloat16" else dtype
    wider = [name for name in FLOATS if ITEMSIZE[name] > ITEMSIZE[told]]
    outputs = [
        {**entry, "dtype": told if entry.get("dtype") in wider else entry.get("dtype")}
        for entry in signature.get("outputs", ())
    ]
    return {**signature, "outputs": outputs}


def _smaller(
    found: Sequence[Weights], change: Change, renamed: Mapping[str, str]
) -> tuple[str, ...]:
    """What is told of the dtype, if it is that of any tensor now."""
    written = [source.info for file in found if file.path in renamed for source in file.sources]
    count = sum(change.dtype_of(info) != info.dtype for info in written)
    tensors = [source for file in found for source in file.sources]
    return (f"{count} of {len(tensors)} tensors are {change.dtype} now",) if count else ()


def _zeros(chosen: Sequence[Weights], sparsity: float, share: float) -> str:
    """What is told of zeros: weights of the same size become zero together, or not at all."""
    weights = sum(is_weight(source.info) for file in chosen for source in file.sources)
    if not weights:
        return _NONE
    if share:
        return f"the smallest {share:.1%} of the weights of {weights} tensors are zero"
    return f"no weights became zero: more than {sparsity:.0%} of them are as small as the smallest"


PASS = Cast()
