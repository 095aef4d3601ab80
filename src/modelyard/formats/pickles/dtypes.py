"""Numpy dtypes as pickles write them, understood strictly.

The size of an element decides where joblib's array bytes end and opcodes begin again, so a dtype
that is written in an unusual way is not guessed at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from modelyard.core.tensor import ITEMSIZE
from modelyard.formats.pickles.values import Call, Global, Pairs, Value

__all__ = ["Dtype", "dtype_of", "dtype_of_text"]

_KINDS = {"b": "int", "i": "int", "u": "uint", "f": "float", "c": "complex"}
_TEXT = re.compile(r"([<>|=]?)([biufcSUVOMm?])(\d{0,9})(\[[0-9A-Za-z]{1,12}\])?\Z")


@dataclass(frozen=True, slots=True)
class Dtype:
    """What a dtype means for bytes."""

    name: str
    itemsize: int
    swapped: bool = False
    has_objects: bool = False


@lru_cache(maxsize=256)
def dtype_of_text(text: str) -> Dtype | None:
    """The dtype of `<f4`, `|b1`, `<U7`; None if it isn't understood."""
    found = _TEXT.match(text)
    if found is None:
        return None
    order, kind, digits, _unit = found.groups()
    size = int(digits) if digits else {"?": 1, "O": 8}.get(kind, 0)
    swapped = order == ">"
    if kind == "?" or (kind == "b" and size == 1 and order in ("", "|")):
        # In a dtype's text `b1` is bool, `i1` is int8.
        return Dtype("bool", 1)
    if kind in _KINDS:
        name = f"{_KINDS[kind]}{size * 8}"
        if ITEMSIZE.get(name) == size:
            return Dtype(name, size, swapped and size > 1)
        return Dtype(name, size, swapped) if size in (16, 32) else None
    if kind == "O":
        return Dtype("object", 8, has_objects=True)
    if kind in "Mm":
        name = "datetime64" if kind == "M" else "timedelta64"
        return Dtype(name, 8, swapped) if size == 8 else None
    if kind == "U":
        return Dtype(f"str{size * 32}", size * 4, swapped)
    return Dtype(f"{'bytes' if kind == 'S' else 'void'}{size * 8}", size)


def dtype_of(value: Value, depth: int = 0) -> Dtype | None:
    """The dtype that a pickled `numpy.dtype(...)` with its state builds."""
    if isinstance(value, Call) and isinstance(value.known, Dtype):
        return value.known
    found = _dtype_of(value, depth)
    if found is not None:
        value.known = found
    return found


def _dtype_of(value: Value, depth: int) -> Dtype | None:
    if not isinstance(value, Call) or not isinstance(value.func, Global) or depth > 8:
        return None
    if value.func.role != "dtype" or not isinstance(value.args, tuple) or len(value.args) != 3:
        return None
    text = value.args[0]
    found = dtype_of_text(text.decode("ascii", "replace")) if isinstance(text, bytes) else None
    state = value.state
    if found is None or state is None:
        return found
    if not isinstance(state, tuple) or len(state) < 8 or state[0] not in (3, 4):
        return None
    swapped = state[1] == b">"
    if state[2:5] == (None, None, None) and state[5] in (-1, found.itemsize):
        return Dtype(found.name, found.itemsize, swapped, found.has_objects)
    if found.name.startswith("void") and isinstance(state[4], Pairs):
        return _structured(found, state, depth)
    return None


def _structured(found: Dtype, state: tuple[Value, ...], depth: int) -> Dtype | None:
    """Fields must lie inside the element, and tell the same of objects as the flags do."""
    has_objects = swapped = False
    if state[2] is not None or state[5] != found.itemsize or len(state[4]) > 2000:
        return None
    for entry in state[4][1::2]:
        if not isinstance(entry, tuple) or len(entry) < 2 or not isinstance(entry[1], int):
            return None
        inner = dtype_of(entry[0], depth + 1)
        if inner is None or not 0 <= entry[1] <= found.itemsize - inner.itemsize:
            return None
        has_objects = has_objects or inner.has_objects
        swapped = swapped or inner.swapped
    if not isinstance(state[7], int) or has_objects != bool(state[7] & 1):
        return None
    return Dtype(found.name, found.itemsize, swapped, has_objects)
