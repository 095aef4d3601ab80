"""Small ONNX models that show one thing of the protocol each. Made here, of nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto as T
from onnx import helper

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["DATATYPES", "MODELS", "save"]

DATATYPES = {
    "BOOL": T.BOOL, "UINT8": T.UINT8, "UINT16": T.UINT16, "UINT32": T.UINT32, "UINT64": T.UINT64,
    "INT8": T.INT8, "INT16": T.INT16, "INT32": T.INT32, "INT64": T.INT64,
    "FP16": T.FLOAT16, "FP32": T.FLOAT, "FP64": T.DOUBLE, "BYTES": T.STRING,
}  # fmt: skip
"""Every datatype of the protocol."""


def _value(name: str, kind: int, shape: Sequence[int | str | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, list(shape))


def _model(nodes: list, inputs: list, outputs: list, constants: Sequence = ()) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "graph", inputs, outputs, list(constants))
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, producer_name="tests"
    )


def _sums(kind: int) -> onnx.ModelProto:
    """Two rows of sixteen numbers: their sum, and their difference."""
    shape = (None, 16)
    inputs = [_value(name, kind, shape) for name in ("INPUT0", "INPUT1")]
    outputs = [_value(name, kind, shape) for name in ("OUTPUT0", "OUTPUT1")]
    if kind == T.INT32:
        nodes = [helper.make_node("Add", ["INPUT0", "INPUT1"], ["OUTPUT0"]),
                 helper.make_node("Sub", ["INPUT0", "INPUT1"], ["OUTPUT1"])]  # fmt: skip
        return _model(nodes, inputs, outputs)
    nodes = [  # there is no arithmetic of text and of small numbers
        helper.make_node("Cast", ["INPUT0"], ["a"], to=T.INT32),
        helper.make_node("Cast", ["INPUT1"], ["b"], to=T.INT32),
        helper.make_node("Add", ["a", "b"], ["sum"]),
        helper.make_node("Sub", ["a", "b"], ["difference"]),
        helper.make_node("Cast", ["sum"], ["OUTPUT0"], to=kind),
        helper.make_node("Cast", ["difference"], ["OUTPUT1"], to=kind),
    ]
    return _model(nodes, inputs, outputs)


def _same(kinds: dict[str, int], shape: Sequence[int | str | None]) -> onnx.ModelProto:
    """Gives back what it is given."""
    nodes, inputs, outputs = [], [], []
    for name, kind in kinds.items():
        nodes.append(helper.make_node("Identity", [f"INPUT{name}"], [f"OUTPUT{name}"]))
        inputs.append(_value(f"INPUT{name}", kind, shape))
        outputs.append(_value(f"OUTPUT{name}", kind, shape))
    return _model(nodes, inputs, outputs)


def _total() -> onnx.ModelProto:
    """The sum of a matrix's rows: a model with one input, and rows of fixed width."""
    axes = helper.make_tensor("axes", T.INT64, [1], [1])
    return _model(
        [helper.make_node("ReduceSum", ["x", "axes"], ["total"], keepdims=0)],
        [_value("x", T.FLOAT, (None, 4))], [_value("total", T.FLOAT, (None,))], [axes],
    )  # fmt: skip


def _slow() -> onnx.ModelProto:
    """As `total`, after some milliseconds of multiplying large matrices."""
    sides = helper.make_tensor("sides", T.INT64, [2], [1200, 1200])
    axes = helper.make_tensor("axes", T.INT64, [1], [1])
    zero = helper.make_tensor("zero", T.FLOAT, [], [0.0])
    nodes = [
        helper.make_node("ReduceSum", ["x", "axes"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["x"], ["all"], keepdims=0),
        helper.make_node("Mul", ["all", "zero"], ["nothing"]),
        helper.make_node("Expand", ["nothing", "sides"], ["matrix"]),
        helper.make_node("MatMul", ["matrix", "matrix"], ["product"]),
        helper.make_node("ReduceSum", ["product"], ["still_nothing"], keepdims=0),
        helper.make_node("Add", ["sum", "still_nothing"], ["total"]),
    ]
    return _model(
        nodes, [_value("x", T.FLOAT, (None, 4))], [_value("total", T.FLOAT, (None,))],
        [sides, axes, zero],
    )  # fmt: skip


def _whole() -> onnx.ModelProto:
    """No rows: one matrix of fixed sides in, one number out."""
    return _model(
        [helper.make_node("ReduceSum", ["matrix"], ["number"], keepdims=0)],
        [_value("matrix", T.FLOAT, (2, 3))], [_value("number", T.FLOAT, ())],
    )  # fmt: skip


def _picture() -> onnx.ModelProto:
    """The shape of the picture model that one of Triton's examples asks for; not the model."""
    return _model(
        [helper.make_node("ReduceMean", ["data_0"], ["fc6_1"], axes=[1, 2], keepdims=1)],
        [_value("data_0", T.FLOAT, (3, 224, 224))], [_value("fc6_1", T.FLOAT, (3, 1, 1))],
    )  # fmt: skip


MODELS = {
    "simple": lambda: _sums(T.INT32),
    "simple_int8": lambda: _sums(T.INT8),
    "simple_string": lambda: _sums(T.STRING),
    "simple_identity": lambda: _same({"0": T.STRING}, (None, None)),
    "every": lambda: _same({f"_{name}": kind for name, kind in DATATYPES.items()}, (None, None)),
    "typed": lambda: _same(
        {f"_{name}": kind for name, kind in DATATYPES.items() if name != "FP16"}, (None, None)
    ),
    "custom_identity_int32": lambda: _same({"0": T.INT32}, (None, None)),
    "total": _total,
    "slow": _slow,
    "whole": _whole,
    "densenet_onnx": _picture,
}
"""By the name that clients ask for; each makes its model."""


def save(name: str, folder: Path) -> Path:
    """A folder with the model's file in it."""
    model = MODELS[name]()
    onnx.checker.check_model(model)
    place = folder / name
    place.mkdir(parents=True)
    onnx.save(model, place / "model.onnx")
    return place
