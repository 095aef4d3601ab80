"""Matrix products and embeddings with 4 bits, by blocks that share a scale and a zero point.

They stay packed in memory: `MatMulNBits` and `GatherBlockQuantized` are operators of ONNX Runtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.frameworks.onnx.walking import library
from modelyard.optimization.passes.onnx.weights import Weight, weights_of

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
    count = 0
    for weight in weights_of(found, keep=keep):
        nodes = [node for node in weight.graph.node if weight.name in node.input]
        if len(weight.dims) != 2 or len(nodes) != len(weight.uses):
            continue
        if all(_is_product(node, weight.name) for node in nodes):
            _pack_products(weight, nodes, block)
        elif all(_is_lookup(node, weight.name) for node in nodes):
            _pack_lookups(weight, nodes, block)
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


def _is_lookup(node: Any, name: str) -> bool:
    return bool(
        node.op_type == "Gather" and node.input[0] == name and _attributes(node).get("axis", 0) == 0
    )


def _attributes(node: Any) -> dict[str, Any]:
    helper = library().helper
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def _pack_products(weight: Weight, nodes: Sequence[Any], block: int) -> None:
    """Weights as (columns, blocks, bytes): each block is of one column."""
    onnx = library()
    values = weight.array()
    turned = {bool(_attributes(node).get("transB", 0)) for node in nodes}
    if len(turned) > 1:
        return
    columns = values if turned.pop() else values.T
    whole, scale, zero = _blocks(columns, block)
    width, blocks = scale.shape
    name = weight.name
    _instead(weight, [
        onnx.numpy_helper.from_array(
            _nibbles(whole).reshape(width, blocks, block // 2), f"{name}_int4"
        ),
        onnx.numpy_helper.from_array(scale.reshape(-1), f"{name}_scale"),
        onnx.numpy_helper.from_array(_nibbles(zero).reshape(-1), f"{name}_zero"),
    ])  # fmt: skip
    for node in nodes:
        made = [onnx.helper.make_node(
            "MatMulNBits", [node.input[0], f"{name}_int4", f"{name}_scale", f"{name}_zero"],
            [node.output[0]], name=node.name, domain=_DOMAIN,
            K=columns.shape[1], N=width, bits=4, block_size=block,
        )]  # fmt: skip
        if len(node.input) > 2 and node.input[2]:
            made[0].output[0] = f"{node.output[0]}_product"
            made.append(onnx.helper.make_node(
                "Add", [made[0].output[0], node.input[2]], [node.output[0]],
                name=f"{node.name}_bias",
            ))  # fmt: skip
        _replace(weight.graph, node, made)


def _pack_lookups(weight: Weight, nodes: Sequence[Any], block: int) -> None:
    """Rows as they are, each cut into blocks."""
    onnx = library()
    values = weight.array()
    whole, scale, zero = _blocks(values, block)
    flat = whole.reshape(len(values), -1)[:, : values.shape[1]]
    kind = onnx.TensorProto.UINT4
    name = weight.name
    _instead(weight, [
        onnx.TensorProto(
            name=f"{name}_int4", data_type=kind, dims=flat.shape, raw_data=_flat_nibbles(flat)
        ),
        onnx.numpy_helper.from_array(scale, f"{name}_scale"),
        onnx.TensorProto(
            name=f"{name}_zero", data_type=kind, dims=zero.shape, raw_data=_flat_nibbles(zero)
        ),
    ])  # fmt: skip
    for node in nodes:
        _replace(weight.graph, node, [onnx.helper.make_node(
            "GatherBlockQuantized", [f"{name}_int4", node.input[1], f"{name}_scale",
                                     f"{name}_zero"],
            [node.output[0]], name=node.name, domain=_DOMAIN,
            gather_axis=0, quantize_axis=1, block_size=block,
        )])  # fmt: skip


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
    safe = np.where(scale > 0, scale, np.float32(1))
    zero = np.clip(np.rint(-low / safe), 0, 15)
    whole = np.clip(np.rint(cut / safe[:, :, None]) + zero[:, :, None], 0, 15)
    return whole.astype(np.uint8), safe, zero.astype(np.uint8)


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


def _instead(weight: Weight, tensors: Sequence[Any]) -> None:
    kept = next(i for i, t in enumerate(weight.graph.initializer) if t.name == weight.name)
    del weight.graph.initializer[kept]
    weight.graph.initializer.extend(tensors)


def _replace(graph: Any, node: Any, made: Sequence[Any]) -> None:
    place = next(i for i, each in enumerate(graph.node) if each.name == node.name)
    del graph.node[place]
    for each in reversed(made):
        graph.node.insert(place, each)
