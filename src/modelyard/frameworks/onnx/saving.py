"""ONNX models to files and back; weights too large for one protobuf lie beside it."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput, NotFound
from modelyard.formats import Budget, inspect
from modelyard.formats.reading import bad, printable
from modelyard.frameworks.interface import Files, Saved
from modelyard.frameworks.onnx.sizes import LIMIT, bytes_of, is_below, size_of
from modelyard.frameworks.onnx.walking import (
    custom_ops,
    has_damaged_text,
    is_external,
    library,
    tensors,
)

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from modelyard.core.trust import Trust

__all__ = ["claims", "load", "parse", "save", "write"]

_FILE = "model.onnx"
_DATA = "model.onnx.data"
_SMALL = 1024
"""Weights below this many bytes stay in the graph, which needs them for shapes."""
_PAGE = 4096
"""Weights begin at pages, so that they can be mapped into memory."""
_BUDGET = Budget(seconds=60.0)


def save(obj: Any, folder: Path, serializer: str, example: Any = None) -> Saved:
    """Write `model.onnx`, and `model.onnx.data` if it is large. InvalidInput: `not-savable`."""
    del example
    write(obj, folder, LIMIT)
    return Saved(
        framework="onnx", serializer=serializer, class_name="onnx.onnx_ml_pb2.ModelProto",
        details={"file": _FILE},
    )  # fmt: skip


def write(model: Any, folder: Path, limit: int) -> Path:
    """A model as files; what is larger than `limit` bytes keeps its weights in a second one."""
    if not model.HasField("graph"):
        raise InvalidInput("not-savable", "the model has no graph")
    if any(map(is_external, tensors(model))):
        raise InvalidInput(
            "not-savable", "weights of the model were not loaded: they lie in another file",
            hint="onnx.load(path) loads them, or commit the folder",
        )  # fmt: skip
    path = folder / _FILE
    if size_of(model) > limit:
        with (folder / _DATA).open("xb") as data:
            model = _without_weights(model, data)
    try:
        path.write_bytes(model.SerializeToString(deterministic=True))
    except Exception as error:  # protobuf has no common class for this
        raise InvalidInput("not-savable", f"the model can't be written: {error}") from None
    return path


def _without_weights(model: Any, data: BinaryIO) -> Any:
    """A copy whose weights are written elsewhere, one at a time."""
    onnx = library()
    found = onnx.ModelProto()
    _copy_fields(model, found, but="graph")
    _copy_fields(model.graph, found.graph, but="initializer")
    for tensor in model.graph.initializer:
        kept = found.graph.initializer.add()
        if is_below(tensor, _SMALL) or tensor.data_type == onnx.TensorProto.STRING:
            kept.CopyFrom(tensor)
        else:
            _move(tensor, kept, data)
    return found


def _copy_fields(source: Any, target: Any, but: str) -> None:
    for field, value in source.ListFields():
        if field.name == but:
            continue
        kept = getattr(target, field.name)
        if hasattr(kept, "extend"):
            kept.extend(value)
        elif hasattr(kept, "CopyFrom"):
            kept.CopyFrom(value)
        else:
            setattr(target, field.name, value)


def _move(tensor: Any, kept: Any, data: BinaryIO) -> None:
    onnx = library()
    raw = tensor.raw_data or onnx.numpy_helper.to_array(tensor).tobytes()
    data.write(b"\0" * (-data.tell() % _PAGE))
    kept.name, kept.data_type, kept.doc_string = tensor.name, tensor.data_type, tensor.doc_string
    kept.dims.extend(tensor.dims)
    kept.data_location = onnx.TensorProto.EXTERNAL
    place = {"location": _DATA, "offset": str(data.tell()), "length": str(len(raw))}
    for key, value in place.items():
        kept.external_data.add(key=key, value=value)
    data.write(raw)


def claims(files: Files) -> Saved | None:
    """One file that is an ONNX model; files of weights may lie beside it."""
    found = [path for path in files.paths() if path.endswith(".onnx") and _is_model(files, path)]
    if len(found) != 1:
        return None
    return Saved(
        framework="onnx", serializer="onnx", class_name="onnx.onnx_ml_pb2.ModelProto",
        details={"file": found[0]},
    )  # fmt: skip


def _is_model(files: Files, path: str) -> bool:
    with files.open(path) as file:
        try:
            return inspect(file, path, budget=_BUDGET, scan=False).format == "onnx"
        except InvalidInput:
            return False


def load(files: Files, saved: Saved, trust: Trust, into: Any = None) -> Any:
    """A `ModelProto` with all its weights.

    Raises:
        Denied: `untrusted`: it has operators that need code, as `domain::Op`.
        InvalidInput: `not-loadable`: it is damaged, or names weights outside of the version.
    """
    if into is not None:
        raise InvalidInput("no-into", "ONNX models are loaded into new objects")
    path = saved.details.get("file", _FILE)
    if not isinstance(path, str):
        raise bad("not-loadable", "the file of the model is malformed")
    _look(files, path)
    model = parse(files.read(path), path)
    trust.require(path, custom_ops(model), why="has operators that are not part of ONNX:")
    there = set(files.paths())
    for tensor in tensors(model):
        if is_external(tensor):
            _bring(files, there, path, tensor)
    return model


def _look(files: Files, path: str) -> None:
    """Refuse a damaged file before protobuf reads it, and weights that lie elsewhere."""
    with files.open(path) as file:
        try:
            found = inspect(file, path, budget=_BUDGET)
        except InvalidInput as error:
            raise bad("not-loadable", error.message) from None
    if found.format != "onnx":
        raise bad("not-loadable", f"{path} is {found.format}, no ONNX model")
    for finding in found.findings:
        if finding.severity == "danger":
            raise bad("not-loadable", f"{path}: {finding.message}")


def parse(data: bytes, path: str) -> Any:
    """Bytes as a model. InvalidInput: `not-loadable`."""
    model = library().ModelProto()
    try:
        model.ParseFromString(data)
    except Exception as error:  # DecodeError of whichever protobuf is there
        raise bad("not-loadable", f"{path}: {printable(str(error))}") from None
    if not model.HasField("graph"):
        raise bad("not-loadable", f"{path}: the model has no graph")
    if has_damaged_text(model):
        raise bad("not-loadable", f"{path}: a name is no text")
    return model


def _bring(files: Files, there: set[str], path: str, tensor: Any) -> None:
    """Read the values of one tensor from a file of the version."""
    place = {entry.key: entry.value for entry in tensor.external_data}
    where = posixpath.normpath(posixpath.join(posixpath.dirname(path), place.get("location", "")))
    name = printable(tensor.name, 60)
    if where not in there:
        raise bad("not-loadable", f"{path}: {name} lies in a file that is not in the version")
    offset, length = (_count(place.get(key)) for key in ("offset", "length"))
    wanted = bytes_of(tensor)
    if length not in (None, wanted):
        raise bad("not-loadable", f"{path}: {name} has {length} bytes elsewhere, not {wanted}")
    length = wanted
    try:
        size = files.size(where)
        start = offset or 0
        if start < 0 or length < 0 or start + length > size:
            raise bad("not-loadable", f"{path}: {name} lies behind the end of {where}")
        with files.open(where) as file:
            file.seek(start)
            raw = file.read(length)
    except NotFound:
        raise bad("not-loadable", f"{path}: {where} is missing") from None
    del tensor.external_data[:]
    tensor.data_location = library().TensorProto.DEFAULT
    tensor.raw_data = raw


def _count(text: str | None) -> int | None:
    if text is None:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
