"""One layer of Keras as nodes of ONNX."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.errors import Unsupported
from modelyard.frameworks.onnx.walking import library

if TYPE_CHECKING:
    from collections.abc import Callable

    Shape = tuple[int | None, ...]

__all__ = ["WRITERS", "Graph"]

Array = np.ndarray[Any, Any]


@dataclass(slots=True)
class Graph:
    """What is written so far."""

    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    values: dict[int, str] = field(default_factory=dict)
    """Names of tensors of Keras, by identity."""

    def constant(self, value: Array, name: str = "") -> str:
        name = name or f"constant_{len(self.constants)}"
        if name in {tensor.name for tensor in self.constants}:
            return name  # a layer that is called twice
        self.constants.append(library().numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, op: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        output = output or f"value_{len(self.nodes)}"
        self.nodes.append(library().helper.make_node(
            op, inputs, [output], name=f"{op}_{len(self.nodes)}", **attributes
        ))  # fmt: skip
        return output


def _numbers(variable: Any) -> Array:
    found: Array = np.asarray(variable, np.float32)
    return found


def _activated(function: Any, value: str, graph: Graph, layer: Any) -> str:
    name = getattr(function, "__name__", "linear")
    if name == "linear":
        return value
    plain = {
        "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softplus": "Softplus",
        "softsign": "Softsign", "elu": "Elu", "selu": "Selu", "exponential": "Exp",
    }  # fmt: skip
    if name in plain:
        return graph.add(plain[name], [value])
    if name == "softmax":
        return graph.add("Softmax", [value], axis=-1)
    if name == "log_softmax":
        return graph.add("LogSoftmax", [value], axis=-1)
    if name in ("silu", "swish"):
        return graph.add("Mul", [value, graph.add("Sigmoid", [value])])
    if name == "relu6":
        low, high = (graph.constant(np.array(v, np.float32)) for v in (0, 6))
        return graph.add("Clip", [value, low, high])
    if name == "leaky_relu":
        return graph.add("LeakyRelu", [value], alpha=0.2)
    if name == "gelu":
        half, one, root = (graph.constant(np.array(v, np.float32)) for v in (0.5, 1, 2**0.5))
        risen = graph.add("Add", [graph.add("Erf", [graph.add("Div", [value, root])]), one])
        return graph.add("Mul", [graph.add("Mul", [value, half]), risen])
    raise Unsupported("not-improvable", f"the activation {name} of {layer.name} is not known")


def _dense(layer: Any, given: list[str], shape: Shape, graph: Graph) -> str:
    kernel = graph.constant(_numbers(layer.kernel), f"{layer.name}.kernel")
    if layer.use_bias:
        bias = graph.constant(_numbers(layer.bias), f"{layer.name}.bias")
        if len(shape) == 2:
            found = graph.add("Gemm", [given[0], kernel, bias])
        else:
            found = graph.add("Add", [graph.add("MatMul", [given[0], kernel]), bias])
    else:
        found = graph.add("MatMul", [given[0], kernel])
    return _activated(layer.activation, found, graph, layer)


def _convolution(layer: Any, given: list[str], shape: Shape, graph: Graph) -> str:
    """Channels last in and out; kernels (space..., in, out) become (out, in, space...)."""
    sides = len(shape) - 2
    depthwise = type(layer).__name__.startswith("Depthwise")
    kernel = _numbers(layer.kernel)
    channels = int(shape[-1] or 0)
    if depthwise:  # (space..., in, times) becomes (in * times, 1, space...)
        kernel = kernel.reshape(*kernel.shape[:-2], 1, -1)
    groups = channels if depthwise else int(getattr(layer, "groups", 1))
    turned = np.transpose(kernel, (sides + 1, sides, *range(sides)))
    names = [_first(given[0], sides, graph), graph.constant(turned, f"{layer.name}.kernel")]
    if layer.use_bias:
        names.append(graph.constant(_numbers(layer.bias), f"{layer.name}.bias"))
    strides, dilation = list(layer.strides), list(layer.dilation_rate)
    attributes: dict[str, Any] = {"strides": strides, "dilations": dilation, "group": groups}
    if layer.padding == "causal":
        attributes["pads"] = [(kernel.shape[0] - 1) * dilation[0], 0]
    else:
        attributes["auto_pad"] = "SAME_UPPER" if layer.padding == "same" else "VALID"
    _only_last(layer)
    found = _last(graph.add("Conv", names, **attributes), sides, graph)
    return _activated(layer.activation, found, graph, layer)


def _pooling(layer: Any, given: list[str], shape: Shape, graph: Graph) -> str:
    sides = len(shape) - 2
    _only_last(layer)
    op = "MaxPool" if "Max" in type(layer).__name__ else "AveragePool"
    found = graph.add(
        op, [_first(given[0], sides, graph)], kernel_shape=list(layer.pool_size),
        strides=list(layer.strides),
        auto_pad="SAME_UPPER" if layer.padding == "same" else "VALID",
    )  # fmt: skip
    return _last(found, sides, graph)


def _global(layer: Any, given: list[str], shape: Shape, graph: Graph) -> str:
    _only_last(layer)
    op = "ReduceMax" if "Max" in type(layer).__name__ else "ReduceMean"
    axes = graph.constant(np.arange(1, len(shape) - 1, dtype=np.int64))
    return graph.add(op, [given[0], axes], keepdims=int(layer.keepdims))


def _normalized(layer: Any, given: list[str], shape: Shape, graph: Graph) -> str:
    """What was learned becomes a factor and a summand."""
    if layer.axis not in (-1, len(shape) - 1):
        raise Unsupported("not-improvable", f"{layer.name} normalizes another axis than the last")
    mean, variance = _numbers(layer.moving_mean), _numbers(layer.moving_variance)
    factor = 1 / np.sqrt(variance.astype(np.float64) + layer.epsilon)
    if layer.scale:
        factor = factor * _numbers(layer.gamma)
    summand = -mean * factor + (_numbers(layer.beta) if layer.center else 0)
    product = graph.add("Mul", [
        given[0], graph.constant(factor.astype(np.float32), f"{layer.name}.factor")
    ])  # fmt: skip
    summed = graph.constant(summand.astype(np.float32), f"{layer.name}.summand")
    return graph.add("Add", [product, summed])


def _layer_normalized(layer: Any, given: list[str], shape: Shape, graph: Graph) -> str:
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    if axes not in ([-1], [len(shape) - 1]) or not layer.scale:
        raise Unsupported("not-improvable", f"{layer.name} normalizes other axes than the last")
    names = [given[0], graph.constant(_numbers(layer.gamma), f"{layer.name}.gamma")]
    if layer.center:
        names.append(graph.constant(_numbers(layer.beta), f"{layer.name}.beta"))
    return graph.add("LayerNormalization", names, axis=-1, epsilon=float(layer.epsilon))


def _embedding(layer: Any, given: list[str], shape: Shape, graph: Graph) -> str:
    del shape
    if layer.mask_zero:
        raise Unsupported("not-improvable", f"{layer.name} masks zeros, which graphs can't")
    table = graph.constant(_numbers(layer.embeddings), f"{layer.name}.embeddings")
    whole = graph.add("Cast", [given[0]], to=7)
    return graph.add("Gather", [table, whole], axis=0)


def _flat(layer: Any, given: list[str], shape: Shape, graph: Graph) -> str:
    del layer, shape
    return graph.add("Flatten", [given[0]], axis=1)


def _reshaped(layer: Any, given: list[str], shape: Shape, graph: Graph) -> str:
    del shape
    sides = [0, *(int(side) for side in layer.target_shape)]
    return graph.add("Reshape", [given[0], graph.constant(np.array(sides, np.int64))])


def _permuted(layer: Any, given: list[str], shape: Shape, graph: Graph) -> str:
    del shape
    return graph.add("Transpose", [given[0]], perm=[0, *layer.dims])


def _same(layer: Any, given: list[str], shape: Shape, graph: Graph) -> str:
    del layer, shape, graph
    return given[0]


def _activation(layer: Any, given: list[str], shape: Shape, graph: Graph) -> str:
    del shape
    return _activated(layer.activation, given[0], graph, layer)


def _relu(layer: Any, given: list[str], shape: Shape, graph: Graph) -> str:
    del shape
    value, slope = given[0], float(layer.negative_slope or 0)
    if layer.threshold:
        raise Unsupported("not-improvable", f"{layer.name} has a threshold")
    found = graph.add("LeakyRelu", [value], alpha=slope) if slope else graph.add("Relu", [value])
    if layer.max_value is None:
        return found
    high = graph.constant(np.array(layer.max_value, np.float32))
    return graph.add("Clip", [found, "", high])


def _leaky(layer: Any, given: list[str], shape: Shape, graph: Graph) -> str:
    del shape
    return graph.add("LeakyRelu", [given[0]], alpha=float(layer.negative_slope))


def _softmax(layer: Any, given: list[str], shape: Shape, graph: Graph) -> str:
    del shape
    if layer.axis != -1:
        raise Unsupported("not-improvable", f"{layer.name} has another axis than the last")
    return graph.add("Softmax", [given[0]], axis=-1)


def _rescaled(layer: Any, given: list[str], shape: Shape, graph: Graph) -> str:
    del shape
    scale = graph.constant(np.asarray(layer.scale, np.float32))
    shift = graph.constant(np.asarray(layer.offset, np.float32))
    return graph.add("Add", [graph.add("Mul", [given[0], scale]), shift])


def _padded(layer: Any, given: list[str], shape: Shape, graph: Graph) -> str:
    pairs = layer.padding if isinstance(layer.padding[0], tuple | list) else [layer.padding]
    begin = [0, *(int(a) for a, _ in pairs), 0]
    end = [0, *(int(b) for _, b in pairs), 0]
    if len(begin) != len(shape):
        raise Unsupported("not-improvable", f"{layer.name} pads other sides")
    _only_last(layer)
    return graph.add("Pad", [given[0], graph.constant(np.array(begin + end, np.int64))])


def _joined(op: str) -> Callable[[Any, list[str], Shape, Graph], str]:
    def write(layer: Any, given: list[str], shape: Shape, graph: Graph) -> str:
        if op == "Concat":
            return graph.add("Concat", given, axis=int(layer.axis) % len(shape))
        if op == "Mean":
            return graph.add("Mean", given)
        found = given[0]
        for other in given[1:]:
            found = graph.add(op, [found, other])
        return found

    return write


def _first(value: str, sides: int, graph: Graph) -> str:
    """Channels first."""
    return graph.add("Transpose", [value], perm=[0, sides + 1, *range(1, sides + 1)])


def _last(value: str, sides: int, graph: Graph) -> str:
    """Channels last."""
    return graph.add("Transpose", [value], perm=[0, *range(2, sides + 2), 1])


def _only_last(layer: Any) -> None:
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise Unsupported("not-improvable", f"{layer.name} has its channels first")


WRITERS: dict[str, Callable[[Any, list[str], Any, Graph], str]] = {
    "Dense": _dense, "Conv1D": _convolution, "Conv2D": _convolution,
    "DepthwiseConv1D": _convolution, "DepthwiseConv2D": _convolution, "MaxPooling1D": _pooling,
    "MaxPooling2D": _pooling, "AveragePooling1D": _pooling, "AveragePooling2D": _pooling,
    "GlobalAveragePooling1D": _global, "GlobalAveragePooling2D": _global,
    "GlobalMaxPooling1D": _global, "GlobalMaxPooling2D": _global,
    "BatchNormalization": _normalized, "LayerNormalization": _layer_normalized,
    "Embedding": _embedding, "Flatten": _flat, "Reshape": _reshaped, "Permute": _permuted,
    "Dropout": _same, "SpatialDropout1D": _same, "SpatialDropout2D": _same,
    "GaussianNoise": _same, "GaussianDropout": _same, "ActivityRegularization": _same,
    "Identity": _same, "Activation": _activation, "ReLU": _relu, "LeakyReLU": _leaky,
    "Softmax": _softmax, "Rescaling": _rescaled, "ZeroPadding1D": _padded,
    "ZeroPadding2D": _padded, "Add": _joined("Add"), "Multiply": _joined("Mul"),
    "Subtract": _joined("Sub"), "Average": _joined("Mean"), "Maximum": _joined("Max"),
    "Minimum": _joined("Min"), "Concatenate": _joined("Concat"),
}  # fmt: skip
"""By class: each writes nodes and gives the name of what they give."""
