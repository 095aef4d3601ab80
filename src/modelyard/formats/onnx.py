"""ONNX models: graph, weights, signature, and what lies in other files or needs other code."""

from __future__ import annotations

from typing import Any, BinaryIO

from modelyard.core.tensor import TensorInfo
from modelyard.core.version import Finding
from modelyard.formats.interface import Budget, Inspection
from modelyard.formats.onnx_tensors import KIND, External, tensor_of, value_of
from modelyard.formats.protobuf import LENGTH, VARINT, Message, signed
from modelyard.formats.reading import Region, bad, printable

__all__ = ["KNOWN_DOMAINS", "inspect"]

KNOWN_DOMAINS = frozenset({
    "", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview",
    "ai.onnx.preview.training", "com.microsoft", "com.microsoft.nchwc",
    "com.microsoft.experimental",
    "com.ms.internal.nhwc", "org.pytorch.aten",
})  # fmt: skip
"""Domains whose operators come with ONNX or its runtime."""
_DOMAINS = 50
_VALUES = 1000


class _Model:
    """What the walk gathers."""

    __slots__ = (
        "domains", "external", "functions", "initialized", "inputs", "metadata", "names",
        "nodes", "ops", "outputs", "tensors",
    )  # fmt: skip

    def __init__(self) -> None:
        self.tensors: list[TensorInfo] = []
        self.names: set[str] = set()
        self.external: dict[str, External] = {}
        self.domains: dict[str, str] = {}
        self.functions: set[str] = set()
        self.initialized: set[str] = set()
        self.inputs: list[dict[str, Any]] = []
        self.outputs: list[dict[str, Any]] = []
        self.metadata: dict[str, Any] = {}
        self.nodes = 0
        self.ops: dict[str, int] = {}


def inspect(file: BinaryIO, path: str, budget: Budget) -> Inspection:
    """Walk a ModelProto. Subgraphs and attributes are walked too: weights may hide there."""
    region = Region(file, kind=KIND)
    message = Message(region, budget)
    model = _Model()
    graphs = _model(message, model, region.size)
    if not graphs:
        raise bad(KIND, "the model has no graph")
    _walk(message, model, graphs, budget)
    metadata = model.metadata
    inputs = [value for value in model.inputs if value["name"] not in model.initialized]
    metadata["signature"] = {"inputs": inputs, "outputs": model.outputs}
    metadata["nodes"] = model.nodes
    metadata["ops"] = dict(sorted(model.ops.items())[:200])
    if model.external:
        metadata["external"] = {name: list(place) for name, place in model.external.items()}
    return Inspection("onnx", "onnx", tuple(model.tensors), metadata, _findings(model, path))


_TEXTS = {2: "producer", 3: "producer_version", 4: "domain"}


def _model(message: Message, model: _Model, size: int) -> list[tuple[str, int, int, int]]:
    """The top level; gives the graphs and functions to walk."""
    graphs: list[tuple[str, int, int, int]] = []
    opsets: dict[str, int] = {}
    extra: dict[str, str] = {}
    for number, wire, low, high in message.fields(0, size):
        if wire == VARINT and number in (1, 5):
            model.metadata["ir_version" if number == 1 else "model_version"] = signed(low)
        elif wire != LENGTH:
            continue
        elif number in _TEXTS:
            model.metadata[_TEXTS[number]] = message.shown(low, high)
        elif number == 7:
            if any(kind == "graph" for kind, *_ in graphs):
                raise bad(KIND, "the model has two graphs")
            graphs.append(("graph", low, high, 0))
        elif number == 8:
            domain, version = _opset(message, low, high)
            opsets[domain] = version
        elif number == 14 and len(extra) < 200:
            key, value = _pair(message, low, high)
            extra[key] = value
        elif number == 25:
            graphs.append(("function", low, high, 0))
            model.functions.add(_function_domain(message, low, high))
    if opsets:
        model.metadata["opset"] = opsets.get("", opsets.get("ai.onnx"))
        model.metadata["opsets"] = opsets
    if extra:
        model.metadata["metadata"] = extra
    return graphs if any(kind == "graph" for kind, *_ in graphs) else []


def _walk(
    message: Message, model: _Model, todo: list[tuple[str, int, int, int]], budget: Budget
) -> None:
    """Graphs, functions, nodes and attributes, by a list instead of recursion."""
    while todo:
        kind, start, end, depth = todo.pop()
        if depth > budget.max_depth:
            raise bad(KIND, "graphs are nested too deeply")
        if len(model.tensors) > budget.max_tensors:
            raise bad(KIND, f"more than {budget.max_tensors} tensors are too many")
        if kind == "graph":
            _graph(message, model, start, end, depth, todo)
        else:
            for number, wire, low, high in message.fields(start, end):
                if number == 7 and wire == LENGTH:
                    _node(message, model, low, high, depth, todo)
                elif number == 11 and wire == LENGTH:  # what its attributes are by default
                    _attribute(message, model, low, high, depth, todo, "")


