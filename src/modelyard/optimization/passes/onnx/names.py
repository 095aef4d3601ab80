"""Names within a graph made short: exporters write hundreds of letters for each inner value."""

from __future__ import annotations

from typing import Any

from modelyard.frameworks.onnx.sizes import is_below
from modelyard.frameworks.onnx.walking import graphs, library

__all__ = ["free", "shortened"]

_WEIGHT = 1024
"""Bytes of a tensor whose name people may look for: it is kept."""
_LONG = 80


def free(name: str, taken: set[str]) -> str:
    """A name that is not taken, and now is."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def shortened(proto: Any) -> Any:
    """A copy with numbers for names; inputs, outputs and large weights keep theirs.

    Names of weights above 80 letters are cut at their beginning. Graphs within graphs may use
    names of outer ones: a name becomes the same wherever it stands.
    """
    found = library().ModelProto()
    found.CopyFrom(proto)
    own = _kept(found)
    taken = set(own)
    names: dict[str, str] = {name: name for name in own}

    def short(name: str) -> str:
        if name and name not in names:
            names[name] = _next(taken)
        return names.get(name, name)

    for graph in graphs(found.graph):
        for tensor in graph.initializer:
            if tensor.name not in names and not is_below(tensor, _WEIGHT):
                names[tensor.name] = _cut(tensor.name, taken)
    for graph in graphs(found.graph):
        del graph.value_info[:]  # what is between can be inferred again
        for node in graph.node:
            node.name = ""
            for side in (node.input, node.output):
                for at, name in enumerate(side):
                    side[at] = short(name)
        for values in (graph.input, graph.output, graph.initializer):
            for value in values:
                value.name = short(value.name)
        for sparse in graph.sparse_initializer:
            sparse.values.name = short(sparse.values.name)
        del graph.quantization_annotation[:]
    return found


def _kept(proto: Any) -> set[str]:
    return {value.name for value in (*proto.graph.input, *proto.graph.output)}


def _next(taken: set[str]) -> str:
    """The next number that is no name, counted with letters."""
    count = len(taken)
    while True:
        name = _letters(count)
        if name not in taken:
            taken.add(name)
            return name
        count += 1


def _letters(count: int) -> str:
    digits = "abcdefghijklmnopqrstuvwxyz"
    found = ""
    while True:
        count, digit = divmod(count, len(digits))
        found = digits[digit] + found
        if not count:
            return found
        count -= 1


def _cut(name: str, taken: set[str]) -> str:
    return free(name if len(name) <= _LONG else name[-_LONG:], taken)
