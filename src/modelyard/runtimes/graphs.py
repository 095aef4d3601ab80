"""ONNX models as services see them: by onnxruntime, straight from the file.

The `onnx` library is not needed, nor what the graph means: names, dtypes and shapes are the
graph's own. It costs what the weights take and a few milliseconds.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.core.extras import need
from modelyard.errors import InvalidInput, Unavailable, Unsupported
from modelyard.formats.reading import bad, printable
from modelyard.runtimes.tensors import TensorSpec
from modelyard.runtimes.zipmaps import without_zipmaps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from modelyard.runtimes.tensors import Array

__all__ = ["GraphTensors", "open_graph"]

_DTYPES: Final = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16",
    "tensor(int64)": "int64", "tensor(int32)": "int32", "tensor(int16)": "int16",
    "tensor(int8)": "int8", "tensor(uint64)": "uint64", "tensor(uint32)": "uint32",
    "tensor(uint16)": "uint16", "tensor(uint8)": "uint8", "tensor(bool)": "bool",
    "tensor(string)": "string",
}  # fmt: skip
_MAPS: Final = "seq(map("
_MEMORY: Final = "_ORT_MEM_ADDR_"
"""In a location it tells onnxruntime that weights lie in the memory of its process."""
_SMALL: Final = 256 << 20
"""Bytes of a file that may be changed in memory."""


def open_graph(folder: Path, file: str, *, threads: int = 1) -> GraphTensors:
    """A graph that answers.

    Args:
        folder: The version's files; weights in other files must lie in it.
        threads: For one request.

    Raises:
        InvalidInput: `not-loadable`: it is no graph that onnxruntime takes.
        Unsupported: `no-tensors`: it takes or gives what is no tensor.
    """
    path = _inside(folder, file)
    whole = not _weights_elsewhere(folder, path)
    session = _session(str(path), threads)
    # without a place of its own it would look for other files where this process was started
    if whole and any(given.type.startswith(_MAPS) for given in session.get_outputs()):
        session = _plain_session(path, threads) or session
    return GraphTensors(session)


class GraphTensors:
    """A `TensorRuntime` in this process. Safe to share by threads, without Python's lock."""

    framework: str = "onnx"
    platform: str = "onnxruntime_onnx"
    parallel: bool = True
    pid: int | None = None
    classes: tuple[Any, ...] | None = None

    def __init__(self, session: Any) -> None:
        self._session: Any = session
        self._run = _entry(session)
        self.inputs = tuple(_input_spec(given) for given in session.get_inputs())
        given = [each for each in session.get_outputs() if _is_told(each)]
        if not given:
            raise Unsupported(
                "no-tensors", "no output of this graph is a tensor",
                hint="export it with outputs that are arrays",
            )  # fmt: skip
        self._names = [each.name for each in given]
        self._maps = frozenset(each.name for each in given if each.type.startswith(_MAPS))
        self.columns = len(self.inputs) > 1 and all(
            spec.shape in ((-1, 1), (-1,)) for spec in self.inputs
        )
        self._sides = {spec.name: len(spec.shape) for spec in self.inputs}
        self.outputs = tuple(_output_spec(each) for each in given)
        self.rows = _has_rows(session.get_inputs(), given)
        if any(not spec.shape for spec in self.outputs):
            self._look()

    def run(
        self,
        feeds: Mapping[str, Array],
        outputs: Sequence[str] | None = None,
        seconds: float | None = None,
    ) -> dict[str, Array]:
        names = self._names if outputs is None else list(outputs)
        if self.columns:
            feeds = {name: self._column(name, array) for name, array in feeds.items()}
        try:
            found = self._run(names, feeds, None)
        except Exception as error:  # onnxruntime's errors have no common class
            raise _failed(error) from None
        if self._maps:
            found = [
                _zipped(value) if name in self._maps else value
                for name, value in zip(names, found, strict=True)
            ]
        return dict(zip(names, found, strict=True))

    def close(self) -> None:
        self._session = None
        self._run = _closed

    def _column(self, name: str, array: Array) -> Array:
        if array.ndim == self._sides.get(name, array.ndim):
            return array
        return array.reshape(-1, 1) if array.ndim == 1 else array.reshape(-1)

    def _look(self) -> None:
        """Shapes of outputs that the graph doesn't tell, by asking it for two rows."""
        try:
            feeds = {spec.name: _blank(spec, 2) for spec in self.inputs}
            found = self.run(feeds)
        except (InvalidInput, Unavailable):
            return
        self.rows = _takes_rows(self.inputs) and all(
            len(array.shape) > 0 and array.shape[0] == 2 for array in found.values()
        )
        self.outputs = tuple(
            TensorSpec(spec.name, spec.dtype, _looked(found[spec.name], self.rows))
            if not spec.shape else spec
            for spec in self.outputs
        )  # fmt: skip


