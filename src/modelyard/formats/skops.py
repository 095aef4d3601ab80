"""Skops files: a zip with `schema.json`, which names every type that loading would build."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from modelyard.core.tensor import TensorInfo
from modelyard.core.version import Finding
from modelyard.formats.interface import Inspection
from modelyard.formats.npy import inspect_members as inspect_arrays
from modelyard.formats.pickles.allowed import framework_of, is_allowed
from modelyard.formats.reading import Json, bad, parse_json, printable
from modelyard.formats.zips import unpack

if TYPE_CHECKING:
    from modelyard.formats.interface import Budget
    from modelyard.formats.zips import Member

__all__ = ["inspect_members"]

KIND = "bad-skops"
_SCHEMA = 64_000_000
_TYPES = 200
_OWN = frozenset({
    "builtins.str", "builtins.int", "builtins.float", "builtins.bool", "builtins.list",
    "builtins.dict", "builtins.tuple", "builtins.set", "builtins.NoneType", "builtins.type",
    "builtins.bytes", "builtins.bytearray", "builtins.slice", "types.NoneType",
})  # fmt: skip
_SHARED = ("sklearn.", "numpy.", "scipy.")


def inspect_members(
    file: BinaryIO, path: str, entries: tuple[Member, ...], budget: Budget
) -> Inspection:
    """Arrays by path, and a finding for each type that skops itself would not trust."""
    schema_member = next(member for member in entries if member.name == "schema.json")
    schema = parse_json(unpack(file, schema_member, _SCHEMA), KIND, budget)
    if not isinstance(schema, dict) or "__loader__" not in schema:
        return Inspection("zip", metadata={"members": len(entries)})
    types, names = _walk(schema, budget)
    arrays = inspect_arrays(file, path, entries, budget)
    tensors = tuple(_renamed(tensor, names) for tensor in arrays.tensors)
    findings = tuple(_finding(name, path) for name in sorted(types)[:_TYPES])
    shown = [finding for finding in findings if finding is not None]
    if len(types) > _TYPES:
        shown.append(Finding("skops-type", "danger", f"{len(types)} types", path))
    metadata = {
        "protocol": schema.get("protocol") if isinstance(schema.get("protocol"), int) else None,
        "skops": printable(str(schema.get("_skops_version", "")), 40),
        "types": sorted(types)[:_TYPES],
    }
    found = (*shown, *arrays.findings)
    return Inspection("skops", framework_of(types), tensors, metadata, found)


def _walk(schema: Json, budget: Budget) -> tuple[set[str], dict[str, str]]:
    """All types of the schema, and for each array's member the path that leads to it."""
    types: set[str] = set()
    names: dict[str, str] = {}
    todo: list[tuple[str, Json]] = [("", schema)]
    steps = 0
    while todo:
        path, node = todo.pop()
        steps += 1
        if steps & 1023 == 0 and budget.spent:
            raise bad(KIND, "the schema takes too long to read")
        if isinstance(node, list):
            todo.extend((f"{path}.{index}", item) for index, item in enumerate(node))
            continue
        if not isinstance(node, dict):
            continue
        module, name = node.get("__module__"), node.get("__class__")
        if isinstance(module, str) and isinstance(name, str):
            types.add(printable(f"{module}.{name}"))
        where = node.get("file")
        if isinstance(where, str):
            names.setdefault(where, path.strip("."))
        for key, value in node.items():
            if isinstance(value, dict | list):
                step = path if key in ("content", "attrs", "__state__") else f"{path}.{key[:200]}"
                todo.append((step, value))
    return types, names


def _renamed(tensor: TensorInfo, names: dict[str, str]) -> TensorInfo:
    name = names.get(f"{tensor.name}.npy") or tensor.name
    return TensorInfo(name, tensor.dtype, tensor.shape, tensor.start, tensor.end, tensor.order)


def _finding(name: str, path: str) -> Finding | None:
    if name in _OWN or name.startswith(_SHARED) or is_allowed(name):
        return None
    return Finding("skops-type", "danger", f"loading builds {name}, which is not known", path)
