"""How large models are, without writing them: protobuf can't count above 2 GiB, nor fast."""

from __future__ import annotations

from math import prod
from typing import Any

from modelyard.core.tensor import ITEMSIZE
from modelyard.formats.onnx_tensors import DTYPES, PER_BYTE
from modelyard.frameworks.onnx.walking import graphs, is_external, tensors

__all__ = ["LIMIT", "bytes_of", "is_below", "size_of"]

LIMIT = 1_900_000_000
"""Bytes of one protobuf; it can't hold 2 GiB."""
_EXACT = 1 << 26
"""Bytes of weights up to which protobuf is asked, which writes the whole model to count it."""
_TYPED = {
    "float_data": 4, "double_data": 8, "int32_data": 10, "int64_data": 10, "uint64_data": 10
}  # fmt: skip
"""Bytes that a number of a field takes, at most."""
_EACH = 16
"""Bytes of what is around a tensor or node: its dims and tags."""


def size_of(model: Any) -> int:
    """Bytes that a model takes as one protobuf: exact if it is small, else nearly so."""
    weights = sum(map(_payload, tensors(model)))
    if weights <= _EXACT:
        found: int = model.ByteSize()
        return found
    return weights + sum(len(t.name) + _EACH for t in tensors(model)) + _frame(model)


def is_below(tensor: Any, limit: int) -> bool:
    """Whether a tensor takes fewer bytes, asked without copying a large one."""
    return _payload(tensor) < limit and bool(tensor.ByteSize() < limit)


def bytes_of(tensor: Any) -> int:
    """What its shape and type take; -1 for what can't lie in another file."""
    dtype = DTYPES.get(tensor.data_type, "string")
    if dtype == "string" or any(side < 0 for side in tensor.dims):
        return -1
    per_byte = PER_BYTE.get(dtype, 1)
    size: int = -(-prod(tensor.dims) * ITEMSIZE.get(dtype, 1) // per_byte)
    return size


def _payload(tensor: Any) -> int:
    """Bytes of its values, by its shape: to look at `raw_data` is to copy it."""
    if is_external(tensor):
        return 0
    if tensor.HasField("raw_data"):
        size = bytes_of(tensor)
        return size if size >= 0 else len(tensor.raw_data)
    typed = sum(len(getattr(tensor, field)) * each for field, each in _TYPED.items())
    return typed + sum(map(len, tensor.string_data))


def _frame(model: Any) -> int:
    """Bytes of nodes and ports, wherever they are; tensors and graphs within are left out."""
    every = [node for graph in graphs(model.graph) for node in graph.node]
    every += [node for function in model.functions for node in function.node]
    found = 0
    for node in every:
        texts = (node.name, node.op_type, node.domain, *node.input, *node.output)
        found += _EACH + sum(map(len, texts))
        found += sum(
            each.ByteSize() for each in node.attribute
            if not each.HasField("t") and not each.HasField("g")
            and not each.tensors and not each.graphs
            and not each.HasField("sparse_tensor") and not each.sparse_tensors
        )  # fmt: skip
    for graph in graphs(model.graph):
        for values in (graph.input, graph.output, graph.value_info):
            found += sum(value.ByteSize() for value in values)
    return found
