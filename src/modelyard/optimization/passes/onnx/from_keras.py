"""Keras models as ONNX graphs, layer by layer: Sequential and functional ones of known layers.

Pictures stay channels last, as Keras has them: convolutions are turned around where they stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import Unsupported
from modelyard.frameworks.keras.tensors import inputs_of, role_of
from modelyard.frameworks.onnx.walking import library
from modelyard.optimization.passes.onnx.keras_layers import WRITERS, Graph
from modelyard.optimization.passes.onnx.protos import with_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["keras_graphs"]

_OPSET, _IR = 18, 9


def keras_graphs(
    obj: Any, signature: Any, *, columns: bool = True
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The way to convert a model, as `from_torch.torch_graphs` gives them."""
    yield "layers", lambda: _converted(obj, signature, columns)


def _converted(model: Any, signature: Any, columns: bool) -> Any:
    onnx = library()
    specs = inputs_of(model)
    outputs = list(getattr(model, "outputs", None) or ())
    if not specs or not outputs:
        raise Unsupported(
            "not-improvable", "the model has no fixed graph of layers",
            hint="Sequential and functional models have; call a subclassed one on its inputs",
        )  # fmt: skip
    graph = Graph()
    kinds = onnx.helper.np_dtype_to_tensor_dtype
    ports = []
    for spec, tensor in zip(specs, model.inputs, strict=True):
        dtype = np.dtype("float32" if spec.dtype in ("bfloat16", "float16") else spec.dtype)
        graph.values[id(tensor)] = spec.name
        sides = ["batch", *(side if side is not None else f"{spec.name}_{at}"
                            for at, side in enumerate(spec.row, 1))]  # fmt: skip
        ports.append(onnx.helper.make_tensor_value_info(spec.name, kinds(dtype), sides))
    _walk(model, graph)
    names = _ends(model, graph, [graph.values[id(tensor)] for tensor in outputs], outputs)
    proto = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, "model", ports, names, graph.constants),
        opset_imports=[onnx.helper.make_opsetid("", _OPSET)], ir_version=_IR,
        producer_name="modelyard-keras",
    )  # fmt: skip
    return with_columns(proto, _column_names(signature, specs)) if columns else proto


def _walk(model: Any, graph: Graph) -> None:
    """Every layer once for each time that it is called, inputs first."""
    for operation, node in _calls(model):
        given = [graph.values[id(tensor)] for tensor in node.arguments.keras_tensors]
        if hasattr(operation, "_nodes") and hasattr(operation, "layers"):
            inner = operation
            for tensor, name in zip(inner.inputs, given, strict=True):
                graph.values[id(tensor)] = name
            _walk(inner, graph)
            made = [graph.values[id(tensor)] for tensor in inner.outputs]
        else:
            made = [_written(operation, given, node, graph)]
        if len(made) != len(node.output_tensors):
            raise _unknown(operation, "gives several tensors")
        for tensor, name in zip(node.output_tensors, made, strict=True):
            graph.values[id(tensor)] = name


def _calls(model: Any) -> Iterator[tuple[Any, Any]]:
    """Layers and how each is called, in an order in which inputs come first."""
    known: set[int] = {id(tensor) for tensor in model.inputs}
    found: list[tuple[Any, Any]] = []
    seen: set[int] = set()

    def visit(tensor: Any) -> None:
        if id(tensor) in known:
            return
        history = tensor._keras_history
        node = history.operation._inbound_nodes[history.node_index]
        if id(node) not in seen:
            seen.add(id(node))
            for before in node.arguments.keras_tensors:
                visit(before)
            found.append((history.operation, node))

    for tensor in model.outputs:
        visit(tensor)
    return iter(found)


def _written(layer: Any, given: list[str], node: Any, graph: Graph) -> str:
    name = type(layer).__name__
    writer = WRITERS.get(name)
    module = type(layer).__module__
    if writer is None or not module.startswith("keras.src."):
        raise _unknown(layer, "is none that is known")
    shape = tuple(node.arguments.keras_tensors[0].shape)
    made: str = writer(layer, given, shape, graph)
    return made


def _unknown(layer: Any, why: str) -> Unsupported:
    return Unsupported(
        "not-improvable", f"the layer {layer.name} ({type(layer).__name__}) {why}",
        hint=f"known are {', '.join(sorted(WRITERS))}",
    )  # fmt: skip


def _ends(model: Any, graph: Graph, made: list[str], tensors: list[Any]) -> list[Any]:
    """Outputs as the runtime of Keras names them."""
    onnx = library()
    make = onnx.helper.make_tensor_value_info
    role = role_of(model)
    if role == "number":
        flat = graph.constant(np.array([-1], np.int64))
        graph.add("Reshape", [made[0], flat], output="prediction")
        return [make("prediction", 1, ["batch"])]
    if role in ("softmax", "sigmoid"):
        chance = made[0]
        if role == "sigmoid":
            one = graph.constant(np.array(1, np.float32))
            chance = graph.add("Concat", [graph.add("Sub", [one, chance]), chance], axis=1)
        count = 2 if role == "sigmoid" else int(tensors[0].shape[-1])
        graph.add("Identity", [chance], output="probability")
        graph.add("ArgMax", [chance], output="label", axis=1, keepdims=0)
        return [make("label", onnx.TensorProto.INT64, ["batch"]),
                make("probability", 1, ["batch", count])]  # fmt: skip
    ports: list[Any] = []
    used: list[str] = []
    for name, tensor in zip(made, tensors, strict=True):
        own = tensor._keras_history.operation.name
        own = f"{own}_{len(used)}" if own in used else own
        used.append(own)
        graph.add("Identity", [name], output=own)
        sides = ["batch", *(side if side else f"{own}_{at}"
                            for at, side in enumerate(tensor.shape[1:], 1))]  # fmt: skip
        ports.append(make(own, 1, sides))
    return ports


def _column_names(signature: Any, specs: Any) -> tuple[str, ...]:
    """Columns that the model was committed with, where its input takes them side by side."""
    names = tuple(str(each["name"]) for each in (signature or {}).get("inputs") or ())
    single = len(specs) == 1 and len(specs[0].row) == 1
    return names if single and len(names) > 1 and len(names) == specs[0].row[0] else ()
