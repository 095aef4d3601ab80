"""Matrix products and embeddings with 4 bits, by blocks that share a scale and a zero point.

They stay packed in memory: `MatMulNBits` and `GatherBlockQuantized` are operators of ONNX Runtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.frameworks.onnx.naming import names_of
from modelyard.frameworks.onnx.walking import library
from modelyard.optimization.passes.onnx.consumers import is_lookup
from modelyard.optimization.passes.onnx.lowbit import short_scales
from modelyard.optimization.passes.onnx.names import free
from modelyard.optimization.passes.onnx.weights import Weight, packable, replaced

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    Array = np.ndarray[Any, Any]

__all__ = ["packed4"]

_DOMAIN = "com.microsoft"


def packed4(proto: Any, keep: Collection[str], block: int) -> tuple[Any, int]:
    """A copy with 4 bits where its operators can take them, and how many weights were packed.

    Args:
        proto: Every node of it has a name.
        keep: Names of nodes whose weights stay as they are.
        block: Numbers of a column (of a row, for embeddings) that share a scale: 16 to 256.
    """
    found = library().ModelProto()
    found.CopyFrom(proto)
    taken = names_of(found)
    count = 0
    for weight in packable(found, keep):
        nodes = [node for node in weight.graph.node if weight.name in node.input]
        if len(weight.dims) != 2 or len(nodes) != len(weight.uses):
            continue
        turned = {bool(_attributes(node).get("transB", 0)) for node in nodes}
        if len(turned) == 1 and all(_is_product(node, weight.name) for node in nodes):
            _pack_products(weight, nodes, block, taken, turned=turned.pop())
        elif all(is_lookup(node, weight.name) for node in nodes):
            _pack_lookups(weight, nodes, block, taken)
        else:
            continue
        count += 1
    if count and not any(each.domain == _DOMAIN for each in found.opset_import):
        found.opset_import.add(domain=_DOMAIN, version=1)
    return found, count


def _is_product(node: Any, name: str) -> bool:
    """`x @ weight`, or a Gemm that is no more than that and a bias."""
    if list(node.input).index(name) != 1 or list(node.input).count(name) != 1:
        return False
    if node.op_type == "MatMul":
        return True
    values = _attributes(node)
    return bool(
        node.op_type == "Gemm" and values.get("transA", 0) == 0
        and values.get("alpha", 1.0) == 1.0 and values.get("beta", 1.0) == 1.0
    )  # fmt: skip


def _attributes(node: Any) -> dict[str, Any]:
    helper = library().helper
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def _pack_products(
    weight: Weight, nodes: Sequence[Any], block: int, taken: set[str], *, turned: bool
) -> None:
    """Weights as (columns, blocks, bytes): each block is of one column."""
    onnx = library()
    values = weight.array()
    columns = values if turned else values.T
    whole, scale, zero = _blocks(columns, block)
    width, blocks = scale.shape
    short, scales, zeros = _names(weight, taken)
    from_array = onnx.numpy_helper.from_array
    stored, widened = _scales(scale.reshape(-1), scales, taken)
    replaced(weight, [
        from_array(_nibbles(whole).reshape(width, blocks, block // 2), short),
        stored,
        from_array(_nibbles(zero).reshape(-1), zeros),
    ], widened)  # fmt: skip
    for node in nodes:
        made = [onnx.helper.make_node(
            "MatMulNBits", [node.input[0], short, scales, zeros], [node.output[0]],
            name=node.name, domain=_DOMAIN,
            K=columns.shape[1], N=width, bits=4, block_size=block,
        )]  # fmt: skip
        if len(node.input) > 2 and node.input[2]:
            made[0].output[0] = free(f"{node.output[0]}_product", taken)
            made.append(onnx.helper.make_node(
                "Add", [made[0].output[0], node.input[2]], [node.output[0]],
                name=f"{node.name}_bias",
            ))  # fmt: skip
        _replace(weight.graph, node, made)


def _pack_lookups(weight: Weight, nodes: Sequence[Any], block: int, taken: set[str]) -> None:
    """Rows as they are, each cut into blocks."""
    onnx = library()
    values = weight.array()
    whole, scale, zero = _blocks(values, block)
    flat = whole.reshape(len(values), -1)[:, : values.shape[1]]
    kind = onnx.TensorProto.UINT4
    short, scales, zeros = _names(weight, taken)
    stored, widened = _scales(scale, scales, taken)
    replaced(weight, [
        onnx.TensorProto(
            name=short, data_type=kind, dims=flat.shape, raw_data=_flat_nibbles(flat)
        ),
        stored,
        onnx.TensorProto(
            name=zeros, data_type=kind, dims=zero.shape, raw_data=_flat_nibbles(zero)
        ),
    ], widened)  # fmt: skip
    for node in nodes:
        _replace(weight.graph, node, [onnx.helper.make_node(
            "GatherBlockQuantized", [short, node.input[1], scales, zeros], [node.output[0]],
            name=node.name, domain=_DOMAIN,
            gather_axis=0, quantize_axis=1, block_size=block,
        )])  # fmt: skip


def _names(weight: Weight, taken: set[str]) -> tuple[str, str, str]:
    """Of its numbers, scales and zero points."""
    short, scales, zeros = (free(f"{weight.name}_{w}", taken) for w in ("int4", "scale", "zero"))
    return short, scales, zeros


def _blocks(rows: Array, block: int) -> tuple[Array, Array, Array]:
    """Rows cut into blocks: numbers 0 to 15, scales and zero points.

    Shapes: (rows, blocks, block), (rows, blocks), (rows, blocks). The last block of a row is
    filled up with zeros.
    """
    count = -(-rows.shape[1] // block)
    filled = np.zeros((len(rows), count * block), np.float32)
    filled[:, : rows.shape[1]] = rows
    cut = filled.reshape(len(rows), count, block)
    low = np.minimum(cut.min(axis=2), 0)
    scale = ((np.maximum(cut.max(axis=2), 0) - low) / np.float32(15)).astype(np.float32)
    safe = short_scales(np.where(scale > 0, scale, np.float32(1)))
    zero = np.clip(np.rint(-low / safe), 0, 15)
    whole = np.clip(np.rint(cut / safe[:, :, None]) + zero[:, :, None], 0, 15)
    return whole.astype(np.uint8), safe, zero.astype(np.uint8)


def _scales(scale: Array, name: str, taken: set[str]) -> tuple[Any, list[Any]]:
    """A tensor of 16 bits and the node that widens it, where no scale changes; else one of 32."""
    onnx = library()
    short = scale.astype(np.float16)
    if (short.astype(np.float32) != scale).any():
        return onnx.numpy_helper.from_array(scale, name), []
    half = free(f"{name}_half", taken)
    node = onnx.helper.make_node("Cast", [half], [name], name=f"{name}_wide", to=1)
    return onnx.numpy_helper.from_array(short, half), [node]


def _nibbles(values: Array) -> Array:
    """Two numbers in each byte, the first in its lower half, along the last side."""
    if values.shape[-1] % 2:
        wide = [(0, 0)] * (values.ndim - 1)
        values = np.pad(values, [*wide, (0, 1)])
    found: Array = values[..., ::2] | (values[..., 1::2] << 4)
    return found


def _flat_nibbles(values: Array) -> bytes:
    """The same over all sides, as ONNX packs 4 bits."""
    return _nibbles(values.reshape(1, -1)).tobytes()


def _replace(graph: Any, node: Any, made: Sequence[Any]) -> None:
    place = next(i for i, each in enumerate(graph.node) if each.output[:1] == node.output[:1])
    del graph.node[place]
    for each in reversed(made):
        graph.node.insert(place, each)
