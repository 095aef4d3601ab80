"""The steps of a plan, each from tensors by name to tensors by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from modelyard.frameworks.torch.arithmetic import FLOATS, casted, joined, new, parts_of, reshaped
from modelyard.frameworks.torch.checks import (
    axis_in,
    bad,
    check_distinct,
    fields_in,
    mapping,
    names_in,
    shape_in,
    told,
)
from modelyard.frameworks.torch.tensorfile import Lazy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from modelyard.errors import InvalidInput

__all__ = ["OPERATIONS", "Tensors"]

Json = Any
Tensors = dict[str, Lazy]


def _rename(tensors: Tensors, content: Json) -> tuple[Tensors, str]:
    pairs = mapping("rename", content)
    rules = []
    for old, target in pairs.items():
        if not isinstance(target, str) or not target or target.count("*") != old.count("*"):
            raise bad(f"rename: {old!r} and {str(target)[:80]!r} must have the same stars")
        rules.append((old, _pattern(old), target))
    used: set[str] = set()
    result: Tensors = {}
    for name, tensor in tensors.items():
        target = name
        for old, pattern, becomes in rules:
            found = pattern.fullmatch(name)
            if found:
                target = _filled(becomes, found)
                used.add(old)
                break
        if target in result:
            raise bad(f"rename: two tensors would be named {target}")
        result[target] = tensor
    for old, _, _ in rules:
        if old not in used:
            raise _missing("rename", old, tensors)
    moved = sum(a != b for a, b in zip(tensors, result, strict=True))
    return result, f"renamed {_count(moved)}"


def _drop(tensors: Tensors, content: Json) -> tuple[Tensors, str]:
    gone: set[str] = set()
    for pattern in names_in("drop", content):
        gone.update(_matching("drop", pattern, tensors))
    return {name: t for name, t in tensors.items() if name not in gone}, f"dropped {_some(gone)}"


def _add(tensors: Tensors, content: Json) -> tuple[Tensors, str]:
    added = {name: new(name, what) for name, what in mapping("add", content).items()}
    for name in added:
        _free("add", name, tensors)
    return {**tensors, **added}, f"added {_some(added)}"


def _reshape(tensors: Tensors, content: Json) -> tuple[Tensors, str]:
    result = dict(tensors)
    for name, wanted in mapping("reshape", content).items():
        tensor = _whole("reshape", name, tensors)
        result[name] = reshaped(name, tensor, shape_in(f"reshape {name}", wanted, free=True))
    return result, f"reshaped {_some(content)}"


def _split(tensors: Tensors, content: Json) -> tuple[Tensors, str]:
    result = dict(tensors)
    for name, what in mapping("split", content).items():
        tensor = _whole("split", name, result)
        fields = fields_in(f"split {name}", what, {"into"}, {"axis", "sizes"})
        into = names_in(f"split {name}", fields["into"])
        axis = axis_in(f"split {name}", fields.get("axis", 0), tensor.shape)
        pieces = parts_of(name, tensor, into, axis, fields.get("sizes"))
        check_distinct(f"split {name}", into)
        for part in into:
            _free(f"split {name}", part, {n: t for n, t in result.items() if n != name})
        result = _replaced(result, (name,), pieces)
    return result, f"split {_some(content)}"


def _join(tensors: Tensors, content: Json) -> tuple[Tensors, str]:
    result = dict(tensors)
    for name, what in mapping("join", content).items():
        fields = fields_in(f"join {name}", what, {"from"}, {"axis"})
        sources = names_in(f"join {name}", fields["from"])
        check_distinct(f"join {name}", sources)
        parts = [_whole(f"join {name}", source, result) for source in sources]
        axis = axis_in(f"join {name}", fields.get("axis", 0), parts[0].shape)
        whole = joined(name, sources, parts, axis)
        _free(f"join {name}", name, {n: t for n, t in result.items() if n not in sources})
        result = _replaced(result, sources, {name: whole})
    return result, f"joined {_some(content)}"


def _cast(tensors: Tensors, content: Json) -> tuple[Tensors, str]:
    result = dict(tensors)
    for pattern, dtype in mapping("cast", content).items():
        made: dict[int, Lazy] = {}  # a tensor of two names stays one
        for name in _matching("cast", pattern, result):
            tensor = result[name]
            if "*" in pattern and tensor.dtype not in FLOATS:
                continue  # counters and masks are not meant by "all"
            result[name] = made.get(id(tensor)) or casted(name, tensor, dtype)
            made[id(tensor)] = result[name]
    changed = [name for name in result if result[name] is not tensors[name]]
    return result, f"cast {_count(len(changed))}"


OPERATIONS: dict[str, Callable[[Tensors, Json], tuple[Tensors, str]]] = {
    "rename": _rename, "drop": _drop, "add": _add, "reshape": _reshape, "split": _split,
    "join": _join, "cast": _cast,
}  # fmt: skip


def _pattern(text: str) -> re.Pattern[str]:
    parts = [re.escape(part) for part in text.split("*")]
    return re.compile("([^.]*)".join(parts) + r"(\..*)?", re.DOTALL)


def _filled(new: str, found: re.Match[str]) -> str:
    *stars, below = found.groups()
    pieces = new.split("*")
    middle = "".join(a + (b or "") for a, b in zip(pieces, [*stars, ""], strict=True))
    return middle + (below or "")


def _matching(step: str, pattern: Json, tensors: Tensors) -> list[str]:
    if not isinstance(pattern, str):
        raise bad(f"{step}: {str(pattern)[:40]!r} is no name")
    compiled = _pattern(pattern)
    found = [name for name in tensors if compiled.fullmatch(name)]
    if not found:
        raise _missing(step, pattern, tensors)
    return found


def _whole(step: str, name: str, tensors: Tensors) -> Lazy:
    if name not in tensors:
        raise _missing(step, name, tensors)
    return tensors[name]


def _missing(step: str, name: str, tensors: Iterable[str]) -> InvalidInput:
    from difflib import get_close_matches

    names = list(tensors)
    near = get_close_matches(name, names[:5000], 5, 0.4) or names[:8]
    more = ", ..." if len(names) > len(near) else ""
    return bad(f"{step}: no tensor is named {name[:200]}", f"there are {', '.join(near)}{more}")


def _free(step: str, name: str, tensors: Tensors) -> None:
    if name in tensors:
        raise bad(f"{step}: {name} is there already, {told(tensors[name])}")


def _replaced(tensors: Tensors, gone: Iterable[str], new: Tensors) -> Tensors:
    """New tensors at the place of the first that goes."""
    left = set(gone)
    first = next(name for name in tensors if name in left)
    result: Tensors = {}
    for name, tensor in tensors.items():
        if name == first:
            result.update(new)
        if name not in left:
            result[name] = tensor
    return result


def _count(number: int) -> str:
    return f"{number} tensor" + ("" if number == 1 else "s")


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:4]) + (f" and {len(listed) - 4} more" if len(listed) > 4 else "")
