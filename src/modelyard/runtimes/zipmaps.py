"""ONNX graphs giving probabilities as arrays, changed in their bytes.

Converters of classifiers end graphs with `ZipMap`, which makes a list of maps out of an array: a
hundred times slower, and no tensor. Here such a node becomes `Identity`: same names, plain arrays.
The `onnx` library would do it too, at 30 MB of memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["without_zipmaps"]

_GRAPH, _NODE, _OUTPUT = 7, 1, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_OP, _NODE_DOMAIN = 1, 2, 4, 7
_NAME, _TYPE = 1, 2
_FLOATS: Final = b"\x0a\x02\x08\x01"
"""A TypeProto: tensor of float, of any shape."""

_Part = tuple[int, int, int, int]
"""Number of the field, where it begins, where its content begins (0: no message), where it ends."""


def without_zipmaps(model: bytes) -> bytes | None:
    """The model with arrays for maps; None if there is nothing to change or it can't be read."""
    try:
        return _changed(memoryview(model))
    except (IndexError, ValueError):
        return None


def _changed(model: memoryview) -> bytes | None:
    pieces: list[bytes | memoryview] = []
    done = False
    for number, start, content, end in _parts(model):
        if number != _GRAPH or not content:
            pieces.append(model[start:end])
            continue
        graph = _graph(model[content:end])
        if graph is None:
            return None
        pieces.append(_field(_GRAPH, graph))
        done = True
    return b"".join(pieces) if done else None


def _graph(graph: memoryview) -> bytes | None:
    pieces: list[bytes | memoryview] = []
    plain: set[bytes] = set()
    outputs: list[tuple[int, memoryview]] = []
    for number, start, content, end in _parts(graph):
        part = graph[start:end]
        if number == _NODE and content:
            node = _identity(graph[content:end], plain)
            part = memoryview(_field(_NODE, node)) if node is not None else part
        elif number == _OUTPUT and content:
            outputs.append((len(pieces), graph[content:end]))
        pieces.append(part)
    if not plain:
        return None
    for place, value in outputs:
        name = _first(value, _NAME)
        if name in plain:
            told = _field(_NAME, name) + _field(_TYPE, _FLOATS)
            pieces[place] = _field(_OUTPUT, told)
    return b"".join(pieces)


def _identity(node: memoryview, plain: set[bytes]) -> bytes | None:
    """What stands for a ZipMap; None for any other node."""
    if _first(node, _NODE_OP) != b"ZipMap" or _first(node, _NODE_DOMAIN) != b"ai.onnx.ml":
        return None
    given, made = _first(node, _NODE_INPUT), _first(node, _NODE_OUTPUT)
    if not given or not made:
        return None
    plain.add(made)
    parts = ((_NODE_INPUT, given), (_NODE_OUTPUT, made), (_NODE_OP, b"Identity"))
    return b"".join(_field(number, text) for number, text in parts)


def _first(message: memoryview, wanted: int) -> bytes:
    for number, _, content, end in _parts(message):
        if number == wanted and content:
            return bytes(message[content:end])
    return b""


def _parts(message: memoryview) -> Iterator[_Part]:
    position = 0
    while position < len(message):
        start = position
        key, position = _varint(message, position)
        kind = key & 7
        content = 0
        if kind == 0:
            _, position = _varint(message, position)
        elif kind == 1:
            position += 8
        elif kind == 5:
            position += 4
        elif kind == 2:
            length, position = _varint(message, position)
            content = position
            position += length
        else:
            raise ValueError("no field of protobuf")
        if position > len(message):
            raise ValueError("a field is longer than its message")
        yield key >> 3, start, content, position


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a number without an end")


def _field(number: int, content: bytes) -> bytes:
    return _packed(number << 3 | 2) + _packed(len(content)) + content


def _packed(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)
