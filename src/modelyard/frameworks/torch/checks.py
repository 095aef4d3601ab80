"""What steps of a plan may say, checked piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.frameworks.torch.tensorfile import Lazy

__all__ = [
    "axis_in", "bad", "check_distinct", "fields_in", "is_counts", "mapping", "names_in", "shape_in",
    "told",
]  # fmt: skip

Json = Any

_HINT = (
    "steps are rename, drop, add, reshape, split, join, cast, shard, unshard, and of modules "
    "replace, alone; see the guide"
)


def bad(message: str, hint: str = _HINT) -> InvalidInput:
    """A plan that can't be done."""
    return InvalidInput("bad-structure", message, hint=hint)


def mapping(step: str, content: Json) -> Mapping[str, Json]:
    if not isinstance(content, dict) or not content:
        raise bad(f"{step} takes names, each with what shall become of it")
    if not all(isinstance(name, str) and name for name in content):
        raise bad(f"{step}: names of tensors are texts")
    return content


def names_in(step: str, content: Json) -> list[str]:
    if not isinstance(content, list) or not content:
        raise bad(f"{step} takes a list of names")
    if not all(isinstance(name, str) and name for name in content):
        raise bad(f"{step}: names of tensors are texts")
    return content


def fields_in(step: str, what: Json, needed: set[str], free: set[str]) -> dict[str, Json]:
    allowed = ", ".join(sorted(needed | free))
    if not isinstance(what, dict) or not needed <= what.keys() <= needed | free:
        raise bad(f"{step} takes {allowed}", f"needed: {', '.join(sorted(needed))}")
    return what


def check_distinct(step: str, names: list[str]) -> None:
    if len(set(names)) != len(names):
        raise bad(f"{step}: a name is given twice")


def shape_in(step: str, value: Json, *, free: bool = False) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > 16:
        raise bad(f"{step}: a shape is a list of at most 16 numbers")
    unknown = value.count(-1) if free else 0
    if unknown > 1 or not is_counts([size for size in value if not (free and size == -1)]):
        raise bad(f"{step}: {str(value)[:80]} is no shape")
    return tuple(value)


def is_counts(value: Json) -> bool:
    return isinstance(value, list) and all(type(x) is int and 0 <= x < 1 << 48 for x in value)


def axis_in(step: str, value: Json, shape: tuple[int, ...]) -> int:
    if type(value) is not int or not -len(shape) <= value < len(shape):
        raise bad(f"{step}: {str(value)[:40]} is no axis of {list(shape)}")
    return value % len(shape)


def told(tensor: Lazy) -> str:
    return f"{tensor.dtype} {list(tensor.shape)}"
