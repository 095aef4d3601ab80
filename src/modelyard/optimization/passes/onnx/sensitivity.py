"""Which layers of a graph suffer most from fewer bits, found by trying each.

Layers are groups of nodes whose names differ in numbers only (`/encoder/layer.3/ffn/MatMul`), if
there are many; else each node by itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.frameworks.onnx.walking import graphs
from modelyard.optimization.passes.onnx.sessions import answers, fidelity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["Layer", "Search", "layers_of"]

_MOST = 16
"""Layers that are tried one by one; of more, those with the most numbers."""
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Layer:
    """Nodes that stay floats together, or not."""

    name: str
    nodes: tuple[str, ...]
    numbers: int
    """That their weights have."""


def layers_of(proto: Any, operators: Sequence[str]) -> tuple[Layer, ...]:
    """Those with weights, in the order of the graph."""
    sizes = {
        tensor.name: _count(tensor.dims)
        for graph in graphs(proto.graph) for tensor in graph.initializer
    }  # fmt: skip
    found: dict[str, int] = {}
    for graph in graphs(proto.graph):
        for node in graph.node:
            numbers = sum(sizes.get(name, 0) for name in node.input)
            if node.op_type in operators and numbers:
                found[node.name] = numbers
    if len(found) > _MOST:
        groups: dict[str, list[str]] = {}
        for name in found:
            groups.setdefault(_DIGITS.sub("*", name), []).append(name)
        layers = [
            Layer(name, tuple(names), sum(found[each] for each in names))
            for name, names in groups.items()
        ]
    else:
        layers = [Layer(name, (name,), numbers) for name, numbers in found.items()]
    if len(layers) > _MOST:
        largest = sorted(layers, key=lambda layer: (-layer.numbers, layer.name))[:_MOST]
        layers = [layer for layer in layers if layer in largest]
    return tuple(layers)


def _count(dims: Sequence[int]) -> int:
    found = 1
    for side in dims:
        found *= side
    return found


@dataclass(slots=True)
class Search:
    """Keeps layers as floats, the most sensitive first, until a graph is good enough."""

    quantize: Callable[[Sequence[str]], Any]
    """Nodes that stay floats into a graph."""
    feeds: Sequence[Mapping[str, Array]]
    wanted: Sequence[Mapping[str, Array]]
    """What the graph of floats says of them."""

    def fidelity(self, keep: Sequence[str]) -> tuple[float, Any]:
        """How near it comes, and the graph."""
        made = self.quantize(keep)
        return fidelity(self.wanted, answers(made, self.feeds)), made

    def ranked(self, layers: Sequence[Layer]) -> list[tuple[float, Layer]]:
        """What keeping each of them alone gains in fidelity, the most first."""
        base, _ = self.fidelity(())
        gains = [(self.fidelity(layer.nodes)[0] - base, layer) for layer in layers]
        return sorted(gains, key=lambda pair: (-pair[0], pair[1].numbers, pair[1].name))

    def most_sensitive(self, layers: Sequence[Layer], count: int) -> tuple[str, ...]:
        """Nodes of so many layers."""
        ranked = self.ranked(layers) if count else []
        return tuple(name for _, layer in ranked[:count] for name in layer.nodes)

    def until(self, layers: Sequence[Layer], goal: float) -> tuple[str, ...]:
        """Nodes of as many layers as it takes to reach a fidelity; of all that gain, if none do."""
        found, _ = self.fidelity(())
        keep: tuple[str, ...] = ()
        if found >= goal:
            return keep
        for gain, layer in self.ranked(layers):
            if gain <= 0 or found >= goal:
                break
            more = (*keep, *layer.nodes)
            reached, _ = self.fidelity(more)
            if reached > found:
                found, keep = reached, more
        return keep