def _session(source: str | bytes, threads: int) -> Any:
    runtime = need("onnxruntime", "onnx")
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # threads that spin while they wait take the processor from other models
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    try:
        return runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common class
        raise bad("not-loadable", f"onnxruntime can't load it: {_reason(error)}") from None


def _plain_session(path: Path, threads: int) -> Any:
    """One that gives arrays where the graph gives lists of maps; None if it can't be had."""
    if path.stat().st_size > _SMALL:
        return None
    changed = without_zipmaps(path.read_bytes())
    if changed is None:
        return None
    try:
        return _session(changed, threads)
    except InvalidInput:
        return None


def _entry(session: Any) -> Any:
    """The call without the checks of names, which the caller has made."""
    inner = getattr(session, "_sess", None)
    return getattr(inner, "run", None) or session.run


def _closed(*_: object) -> Any:
    raise Unavailable("model-died", "this version was unloaded")


def _inside(folder: Path, file: str) -> Path:
    path = folder / file
    if not (path.is_file() and path.resolve().is_relative_to(folder.resolve())):
        raise bad("not-loadable", f"there is no file {printable(file, 200)}")
    return path


def _weights_elsewhere(folder: Path, path: Path) -> bool:
    """Whether weights lie in other files, which must be files of the version."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            raise bad("not-loadable", "the file is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content.find(b"location") < 0:  # the key that every such tensor has
                return False
        from modelyard.formats import Budget
        from modelyard.formats.onnx import inspect  # whatever else the file may look like

        found = inspect(file, path.name, Budget(seconds=60.0).begun())
    places = found.metadata.get("external", {}).values()
    for location, *_ in places:
        place = path.parent / str(location)
        within = place.is_file() and place.resolve().is_relative_to(folder.resolve())
        if not within or _MEMORY in location:
            raise bad("not-loadable", f"weights lie outside of it: {printable(location, 200)}")
    return bool(places)


def _input_spec(given: Any) -> TensorSpec:
    dtype = _DTYPES.get(given.type)
    if dtype is None:
        raise Unsupported(
            "no-tensors", f"input {printable(given.name, 80)} is a {printable(given.type, 80)}",
            hint="services take tensors of numbers and text",
        )  # fmt: skip
    return TensorSpec(given.name, dtype, _sides(given.shape))


def _is_told(given: Any) -> bool:
    return given.type in _DTYPES or given.type.startswith(_MAPS)


def _output_spec(given: Any) -> TensorSpec:
    if given.type.startswith(_MAPS):
        return TensorSpec(given.name, "float32", (-1, -1))
    return TensorSpec(given.name, _DTYPES[given.type], _sides(given.shape))


def _sides(shape: Sequence[int | str | None]) -> tuple[int, ...]:
    return tuple(side if isinstance(side, int) and side >= 0 else -1 for side in shape)


def _has_rows(inputs: Sequence[Any], outputs: Sequence[Any]) -> bool:
    """Whether all first sides may vary, and are not called by different names."""
    shapes = [list(given.shape) for given in inputs if given.type in _DTYPES]
    shapes += [list(given.shape) for given in outputs if given.type in _DTYPES]
    if not all(shape and not isinstance(shape[0], int) for shape in shapes):
        return False
    names = {shape[0] for shape in shapes if shape[0] and "unk__" not in shape[0]}
    return len(names) <= 1


def _takes_rows(inputs: Sequence[TensorSpec]) -> bool:
    return all(spec.shape and spec.shape[0] == -1 for spec in inputs)


def _looked(array: Array, rows: bool) -> tuple[int, ...]:
    return (-1, *array.shape[1:]) if rows else (-1,) * array.ndim


def _blank(spec: TensorSpec, rows: int) -> Array:
    shape = [1 if side < 0 else side for side in spec.shape]
    if spec.shape and spec.shape[0] < 0:
        shape[0] = rows
    if spec.dtype == "string":
        return np.full(shape, "", object)
    return np.zeros(shape, spec.dtype)


def _zipped(rows: Any) -> Array:
    """A list of maps, one for each row, as an array; for graphs that could not be changed."""
    return np.array([list(row.values()) for row in rows], np.float32)


def _failed(error: Exception) -> InvalidInput | Unavailable:
    if isinstance(error, InvalidInput | Unavailable):
        return error
    reason = _reason(error)
    if isinstance(error, MemoryError) or "alloc" in reason:
        return Unavailable("model-failed", f"the model wanted more memory than there is: {reason}")
    return InvalidInput("bad-inputs", f"the model can't take these values: {reason}")


def _reason(error: Exception) -> str:
    """The sentence of onnxruntime without its code and place."""
    text = str(error).strip().split("\n")[0]
    return printable(text.rpartition(" : ")[2] or text, 200)
