"""What an ONNX graph takes and gives, and what it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.formats.onnx_tensors import DTYPES
from modelyard.formats.reading import printable
from modelyard.frameworks.onnx.walking import library

if TYPE_CHECKING:
    from modelyard.frameworks.interface import Json

__all__ = ["Port", "classes_of", "inputs_of", "named_outputs", "outputs_of", "signature",
           "structure"]  # fmt: skip

Array = np.ndarray[Any, Any]

_LINES = 400
"""Nodes that are listed."""
_CONVERTED = frozenset({"skl2onnx", "OnnxMLTools", "modelyard-trees"})
_LABELS = ("classlabels_int64s", "classlabels_ints", "classlabels_strings")


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph."""

    name: str
    dtype: str | None
    """None for what is no tensor."""
    shape: tuple[int, ...] | None
    """-1 for what may vary; None if the graph does not say."""
    words: tuple[str, ...] = ()
    """The shape as the graph spells it."""

    def __str__(self) -> str:
        shape = "" if self.shape is None else f"[{', '.join(self.words)}]"
        return f"{printable(self.name, 80)}: {self.dtype or 'no tensor'}{shape}"


def _port(value: Any) -> Port:
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        return Port(value.name, None, None)
    dtype = DTYPES.get(kind.elem_type)
    if not kind.HasField("shape"):
        return Port(value.name, dtype, None)
    sides = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in kind.shape.dim]
    words = [
        str(side) if side >= 0 else printable(dim.dim_param or "?", 40)
        for side, dim in zip(sides, kind.shape.dim, strict=True)
    ]
    return Port(value.name, dtype, tuple(sides), tuple(words))


def inputs_of(model: Any) -> list[Port]:
    """What a caller must give: inputs without a value of their own."""
    given = {tensor.name for tensor in model.graph.initializer}
    return [_port(value) for value in model.graph.input if value.name not in given]


def outputs_of(model: Any) -> list[Port]:
    """All outputs, as the graph names them."""
    return [_port(value) for value in model.graph.output]


def named_outputs(model: Any) -> dict[str, str]:
    """Runtimes' words for outputs whose meaning is plain: `label`, `probability`, `prediction`."""
    ports = outputs_of(model)
    labels = [port.name for port in ports if _is_label(port)]
    zipped = _zipped(model)
    rows = [p.name for p in ports if p.name in zipped or _is_rows(p)]
    if len(ports) == 2 and len(labels) == len(rows) == 1:
        return {labels[0]: "label", rows[0]: "probability"}
    converted = model.producer_name in _CONVERTED
    if len(ports) == 1 and ports[0].name == "embedding":
        return {}
    if len(ports) == 1 and converted and (ports[0].dtype or "").startswith("float"):
        return {ports[0].name: "prediction"}
    return {}


def _is_label(port: Port) -> bool:
    flat = port.shape is not None and (len(port.shape) == 1 or port.shape[1:] == (1,))
    return port.dtype in ("int64", "string") and flat


def _is_rows(port: Port) -> bool:
    return port.dtype in ("float32", "float64") and port.shape is not None and len(port.shape) == 2


def _zipped(model: Any) -> set[str]:
    """Outputs that are a list of objects, one for each row."""
    return {
        name
        for node in model.graph.node
        if node.op_type == "ZipMap" and node.domain == "ai.onnx.ml"
        for name in node.output
    }


def classes_of(model: Any) -> Array | None:
    """The classes in the order of their probabilities, where the graph tells them."""
    for node in reversed(model.graph.node):
        for attribute in node.attribute:
            if node.domain != "ai.onnx.ml" or attribute.name not in _LABELS:
                continue
            if attribute.strings:
                texts = [text.decode("utf-8", "replace") for text in attribute.strings]
                return np.array(texts, object)
            if attribute.ints:
                return np.array(list(attribute.ints), np.int64)
    for tensor in model.graph.initializer:
        if tensor.name == "classes" and len(tensor.dims) == 1:
            found: Array = library().numpy_helper.to_array(tensor)
            return found
    return None


def signature(obj: Any, example: Any) -> Json | None:
    """As the graph tells it; no example is needed."""
    del example
    words = named_outputs(obj)
    zipped = _zipped(obj)
    count = None if (classes := classes_of(obj)) is None else len(classes)
    return {
        "inputs": [_entry(port, port.name) for port in inputs_of(obj)],
        "outputs": [
            {"name": "probability", "dtype": "float32", "shape": [-1, count or -1]}
            if port.name in zipped and port.name in words
            else _entry(port, words.get(port.name, port.name))
            for port in outputs_of(obj)
        ],
    }


def _entry(port: Port, name: str) -> Json:
    return {
        "name": name,
        "dtype": port.dtype,
        "shape": None if port.shape is None else list(port.shape),
    }


def structure(obj: Any) -> tuple[str, ...]:
    """Inputs, outputs and nodes."""
    lines = [f"input {port}" for port in inputs_of(obj)]
    lines += [f"output {port}" for port in outputs_of(obj)]
    nodes = obj.graph.node
    lines += [_node(index, node) for index, node in enumerate(nodes[:_LINES])]
    if len(nodes) > _LINES:
        lines.append(f"... and {len(nodes) - _LINES} more nodes")
    return tuple(lines)


def _node(index: int, node: Any) -> str:
    operator = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
    name = printable(node.name or str(index), 80)
    inputs, outputs = (
        ", ".join(printable(value, 60) for value in side[:20]) for side in (node.input, node.output)
    )
    return f"node {name}: {printable(operator, 80)}({inputs}) -> {outputs}"
