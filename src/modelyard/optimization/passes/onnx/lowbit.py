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

from modelyard.frameworks.onnx.naming import names_of
from modelyard.frameworks.onnx.walking import graphs, library
from modelyard.optimization.passes.onnx.consumers import is_lookup
from modelyard.optimization.passes.onnx.names import free
from modelyard.optimization.passes.onnx.weights import Weight, packable, replaced, weights_of

if TYPE_CHECKING:
    from collections.abc import Collection

    Array = np.ndarray[Any, Any]

_SHARE = 8
"""Numbers that share a scale, at least."""
_WIDE = 4
"""Numbers that a row of a table has at least, to be worth a scale of its own."""
_BIAS = 64
"""Numbers that a bias must have to be worth 16 bits."""
_NORMAL, _LARGEST = 6.2e-5, 6e4
"""Between them float16 is exact to a thousandth."""
_EXACT, _NOTHING = 1e-3, 1e-6
"""What a bias may change by, of itself; and what is as good as nothing."""

__all__ = ["packed", "packed_embeddings", "short_scales", "with_names"]


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
    whole, more = _packed8(half, keep, per_channel, None, own=names_of(proto))
    return whole, count + more


def _packed8(
    proto: Any, keep: Collection[str], per_channel: bool, block: int | None,
    own: Collection[str] | None = None,
) -> tuple[Any, int]:  # fmt: skip
    """A copy with weights as int8 times a scale for each channel, and how many were packed.

    Embeddings are looked up first and widened after, so that they stay small in memory. Biases
    become float16 where that changes none by more than a thousandth.

    Args:
        own: Names that the model brought: what packing to 4 bits added is left alone.
    """
    onnx = library()
    found = onnx.ModelProto()
    found.CopyFrom(proto)
    taken = names_of(found)
    own = set(taken) if own is None else own
    count = 0
    for weight in packable(found, keep):
        if not _looked_up(weight):
            _pack(weight, per_channel, block, taken)
        elif weight.dims[1] < _WIDE:
            continue
        else:
            _pack_embedding(weight, taken)
        count += 1
    if count:
        for bias in weights_of(found, keep=keep, sides=1, least=_BIAS):
            if bias.name in own:
                _halve(bias, taken)
    return found, count


def _halve(bias: Weight, taken: set[str]) -> None:
    """Where 16 bits are exact enough."""
    values = bias.array()
    with np.errstate(over="ignore", invalid="ignore"):
        short = values.astype(np.float16)
        wrong = np.abs(short.astype(np.float32) - values) > _EXACT * np.abs(values)
    if not np.isfinite(short).all() or bool((wrong & (np.abs(values) > _NOTHING)).any()):
        return
    half = free(f"{bias.name}_half", taken)
    cast = library().helper.make_node("Cast", [half], [bias.name], name=f"{bias.name}_wide", to=1)
    replaced(bias, [library().numpy_helper.from_array(short, half)], [cast])


def packed_embeddings(proto: Any, keep: Collection[str] = ()) -> tuple[Any, tuple[str, ...]]:
    """A copy with 8 bits for each number of embeddings alone, and the nodes that widen them."""
    onnx = library()
    found = onnx.ModelProto()
    found.CopyFrom(proto)
    taken = names_of(found)
    names: list[str] = []
    for weight in packable(found, keep):
        if _looked_up(weight) and weight.dims[1] >= _WIDE:
            names += _pack_embedding(weight, taken)
    return found, tuple(names)


def _looked_up(weight: Weight) -> bool:
    """Whether it is a table of which rows are looked up, all in the graph that holds it."""
    here = [node for node in weight.graph.node if is_lookup(node, weight.name)]
    return len(weight.dims) == 2 and len(here) == len(weight.uses)


def _pack(weight: Weight, per_channel: bool, block: int | None, taken: set[str]) -> None:
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
    short, wide, scales = (free(f"{name}_{what}", taken) for what in ("int8", "float", "scale"))
    tensors = [onnx.numpy_helper.from_array(whole, short)]
    nodes = [make("Cast", [short], [wide], name=f"{name}_cast", to=1)]
    half = scale.astype(np.float16)
    if scale.size >= _BIAS and (half.astype(np.float32) == scale).all():
        step = free(f"{name}_step", taken)
        tensors.append(onnx.numpy_helper.from_array(half, step))
        nodes.append(make("Cast", [step], [scales], name=f"{name}_steps", to=1))
    else:
        tensors.append(onnx.numpy_helper.from_array(scale, scales))
    end = name if cut is None else free(f"{name}_cut", taken)
    nodes.append(make("Mul", [wide, scales], [end], name=f"{name}_scaled"))
    if cut is not None:
        shape = free(f"{name}_shape", taken)
        tensors.append(onnx.numpy_helper.from_array(np.array(values.shape, np.int64), shape))
        nodes.append(make("Reshape", [end, shape], [name], name=f"{name}_whole"))
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


def _pack_embedding(weight: Weight, taken: set[str]) -> list[str]:
    """Rows as int8 and a scale for each: both are looked up, and multiplied after by the nodes
    whose names are given.

    What is looked up is not called as ONNX Runtime's quantizer calls scales: it comes after.
    """
    onnx = library()
    whole, scale = _quantized(weight.array(), (1,))
    name = weight.name
    make = onnx.helper.make_node
    graph = weight.graph
    names = []
    rows, scales = (free(f"{name}_{what}", taken) for what in ("int8", "row_scale"))
    for at in reversed(range(len(graph.node))):
        node = graph.node[at]
        if not is_lookup(node, name):
            continue
        indices, end, label = node.input[1], node.output[0], node.name or f"{name}_{at}"
        short, step, wide = (free(f"{end}_{w}", taken) for w in ("int8", "row_scale", "float"))
        del graph.node[at]
        names.append(label)
        for made in reversed((
            make("Gather", [rows, indices], [short], name=f"{label}_int8"),
            make("Gather", [scales, indices], [step], name=f"{label}_scale"),
            make("Cast", [short], [wide], name=f"{label}_cast", to=1),
            make("Mul", [wide, step], [end], name=label),
        )):  # fmt: skip
            graph.node.insert(at, made)
    from_array = onnx.numpy_helper.from_array
    replaced(weight, [from_array(whole, rows), from_array(scale, scales)], [])
    return names


def short_scales(scale: Array) -> Array:
    """Scales that 16 bits hold, rounded up: the largest number must not be cut off.

    As they are where 16 bits hold them badly.
    """
    if not (scale.min() > _NORMAL and scale.max() < _LARGEST):
        return scale
    short = scale.astype(np.float16)
    low = short.astype(np.float32) < scale
    short = np.where(low, np.nextafter(short, np.float16(np.inf)), short)
    return short.astype(np.float32)


def _quantized(values: Array, over: tuple[int, ...]) -> tuple[Array, Array]:
    """Whole numbers from -127 to 127 and what they are multiplied by, one scale over some sides."""
    largest = np.abs(values).max(axis=over, keepdims=True)
    scale = (largest / np.float32(127)).astype(np.float32)
    scale = np.where(scale > 0, scale, np.float32(1))
    if scale.size >= _BIAS:
        scale = short_scales(scale)
    whole = np.clip(np.rint(values / scale), -127, 127).astype(np.int8)
    return whole, scale
