"""Skops files written anew, so that equal objects give equal bytes.

Skops names nodes and members by their addresses in memory, and dates the members. None of that is
of the object: here nodes are numbered as they appear, members too, and the date is fixed. Records
of trees have gaps between their fields, with whatever lay in memory there: they become zeros.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["rewrite"]

_SCHEMA = "schema.json"
_DATE = (1980, 1, 1, 0, 0, 0)
_NPY = b"\x93NUMPY"
_VALUES = ("JsonNode", "TypeNode")
"""Nodes of plain values. Whether two places share such a value is chance (Python keeps some of
them once), and no one can tell: equal ones get one number."""


def rewrite(written: bytes, place: Path) -> None:
    """Write what skops wrote to a place: stored, with nothing of memory or time in it."""
    with zipfile.ZipFile(io.BytesIO(written)) as old, zipfile.ZipFile(place, "w") as new:
        schema = json.loads(old.read(_SCHEMA))
        names = _renumbered(schema, set(old.namelist()))
        for before, after in names.items():
            new.writestr(zipfile.ZipInfo(after, _DATE), _without_gaps(old.read(before)))
        text = json.dumps(schema, separators=(",", ":"))
        new.writestr(zipfile.ZipInfo(_SCHEMA, _DATE), text)


def _renumbered(schema: dict[str, Any], members: set[str]) -> dict[str, str]:
    """Number nodes and members in the order of the schema; gives the new name of each member."""
    numbers: dict[Any, int] = {}
    names: dict[str, str] = {}
    waiting: list[Any] = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(reversed(node))
            continue
        if not isinstance(node, dict):
            continue
        loader = node.get("__loader__")
        if loader == "SetNode" and isinstance(node.get("content"), list):
            node["content"].sort(key=_rank)
        identity = node.get("__id__")
        if isinstance(identity, int):
            key = _value(node) if loader in _VALUES else identity
            node["__id__"] = numbers.setdefault(key, len(numbers))
        file = node.get("file")
        if isinstance(file, str) and file in members:
            ending = file.rpartition(".")[2]
            node["file"] = names.setdefault(file, f"{len(names)}.{ending}")
        waiting.extend(value for value in reversed(node.values()) if type(value) in (dict, list))
    return names


def _without_gaps(content: bytes) -> bytes:
    """An array of records with zeros between the fields; anything else as it is."""
    if content[:6] != _NPY or b"'descr': [" not in content[:64]:
        return content
    found = np.load(io.BytesIO(content), allow_pickle=False)
    clean = np.zeros(found.shape, found.dtype)
    for name in found.dtype.names:
        clean[name] = found[name]
    written = io.BytesIO()
    np.save(written, clean, allow_pickle=False)
    return written.getvalue()


def _value(node: dict[str, Any]) -> tuple[str, ...]:
    parts = ("__loader__", "__module__", "__class__", "content")
    return tuple(str(node.get(part)) for part in parts)


def _rank(node: dict[str, Any]) -> tuple[str, ...]:
    """Sets of text come in another order in each process."""
    return _value(node) if node.get("__loader__") in _VALUES else ()
