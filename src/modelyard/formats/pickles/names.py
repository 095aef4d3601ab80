"""Names for the arrays of a pickle: the path that leads to each from the root."""

from __future__ import annotations

from modelyard.formats.pickles.values import Call, Pairs, Value

__all__ = ["paths_of"]

_LIMIT = 100_000
"""Values looked at: beyond, arrays are numbered, not named."""
_TEXT = 200
_TIES = 16
"""How many names one array may have."""


def paths_of(root: Value, wanted: set[int], *, limit: int = _LIMIT) -> dict[int, list[str]]:
    """Dotted paths by `id` of the wanted values: tied weights have several."""
    found: dict[int, list[str]] = {}
    seen: set[int] = set()
    todo: list[tuple[str, Value]] = [("", root)]
    while todo and len(seen) < limit:
        prefix, value = todo.pop()
        mark = id(value)
        if mark in wanted:
            paths = found.setdefault(mark, [])
            if len(paths) < _TIES and prefix not in paths:
                paths.append(prefix)
        if mark in seen or value.__class__ not in _OPENED:
            continue
        seen.add(mark)
        children = _children(prefix, value)
        children.reverse()
        todo += children
    return found


_OPENED = frozenset({Call, Pairs, list, tuple})


def _children(prefix: str, value: Value) -> list[tuple[str, Value]]:
    dot = f"{prefix}." if prefix else ""
    if value.__class__ is Pairs:
        return [
            (f"{dot}{_key(value[index])}", value[index + 1])
            for index in range(0, len(value) - 1, 2)
            if value[index + 1].__class__ in _OPENED
        ]
    if value.__class__ is Call:
        # What a call was given has no name of its own: it takes that of the object.
        parts = (value.args, value.state, value.items)
        return [
            pair for part in parts if part.__class__ in _OPENED for pair in _inside(prefix, part)
        ]
    if len(value) == 1:
        return [(prefix, value[0])]
    return [
        (f"{dot}{index}", item) for index, item in enumerate(value) if item.__class__ in _OPENED
    ]


def _inside(prefix: str, part: Value) -> list[tuple[str, Value]]:
    """Arguments and state: a tuple in them is no level of the path, a list of many is."""
    if part.__class__ is tuple:
        return [(prefix, item) for item in part if item.__class__ in _OPENED]
    return [(prefix, part)]


def _key(key: Value) -> str:
    if isinstance(key, bytes):
        return key[:_TEXT].decode("utf-8", "replace")
    return str(key) if isinstance(key, int) else "?"
