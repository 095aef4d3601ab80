"""What files of torch hold beside tensors: safetensors has no room for it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO

from modelyard.errors import Unsupported
from modelyard.formats.pickles.scan import Scan, scan
from modelyard.formats.pickles.source import FileSource
from modelyard.formats.pickles.values import Call, Global, Pairs, Value
from modelyard.formats.reading import printable
from modelyard.formats.torch_stream import is_legacy_torch
from modelyard.formats.torch_tensors import storage_of
from modelyard.formats.zips import STORED, members, unpack
from modelyard.optimization.passes.weights.streams import BUDGET

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["others_in"]

_MOST = 6
_UNPACKED = 1 << 28


def others_in(path: Path) -> tuple[str, ...]:
    """Names of values that are no tensors, a few at most: `epoch`, `optimizer.lr`, or the class of
    a whole object. Dicts and lists count as what is in them.

    Raises:
        Unsupported: `not-improvable`: its structure is too long to be seen as a whole.
    """
    with path.open("rb") as file:
        result = _scanned(file)
    if result.incomplete or not result.roots:
        raise Unsupported("not-improvable", f"{path.name} has too many values to be looked at")
    found: list[str] = []
    seen: set[int] = set()
    todo = [("", result.roots[3] if is_legacy_torch(result) else result.roots[0])]
    while todo and len(found) < _MOST:
        name, value = todo.pop()
        if _is_tensor(value) or id(value) in seen:
            continue
        inside = _inside(name, value)
        if inside is None:
            found.append(name or _class_of(value))
        else:
            seen.add(id(value))
            todo += reversed(inside)
    return tuple(printable(name, 60) for name in found)


def _scanned(file: BinaryIO) -> Scan:
    """The walk over the pickle of a file that `formats.inspect` calls one of torch."""
    if file.read(2) != b"PK":
        return scan(FileSource(file), BUDGET.begun())
    entries = members(file, BUDGET.begun())
    main = next(member for member in entries if member.name.rpartition("/")[2] == "data.pkl")
    if main.method == STORED:
        source = FileSource(file, main.start, main.size)
    else:
        source = FileSource(io.BytesIO(unpack(file, main, _UNPACKED)))
    return scan(source, BUDGET.begun())


def _is_tensor(value: Value) -> bool:
    """Also a parameter, which is a tensor in a wrapping."""
    if not isinstance(value, Call) or not isinstance(value.func, Global):
        return False
    if not isinstance(value.args, tuple) or not value.args:
        return False
    if value.func.name == "torch._utils._rebuild_parameter":
        return _is_tensor(value.args[0])
    return value.func.role == "tensor" and storage_of(value.args[0]) is not None


def _inside(name: str, value: Value) -> list[tuple[str, Value]] | None:
    """The values of a dict or a list; None for anything else."""
    dot = f"{name}." if name else ""
    if isinstance(value, Pairs):
        pairs = zip(value[::2], value[1::2], strict=False)
        return [(f"{dot}{_key(key)}", item) for key, item in pairs]
    if isinstance(value, list | tuple):
        return [(f"{dot}{index}", item) for index, item in enumerate(value)]
    # The state of a state dict is which version of its class each layer had.
    if isinstance(value, Call) and _class_of(value) == "collections.OrderedDict":
        return None if value.args else [(name, value.items or [])]
    return None


def _key(key: Value) -> str:
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)


def _class_of(value: Value) -> str:
    known = isinstance(value, Call) and isinstance(value.func, Global)
    return value.func.name if known else "an object"