def _graph(
    message: Message,
    model: _Model,
    start: int,
    end: int,
    depth: int,
    todo: list[tuple[str, int, int, int]],
) -> None:
    for number, wire, low, high in message.fields(start, end):
        if wire != LENGTH:
            continue
        if number == 1:
            _node(message, model, low, high, depth, todo)
        elif number == 5:
            _add(message, model, low, high, "")
        elif number == 15:
            _sparse(message, model, low, high, "sparse")
        elif number in (11, 12) and depth == 0:
            values = model.inputs if number == 11 else model.outputs
            if len(values) < _VALUES:
                values.append(value_of(message, low, high))


def _node(
    message: Message,
    model: _Model,
    start: int,
    end: int,
    depth: int,
    todo: list[tuple[str, int, int, int]],
) -> None:
    model.nodes += 1
    domain = op = output = ""
    attributes = []
    for number, wire, low, high in message.fields(start, end):
        if wire != LENGTH:
            continue
        if number == 7:
            domain = message.text(low, high)
        elif number == 4:
            op = message.text(low, high)
        elif number == 2 and not output:
            output = message.text(low, high)
        elif number == 5:
            attributes.append((low, high))
    model.ops[op] = model.ops.get(op, 0) + 1 if len(model.ops) < 10_000 else 1
    if domain not in model.domains and len(model.domains) <= _DOMAINS:
        model.domains[domain] = op
    for low, high in attributes:
        _attribute(message, model, low, high, depth, todo, output)


def _attribute(
    message: Message,
    model: _Model,
    start: int,
    end: int,
    depth: int,
    todo: list[tuple[str, int, int, int]],
    output: str,
) -> None:
    """Constants hold tensors; loops and branches hold graphs."""
    given: set[int] = set()
    for number, wire, low, high in message.fields(start, end):
        if wire != LENGTH:
            continue
        if number in (5, 10):
            _once(given, number, 5)
            _add(message, model, low, high, output or "constant")
        elif number in (22, 23):
            _once(given, number, 22)
            _sparse(message, model, low, high, output or "constant")
        elif number in (6, 11):
            todo.append(("graph", low, high, depth + 1))


def _sparse(message: Message, model: _Model, start: int, end: int, name: str) -> None:
    """Values and their indices."""
    given: set[int] = set()
    for number, wire, low, high in message.fields(start, end):
        if wire == LENGTH and number in (1, 2):
            _once(given, number, 1, 2)
            _add(message, model, low, high, name)


def _once(given: set[int], number: int, *single: int) -> None:
    """Protobuf would make one tensor of two that stand in one field, and it is none of them."""
    if number in given and number in single:
        raise bad(KIND, "a tensor is given twice")
    given.add(number)


def _add(message: Message, model: _Model, start: int, end: int, fallback: str) -> None:
    """A tensor under a name that no other has: constants are named after what they give."""
    tensor, external = tensor_of(message, start, end)
    name = fallback or tensor.name
    if not fallback:
        model.initialized.add(tensor.name)
    while name in model.names:
        name = f"{name}#{len(model.tensors)}"
    model.names.add(name)
    if external is not None:
        model.external[name] = external
    if name != tensor.name:
        tensor = TensorInfo(name, tensor.dtype, tensor.shape, tensor.start, tensor.end)
    model.tensors.append(tensor)


def _pair(message: Message, start: int, end: int) -> tuple[str, str]:
    found = {1: "", 2: ""}
    for number, wire, low, high in message.fields(start, end):
        if wire == LENGTH and number in found:
            found[number] = message.shown(low, high)
    return found[1], found[2]


def _opset(message: Message, start: int, end: int) -> tuple[str, int]:
    domain, version = "", 0
    for number, wire, low, high in message.fields(start, end):
        if number == 1 and wire == LENGTH:
            domain = message.text(low, high)
        elif number == 2 and wire == VARINT:
            version = signed(low)
    return domain, version


def _function_domain(message: Message, start: int, end: int) -> str:
    for number, wire, low, high in message.fields(start, end):
        if number == 10 and wire == LENGTH:
            return message.text(low, high)
    return ""


def _findings(model: _Model, path: str) -> tuple[Finding, ...]:
    found = []
    for domain, op in model.domains.items():
        if domain not in KNOWN_DOMAINS and domain not in model.functions:
            text = printable(f"{domain}.{op}")
            message = f"the operator {text} needs code that is not part of ONNX"
            found.append(Finding("custom-op", "warning", message, path))
    for location in sorted({place.location for place in model.external.values()})[:100]:
        inside = _stays_inside(location)
        found.append(
            Finding("external-data", "info", f"weights lie in {printable(location)}", path)
            if inside
            else Finding(
                "external-data", "danger", f"{printable(location)} leaves the folder", path
            )
        )
    return tuple(found)


def _stays_inside(location: str) -> bool:
    parts = location.replace("\\", "/").split("/")
    rooted = location[:1] in ("/", "\\") or location[1:2] == ":" or "\0" in location
    return not rooted and ".." not in parts and "://" not in location
