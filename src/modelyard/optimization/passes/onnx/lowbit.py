"""Weights of 8 or 4 bits in a graph that goes on counting with floats.

Nothing is measured on rows, and any operator with channels can be packed: convolutions, products,
recurrent layers, embeddings. 8 bits are unpacked when the graph is loaded: smaller on disk, as fast
as before. 4 bits of products and embeddings stay packed in memory (`MatMulNBits`,
`GatherBlockQuantized` of ONNX Runtime).
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.frameworks.onnx.walking import graphs, library
from modelyard.optimization.passes.onnx.weights import Weight, replaced, weights_of

if TYPE_CHECKING:
    from collections.abc import Collection

    Array = np.ndarray[Any, Any]

_SHARE = 8
"""Numbers that share a scale, at least."""
_BIAS = 64
"""Numbers that a bias must have to be worth 16 bits."""
_NORMAL, _LARGEST = 6.2e-5, 6e4
"""Between them float16 is exact to a thousandth."""
_EXACT, _NOTHING = 1e-3, 1e-6
"""What a bias may change by, of itself; and what is as good as nothing."""

__all__ = ["packed", "packed_embeddings", "with_names"]


def with_names(proto: Any) -> Any:
    """A copy in which every node has a name, and no two the same one."""
    found = library().ModelProto()
    found.CopyFrom(proto)
    taken: set[str] = set()
    for graph in graphs(found.graph):
        for at, node in enumerate(graph.node):
            name = node.name or f"{node.op_type}_{at}"
            while name in taken:
                name += "_"
            node.name = name
            taken.add(name)
    return found


def packed(
    proto: Any, keep: Collection[str] = (), *, bits: int = 8, block: int | None = None,
    per_channel: bool = True,
) -> tuple[Any, int]:  # fmt: skip
    """A copy whose weights have fewer bits, and how many were packed.

    Args:
        proto: Every node of it has a name.
        keep: Names of nodes whose weights stay as they are.
        bits: 8, or 4: products and embeddings by blocks, 8 bits for what else has weights.
        block: Numbers that share a scale; None: a whole channel does, of 8 bits, or 32, of 4 bits.
    """
    if bits == 8:
        return _packed8(proto, keep, per_channel, block)
    from modelyard.optimization.passes.onnx.fourbits import packed4

    half, count = packed4(proto, keep, block or 32)
    whole, more = _packed8(half, keep, per_channel, None)
    return whole, count + more


def _packed8(
    proto: Any, keep: Collection[str], per_channel: bool, block: int | None
) -> tuple[Any, int]:
    """A copy with weights as int8 times a scale for each channel, and how many were packed.

    Embeddings are looked up first and widened after, so that they stay small in memory. Biases
    become float16 where that changes none by more than a thousandth.
    """
    onnx = library()
    found = onnx.ModelProto()
    found.CopyFrom(proto)
    count = 0
    for weight in weights_of(found, keep=keep):
        if _looked_up(weight):
            _pack_embedding(weight)
        else:
            _pack(weight, per_channel, block)
        count += 1
    if count:
        for bias in weights_of(found, keep=keep, sides=1, least=_BIAS):
            _halve(bias)
    return found, count


def _halve(bias: Weight) -> None:
    """Where 16 bits are exact enough; scales of weights that were packed are left alone."""
    values = bias.array()
    if bias.name.endswith("_scale"):
        return
    with np.errstate(over="ignore"):
        short = values.astype(np.float16)
    wrong = np.abs(short.astype(np.float32) - values) > _EXACT * np.abs(values)
    if not np.isfinite(short).all() or bool((wrong & (np.abs(values) > _NOTHING)).any()):
        return
    make = library().helper.make_node
    name = bias.name
    replaced(
        bias,
        [library().numpy_helper.from_array(short, f"{name}_half")],
        [make("Cast", [f"{name}_half"], [name], name=f"{name}_wide", to=1)],
    )


def packed_embeddings(proto: Any, keep: Collection[str] = ()) -> tuple[Any, tuple[str, ...]]:
    """A copy with 8 bits for each number of embeddings alone, and the nodes that widen them."""
    onnx = library()
    found = onnx.ModelProto()
    found.CopyFrom(proto)
    names: list[str] = []
    for weight in weights_of(found, keep=keep):
        if _looked_up(weight):
            names += _pack_embedding(weight)
    return found, tuple(names)


def _looked_up(weight: Weight) -> bool:
    """Whether it is a table of which rows are looked up, all in the graph that holds it."""
    here = [node for node in weight.graph.node
            if node.op_type == "Gather" and node.input[0] == weight.name]  # fmt: skip
    by_rows = all(use.op == "Gather" and use.channels == (0,) for use in weight.uses)
    return by_rows and len(weight.dims) == 2 and len(here) == len(weight.uses)


def _pack(weight: Weight, per_channel: bool, block: int | None) -> None:
    """`weight = Cast(int8) * scale`: operators that every version of ONNX has."""
    values = weight.array()
    channels = set(weight.uses[0].channels) if per_channel else set()
    cut = None if block is None else _cut(values, channels, block)
    if prod(values.shape[side] for side in channels) * _SHARE > values.size:
        channels = set()  # their scales would take as much room as they save
    over = tuple(side for side in range(values.ndim) if side not in channels)
    whole, scale = _quantized(values, over) if cut is None else _quantized(*cut)
    onnx, name = library(), weight.name
    make = onnx.helper.make_node
    tensors = [onnx.numpy_helper.from_array(whole, f"{name}_int8")]
    nodes = [make("Cast", [f"{name}_int8"], [f"{name}_float"], name=f"{name}_cast", to=1)]
    short = scale.astype(np.float16)
    if scale.size >= _BIAS and (short.astype(np.float32) == scale).all():
        tensors.append(onnx.numpy_helper.from_array(short, f"{name}_step"))
        nodes.append(make("Cast", [f"{name}_step"], [f"{name}_scale"], name=f"{name}_steps", to=1))
    else:
        tensors.append(onnx.numpy_helper.from_array(scale, f"{name}_scale"))
    end = name if cut is None else f"{name}_cut"
    nodes.append(make("Mul", [f"{name}_float", f"{name}_scale"], [end], name=f"{name}_scaled"))
    if cut is not None:
        shape = np.array(values.shape, np.int64)
        tensors.append(onnx.numpy_helper.from_array(shape, f"{name}_shape"))
        nodes.append(make("Reshape", [end, f"{name}_shape"], [name], name=f"{name}_whole"))
    replaced(weight, tensors, nodes)


def _cut(values: Array, channels: set[int], block: int) -> tuple[Array, tuple[int, ...]] | None:
    """Each channel in blocks, and the side that a scale is for; None if they don't come out even.

    Channels are the first sides, then shape (channels, blocks, block), or the last of two, then
    (blocks, block, channels).
    """
    count = prod(values.shape[side] for side in channels)
    inner = values.size // max(count, 1)
    if inner % block or inner <= block or not channels:
        return None
    if channels == set(range(len(channels))):
        return values.reshape(count, inner // block, block), (2,)
    if values.ndim == 2 and channels == {1}:
        return values.reshape(inner // block, block, count), (1,)
    return None


def _pack_embedding(weight: Weight) -> list[str]:
    """Rows as int8 and a scale for each: both are looked up, and multiplied after by the nodes
    whose names are given."""
    onnx = library()
    whole, scale = _quantized(weight.array(), (1,))
    name = weight.name
    make = onnx.helper.make_node
    graph = weight.graph
    names = []
    tensors = [
        onnx.numpy_helper.from_array(whole, f"{name}_int8"),
        onnx.numpy_helper.from_array(scale, f"{name}_scale"),
    ]
    for at in reversed(range(len(graph.node))):
        node = graph.node[at]
        if node.op_type != "Gather" or node.input[0] != name:
            continue
        indices, end, label = node.input[1], node.output[0], node.name or f"{name}_{at}"
        del graph.node[at]
        names.append(label)
        for made in reversed((
            make("Gather", [f"{name}_int8", indices], [f"{end}_int8"], name=f"{label}_int8"),
            make("Gather", [f"{name}_scale", indices], [f"{end}_scale"], name=f"{label}_scale"),
            make("Cast", [f"{end}_int8"], [f"{end}_float"], name=f"{label}_cast", to=1),
            make("Mul", [f"{end}_float", f"{end}_scale"], [end], name=label),
        )):  # fmt: skip
            graph.node.insert(at, made)
    replaced(weight, tensors, [])
    return names


def _quantized(values: Array, over: tuple[int, ...]) -> tuple[Array, Array]:
    """Whole numbers from -127 to 127 and what they are multiplied by, one scale over some sides."""
    largest = np.abs(values).max(axis=over, keepdims=True)
    scale = np.where(largest > 0, largest / np.float32(127), 1).astype(np.float32)
    if scale.size >= _BIAS and scale.min() > _NORMAL and scale.max() < _LARGEST:
        # one that 16 bits hold, rounded up: the largest number must not be cut off
        short = scale.astype(np.float16)
        low = short.astype(np.float32) < scale
        short = np.where(low, np.nextafter(short, np.float16(np.inf)), short)
        scale = short.astype(np.float32)
    whole = np.clip(np.rint(values / scale), -127, 127).astype(np.int8)
    return whole, scale
