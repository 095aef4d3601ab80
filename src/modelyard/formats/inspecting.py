"""The way into `formats`: detect, inspect, read."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from modelyard.core.tensor import TensorInfo, numpy_dtype
from modelyard.core.version import Finding
from modelyard.errors import InvalidInput, Unsupported
from modelyard.formats.detect import claimed_by, detect, extension_of
from modelyard.formats.interface import Budget, Format, Inspection, ReadsTensors
from modelyard.formats.reading import bad, size_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

__all__ = ["external_tensors", "inspect", "read_tensor"]

_MODULES = {
    "zip": "zipped", "npy": "npy", "hdf5": "hdf5", "gguf": "gguf", "litert": "litert",
    "pickle": "pickled", "safetensors": "safetensors", "onnx": "onnx", "savedmodel": "savedmodel",
    "pmml": "pmml", "ubj": "xgboost", "json": "jsons", "lightgbm": "lightgbm",
}  # fmt: skip
_READERS = {"npy": "npy", "npz": "npy", "hdf5": "hdf5", "keras": "hdf5", "xgboost": "xgboost"}
_HEAD = 4096
_SMALL = 1 << 18
_OLD_STARTS = frozenset(
    bytes((code,))
    for code in b"(])}cldNKMJGXTUPIFLSVBC\x82\x83\x84\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x95\x96"
)
"""First bytes of pickles that do not tell their protocol: what can stand on an empty stack."""


def inspect(
    file: BinaryIO, path: str, *, budget: Budget | None = None, scan: bool = True
) -> Inspection:
    """Open a file of a version by its bytes.

    Args:
        file: any seekable binary file.
        path: its relative path, for the extension and for findings.
        budget: what this may cost.
        scan: without it, findings are left out and small pickles are not walked; any other
            structure is checked all the same.

    Raises:
        InvalidInput: the file is malformed or hostile.
    """
    running = (budget or Budget()).begun()
    size = size_of(file)
    file.seek(0)
    head = file.read(_HEAD)
    kind = detect(head, path, size)
    if kind in ("text", "unknown") and _is_old_pickle(file, head):
        kind = "pickle"
    if kind in ("text", "unknown"):
        found = Inspection(kind)
    elif kind == "pickle" and not scan and size <= _SMALL:
        found = Inspection(kind)  # walking it is the scan; no tensor in it is worth a cut
    else:
        found = _opened(_MODULES[kind], file, path, running)
    if not scan:
        return replace(found, findings=())
    return _with_misnamed(found, path, head) if size else found


def _opened(module: str, file: BinaryIO, path: str, budget: Budget) -> Inspection:
    opener = cast("Format", import_module(f"modelyard.formats.{module}"))
    try:
        return opener.inspect(file, path, budget)
    except InvalidInput as error:
        message = f"{path}: {error.message}"
        if module == "pickled" and not _claims_pickle(path):
            # two bytes are no proof: any binary file may begin as a pickle does
            finding = Finding("damaged-pickle", "danger", error.message, path)
            return Inspection("unknown", findings=(finding,))
        raise InvalidInput(error.kind, message, hint=error.hint) from None
    except (RecursionError, MemoryError):
        raise bad("bad-file", f"{path}: the file is too deep or too large to inspect") from None


def _claims_pickle(path: str) -> bool:
    return "pickle" in claimed_by(path) and extension_of(path) != "bin"


def _is_old_pickle(file: BinaryIO, head: bytes) -> bool:
    """A pickle need not tell its protocol; it is told apart by walking it, if it may be one.

    Under whatever name it comes: what is found of bytes is kept for all names they will have.
    """
    if head[:1] not in _OLD_STARTS:
        return False
    from modelyard.formats.pickled import is_old_pickle

    return is_old_pickle(file)


def _with_misnamed(found: Inspection, path: str, head: bytes) -> Inspection:
    claims = claimed_by(path)
    if not claims or found.format in claims:
        return found
    if head.startswith(b"version https://git-lfs"):
        finding = Finding("lfs-pointer", "warning", "a git-LFS pointer, not the file itself", path)
    else:
        message = f"named like {claims[0]}, but it is {found.format}"
        finding = Finding("misnamed", "warning", message, path)
    return replace(found, findings=(*found.findings, finding))


def external_tensors(inspection: Inspection) -> Mapping[str, tuple[TensorInfo, ...]]:
    """Tensors that lie in other files, by the path relative to the model's folder.

    ONNX keeps large weights so. Ranges are those of the other file.
    """
    external = inspection.metadata.get("external", {})
    by_name = {tensor.name: tensor for tensor in inspection.tensors}
    found: dict[str, list[TensorInfo]] = {}
    for name, (location, offset, length) in external.items():
        tensor = by_name[name]
        size = tensor.nbytes if length is None else length
        if size is not None:
            placed = replace(tensor, start=offset, end=offset + size)
            found.setdefault(location, []).append(placed)
    return {location: tuple(tensors) for location, tensors in found.items()}


def read_tensor(
    file: BinaryIO, path: str, inspection: Inspection, info: TensorInfo
) -> np.ndarray[Any, Any]:
    """The values of one tensor; of bfloat16 and float8 as float32, which holds them exactly.

    Raises:
        Unsupported: the dtype is opaque (`ggml.q4_k`), or the values lie in another file.
    """
    if not info.elements and numpy_dtype(info.dtype) is not None:
        import numpy as np

        return np.empty(info.shape, numpy_dtype(info.dtype))
    if info.start is None or info.end is None:
        reader = _READERS.get(inspection.format)
        if reader is None:
            raise Unsupported("tensor-opaque", f"{info.name} in {path} can't be read by itself")
        module = cast("ReadsTensors", import_module(f"modelyard.formats.{reader}"))
        return module.read(file, inspection, info)
    from modelyard.formats.values import decoded

    file.seek(info.start)
    data = file.read(info.end - info.start)
    dtype = numpy_dtype(info.dtype)
    size = prod(info.shape)
    if len(data) != info.end - info.start:
        raise bad("bad-file", f"{path} ends inside {info.name}")
    flat = decoded(data, info.dtype, dtype)
    if flat is None or flat.size != size:
        raise Unsupported(
            "tensor-opaque", f"{info.name} has dtype {info.dtype}: not for arithmetic"
        )
    return flat.reshape(info.shape, order="F" if info.order == "F" else "C")
