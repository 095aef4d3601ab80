"""LiteRT (TensorFlow Lite): a `.tflite` graph that predicts, and can't be changed.

`keras-quantize` makes smaller Keras models; `to-litert` makes these. Before an interpreter sees a
file, our own reader has followed its tables: every tensor, buffer and operator lies within it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats import inspect
from modelyard.formats.interface import Budget
from modelyard.formats.reading import bad, printable
from modelyard.frameworks.interface import Saved

if TYPE_CHECKING:
    import io
    from collections.abc import Mapping
    from pathlib import Path

    from modelyard.core.table import Table
    from modelyard.core.trust import Trust
    from modelyard.formats.interface import Inspection
    from modelyard.frameworks.interface import Files, Json

__all__ = [
    "CLASS", "NAME", "SERIALIZERS", "LiteGraph", "claims", "fit", "load", "optimizer", "params",
    "recognises", "save", "set_optimizer", "set_params", "set_structure", "signature", "structure",
]  # fmt: skip

NAME = "litert"
SERIALIZERS = ("tflite",)
CLASS = "modelyard.frameworks.litert.LiteGraph"

_FILE = "model.tflite"
_SECONDS = 20.0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LiteGraph:
    """The bytes of a `.tflite` file that was checked."""

    content: bytes = field(repr=False)

    def __repr__(self) -> str:
        return f"<LiteGraph of {len(self.content):,} bytes>"


def recognises(obj: object) -> bool:
    """Whether it is a graph that was loaded here."""
    return isinstance(obj, LiteGraph)


def save(obj: Any, folder: Path, serializer: str, example: Any = None) -> Saved:
    """Write `model.tflite` as it is."""
    del example
    (folder / _FILE).write_bytes(obj.content)
    return Saved(framework=NAME, serializer=serializer, class_name=CLASS, details={"file": _FILE})


def claims(files: Files) -> Saved | None:
    """The one `.tflite` among the files."""
    found = [path for path in files.paths() if path.endswith(".tflite")]
    if len(found) != 1:
        return None
    return Saved(framework=NAME, serializer="tflite", class_name=CLASS, details={"file": found[0]})


def load(files: Files, saved: Saved, trust: Trust, into: Any = None) -> LiteGraph:
    """The graph, after our own reader has followed its tables.

    Raises:
        Denied: `untrusted`: it has operators of others, as `litert.NAME`.
        InvalidInput: `not-loadable`, `no-into`.
    """
    if into is not None:
        raise InvalidInput("no-into", "LiteRT graphs are loaded into new objects")
    path = saved.details.get("file", _FILE)
    if not isinstance(path, str) or path not in files.paths():
        raise bad("not-loadable", "there is no file of the model")
    with files.open(path) as stream:
        found = _inspected(stream, path)
    others = [
        f"litert.{finding.message.split(' ')[2]}"
        for finding in found.findings
        if finding.kind == "custom-op"
    ]
    trust.require(path, others, why="has operators that are not part of LiteRT:")
    return LiteGraph(files.read(path))


def params(obj: Any) -> dict[str, Json]:
    """None: it is a finished graph."""
    del obj
    return {}


def set_params(obj: Any, changes: Mapping[str, Json]) -> Any:
    """InvalidInput: `read-only`."""
    raise _finished("parameters")


def structure(obj: Any) -> tuple[str, ...]:
    """Inputs, outputs, and a line for each tensor that has values."""
    import io

    found = _inspected(io.BytesIO(obj.content), _FILE)
    ports = found.metadata["signature"] or {}
    lines = [
        f"{word[:-1]} {printable(port['name'], 80)}: {port['dtype']}{port['shape']}"
        for word in ("inputs", "outputs")
        for port in ports.get(word, ())
    ]
    lines.append(f"operators: {found.metadata['operators']}")
    lines += [
        f"tensor {printable(tensor.name, 80)}: {tensor.dtype}{list(tensor.shape)}"
        for tensor in found.tensors[:400]
    ]
    return tuple(lines)


def set_structure(obj: Any, plan: Json, trust: Trust) -> tuple[Any, tuple[str, ...]]:
    """InvalidInput: `read-only`."""
    raise _finished("structure")


def optimizer(obj: Any) -> dict[str, Json]:
    """None."""
    del obj
    return {}


def set_optimizer(obj: Any, changes: Mapping[str, Json]) -> Any:
    """InvalidInput: `read-only`."""
    raise _finished("optimizer")


def fit(obj: Any, inputs: Table, target: Any, *, epochs: int | None, seed: int) -> Any:
    """InvalidInput: `read-only`."""
    raise _finished("training")


def signature(obj: Any, example: Any) -> Json | None:
    """Inputs and outputs as the graph names them; -1 for rows."""
    import io

    del example
    ports = _inspected(io.BytesIO(obj.content), _FILE).metadata["signature"]
    if not isinstance(ports, dict):
        return None
    return {
        word: [port | {"shape": [-1, *port["shape"][1:]]} for port in ports[word]]
        for word in ("inputs", "outputs")
    }


def _inspected(stream: io.BytesIO | Any, path: str) -> Inspection:
    try:
        found = inspect(stream, path, budget=Budget(seconds=_SECONDS))
    except InvalidInput as error:
        raise bad("not-loadable", error.message) from None
    if found.format != NAME:
        raise bad("not-loadable", f"{path} is {found.format}, no LiteRT graph")
    return found


def _finished(what: str) -> InvalidInput:
    return InvalidInput(
        "read-only", f"a LiteRT graph is finished: it has no {what} to change",
        hint="update the version that it was converted from",
    )  # fmt: skip
