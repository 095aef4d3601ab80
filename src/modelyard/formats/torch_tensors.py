"""Tensors of a torch pickle: which storage each views, and whether that view is one piece."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from modelyard.core.tensor import ITEMSIZE, TensorInfo
from modelyard.formats.pickles.arrays import unique_names
from modelyard.formats.pickles.names import paths_of
from modelyard.formats.pickles.values import Call, Global, Persistent, Value
from modelyard.formats.reading import bad

if TYPE_CHECKING:
    from modelyard.formats.pickles.scan import Scan

__all__ = ["Storage", "storage_of", "tensors_of"]

KIND = "bad-torch"

_STORAGES = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32",
    "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8",
    "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128", "UntypedStorage": "uint8",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Storage:
    """A block of values that tensors view."""

    key: str
    dtype: str
    count: int
    """Elements of `dtype`."""


Places = Callable[[Storage], tuple[int, int] | None]
"""Where the bytes of a storage lie in the file."""


def storage_of(value: Value) -> Storage | None:
    """The storage that a persistent id names: `('storage', type, key, location, count)`."""
    pid = value.pid if isinstance(value, Persistent) else None
    if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != b"storage":
        return None
    kind, key, count = pid[1], pid[2], pid[4]
    if not isinstance(kind, Global) or not isinstance(key, bytes) or type(count) is not int:
        return None
    dtype = _STORAGES.get(kind.name.rpartition(".")[2])
    if dtype is None or count < 0 or len(key) > 100:
        return None
    return Storage(key.decode("utf-8", "replace"), dtype, count)


def tensors_of(result: Scan, root: Value, places: Places) -> tuple[TensorInfo, ...]:
    """All tensors in the order of the pickle, named by their path in it."""
    calls = {id(call): call for call in result.machine.arrays if _is_tensor(call)}
    paths = paths_of(root, set(calls))
    found = (
        _tensor(_plain(name), calls[mark], places)
        for mark, name in unique_names(paths, list(calls))
    )
    return tuple(tensor for tensor in found if tensor is not None)


def _plain(name: str) -> str:
    """Of a whole module, names as its state dict would have them."""
    if "_parameters." not in name and "_buffers." not in name:
        return name
    hidden = ("_modules", "_parameters", "_buffers")
    return ".".join(part for part in name.split(".") if part not in hidden)


def _is_tensor(call: Call) -> bool:
    return isinstance(call.func, Global) and call.func.role == "tensor"


def _tensor(name: str, call: Call, places: Places) -> TensorInfo | None:
    """None for what is no tensor after all; no range where the view is not one piece."""
    if not isinstance(call.args, tuple) or len(call.args) < 4:
        return None
    storage = storage_of(call.args[0])
    offset, shape, strides = call.args[1:4]
    if storage is None or type(offset) is not int or not _sides(shape) or not _sides(strides):
        return None
    if len(shape) != len(strides):
        raise bad(KIND, "a tensor has not as many strides as sides")
    dtype = _dtype(call, storage)
    size = ITEMSIZE.get(dtype)
    if size is None:
        return TensorInfo(name, dtype, shape)
    return _placed(name, dtype, size, storage, (offset, shape, strides), places)


def _placed(
    name: str,
    dtype: str,
    size: int,
    storage: Storage,
    view: tuple[int, tuple[int, ...], tuple[int, ...]],
    places: Places,
) -> TensorInfo:
    offset, shape, strides = view
    length = storage.count * ITEMSIZE[storage.dtype]
    last = offset + sum((side - 1) * step for side, step in zip(shape, strides, strict=True))
    elements = prod(shape)
    if offset < 0 or (elements and (last + 1) * size > length):
        raise bad(KIND, "a tensor views bytes outside of its storage")
    place = places(storage)
    order = _order(shape, strides)
    if place is None or order is None or not elements:
        return TensorInfo(name, dtype, shape)
    if place[1] - place[0] != length:
        raise bad(
            KIND, f"storage {storage.key[:20]!r} has {place[1] - place[0]} bytes, not {length}"
        )
    start = place[0] + offset * size
    return TensorInfo(name, dtype, shape, start, start + elements * size, order)


def _dtype(call: Call, storage: Storage) -> str:
    """Version 3 of the rebuild call gives the dtype; before, it is that of the storage."""
    if call.func.name.endswith("_v3") and len(call.args) > 6 and isinstance(call.args[6], Global):
        return str(call.args[6].name.rpartition(".")[2])
    return storage.dtype


def _sides(value: Value) -> bool:
    if not isinstance(value, tuple) or len(value) > 64:
        return False
    return all(type(side) is int and 0 <= side < 1 << 48 for side in value)


def _order(shape: tuple[int, ...], strides: tuple[int, ...]) -> str | None:
    """Whether the strides are those of rows or of columns; sides of one don't matter."""
    for order, sides in (("C", range(len(shape) - 1, -1, -1)), ("F", range(len(shape)))):
        step = 1
        for side in sides:
            if shape[side] != 1 and strides[side] != step:
                break
            step *= shape[side]
        else:
            return order
    return None
