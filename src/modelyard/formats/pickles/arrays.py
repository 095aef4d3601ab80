"""Numpy arrays of a pickle: dtype, shape and where their bytes lie."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from modelyard.core.tensor import TensorInfo
from modelyard.formats.pickles.dtypes import Dtype, dtype_of
from modelyard.formats.pickles.names import paths_of
from modelyard.formats.pickles.values import Blob, Call, Pairs, Value

if TYPE_CHECKING:
    from modelyard.formats.pickles.machine import Machine

__all__ = ["arrays_of", "unique_names"]

_Found = tuple[Dtype, tuple[int, ...], str, tuple[int, int] | None]


def arrays_of(machine: Machine, root: Value) -> tuple[TensorInfo, ...]:
    """All arrays in the order of the file, named by their path where one leads to them."""
    found: dict[int, _Found] = {}
    for call in machine.arrays:
        known = _READERS.get(_role(call), _nothing)(call)
        if known is not None and not known[0].has_objects:
            found[id(call)] = known
    if not found:
        return ()
    paths = paths_of(root, set(found))
    return tuple(
        _tensor(name, *found[mark], raw=machine.source.raw)
        for mark, name in unique_names(paths, list(found))
    )


def unique_names(paths: dict[int, list[str]], marks: list[int]) -> list[tuple[int, str]]:
    """Each array with each of its names: its paths, or its number where none leads to it."""
    used: set[str] = set()
    names = []
    for index, mark in enumerate(marks):
        for path in paths.get(mark) or [""]:
            name = path or f"array_{index}"
            if name in used:
                name = f"{name}#{len(used)}"
            used.add(name)
            names.append((mark, name))
    return names


def _tensor(
    name: str,
    dtype: Dtype,
    shape: tuple[int, ...],
    order: str,
    place: tuple[int, int] | None,
    *,
    raw: bool,
) -> TensorInfo:
    if place is None or not raw or dtype.swapped or place[1] == place[0]:
        return TensorInfo(name, dtype.name, shape)
    return TensorInfo(name, dtype.name, shape, place[0], place[1], order)


def _role(call: Call) -> str:
    role = call.func.role
    return "wrapper" if role == "reconstructor" else str(role)


def _nothing(_call: Call) -> _Found | None:
    return None


def _checked(dtype: Value, shape: Value, order: str, blob: Value) -> _Found | None:
    """Believed only if the bytes are as many as dtype and shape say."""
    known = dtype_of(dtype)
    if known is None or not isinstance(shape, tuple) or len(shape) > 64:
        return None
    if not all(type(side) is int and 0 <= side < 1 << 48 for side in shape):
        return None
    size = prod(shape) * known.itemsize
    place = (blob.start, blob.end) if isinstance(blob, Blob) else None
    if place is not None and place[1] - place[0] != size:
        return None
    return known, shape, order, place


def _frombuffer(call: Call) -> _Found | None:
    if not isinstance(call.args, tuple) or len(call.args) < 4:
        return None
    blob, dtype, shape, order = call.args[:4]
    return _checked(dtype, shape, "F" if order == b"F" else "C", blob)


def _reconstructed(call: Call) -> _Found | None:
    state = call.state
    if not isinstance(state, tuple) or len(state) != 5:
        return None
    _, shape, dtype, fortran, blob = state
    return _checked(dtype, shape, "F" if fortran is True else "C", blob)


def _wrapped(call: Call) -> _Found | None:
    state = call.state
    if call.place is None or not isinstance(state, Pairs):
        return None
    order = "F" if state.get(b"order") == b"F" else "C"
    return _checked(state.get(b"dtype"), state.get(b"shape"), order, Blob(*call.place))


_READERS = {"frombuffer": _frombuffer, "reconstruct": _reconstructed, "wrapper": _wrapped}
