"""What becomes of the constants of a graph: which operators take them, and as what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.frameworks.onnx.walking import graphs

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Use", "is_lookup", "uses_of"]

_WEIGHTS = {
    "Conv": (1,), "ConvTranspose": (1,), "DeformConv": (1,), "Gemm": (0, 1), "MatMul": (0, 1),
    "Einsum": (0, 1, 2, 3), "LSTM": (1, 2, 3), "GRU": (1, 2, 3), "RNN": (1, 2, 3), "Gather": (0,),
    "com.microsoft::Attention": (1,), "com.microsoft::EmbedLayerNormalization": (2, 3, 4),
    "com.microsoft::FusedConv": (1,), "com.microsoft::FusedGemm": (0, 1),
    "com.microsoft::FusedMatMul": (0, 1), "com.microsoft::NhwcFusedConv": (1,),
}  # fmt: skip
"""Inputs that operators multiply by and add up, or look rows up in."""
_MOVED = frozenset({
    "Cast", "Concat", "Expand", "Flatten", "Identity", "Reshape", "Slice", "Split", "Squeeze",
    "Transpose", "Unsqueeze",
})  # fmt: skip
"""Operators that change no number: what is after them tells."""


@dataclass(frozen=True, slots=True)
class Use:
    """Where a constant goes."""

    node: str
    op: str
    at: int
    """Which input of the operator."""
    channels: tuple[int, ...]
    """Its sides along which scales differ best: those of what the operator gives."""
    weighty: bool = False
    """Whether it is multiplied by and added up, or looked up: few bits are enough for that."""


def uses_of(proto: Any) -> dict[str, list[Use]]:
    """All uses of initializers, by their names."""
    found: dict[str, list[Use]] = {}
    sizes: dict[str, tuple[int, ...]] = {}
    takers = _takers(proto)
    for graph in graphs(proto.graph):
        sizes.update((tensor.name, tuple(tensor.dims)) for tensor in graph.initializer)
    for graph in graphs(proto.graph):
        for node in graph.node:
            for at, name in enumerate(node.input):
                if name in sizes:
                    channels = _channels(node, at, len(sizes[name]))
                    use = Use(node.name, node.op_type, at, channels, _weighs(node, at, takers))
                    found.setdefault(name, []).append(use)
        for value in graph.output:
            if value.name in sizes:  # a branch gives it as it is
                found.setdefault(value.name, []).append(Use("", "output", 0, ()))
    return found


def is_lookup(node: Any, name: str) -> bool:
    """Whether rows of a matrix are looked up: rows, not columns, and nothing else is done to it."""
    return bool(
        _called(node) == "Gather" and node.input[0] == name and node.input[1] != name
        and _number(node, "axis", 0) in (0, -2)
    )  # fmt: skip


Takers = dict[str, list[tuple[Any, int]]]


def _takers(proto: Any) -> Takers:
    """Who takes each value; an empty node where it is given away as it is."""
    found: Takers = {}
    for graph in graphs(proto.graph):
        for node in graph.node:
            for at, name in enumerate(node.input):
                found.setdefault(name, []).append((node, at))
        for value in graph.output:
            found.setdefault(value.name, []).append((None, 0))
    return found


def _weighs(node: Any, at: int, takers: Takers) -> bool:
    """Whether it goes into a sum or a lookup, and nowhere else, perhaps after it was turned."""
    for taker, place in _ends(node, at, takers):
        if taker is None or place not in _WEIGHTS.get(_called(taker), ()):
            return False
    return True


def _ends(node: Any, at: int, takers: Takers) -> Iterator[tuple[Any, int]]:
    todo, seen = [(node, at)], set()
    while todo:
        here, place = todo.pop()
        if here is None or _called(here) not in _MOVED or (place and _called(here) != "Concat"):
            yield here, place
            continue
        for name in here.output:
            if name not in seen:
                seen.add(name)
                todo += takers.get(name, [])


def _called(node: Any) -> str:
    if node.domain in ("", "ai.onnx"):
        return str(node.op_type)
    return f"{node.domain}::{node.op_type}"


def _channels(node: Any, at: int, sides: int) -> tuple[int, ...]:
    """Sides of a weight that a scale may differ along: where it is not summed over."""
    op = node.op_type if node.domain in ("", "ai.onnx") else ""
    if op == "Conv" and at == 1:
        return (0,)
    if op == "ConvTranspose" and at == 1:
        return (1,) if _number(node, "group", 1) == 1 else (0, 1)
    if op == "Gemm" and at == 1:
        return (0,) if _number(node, "transB", 0) else (1,)
    if op == "MatMul" and sides >= 2:
        return (sides - 1,) if at == 1 else (sides - 2,)
    if op in ("LSTM", "GRU", "RNN") and at in (1, 2):
        return (0, 1)
    return (0,) if sides > 1 else ()


def _number(node: Any, name: str, default: int) -> int:
    return next((int(each.i) for each in node.attribute if each.name == name), default)
