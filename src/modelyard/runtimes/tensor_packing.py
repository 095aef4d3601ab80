"""Named arrays as the head and the body of a frame of `tensor_wire`, and out of them again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from modelyard.core.decoding import packed_decoder
from modelyard.errors import Corrupt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.runtimes.tensors import Array

__all__ = ["bad_frame", "packed_arrays", "unpacked_arrays"]

_ALIGNED: Final = 64
_TEXT, _BYTES = "O", "B"
_PLAIN: Final = frozenset({
    "|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8",
})  # fmt: skip
_PADDING: Final = tuple(bytes(count) for count in range(_ALIGNED))


class _Array(msgspec.Struct, array_like=True):
    name: str
    form: str
    shape: tuple[int, ...]
    size: int


class _Head(msgspec.Struct, array_like=True):
    content: Any
    arrays: list[_Array]


_heads: Final = packed_decoder(_Head)
_texts: Final[dict[str, msgspec.msgpack.Decoder[Any]]] = {
    "O": packed_decoder(list[str | None]), "B": packed_decoder(list[bytes]),
}  # fmt: skip
_encode: Final = msgspec.msgpack.encode


def packed_arrays(content: Any, arrays: Mapping[str, Array]) -> tuple[bytes, list[Any], int]:
    """The head, the pieces of the body, and its length. TypeError: an array can't be sent."""
    told: list[_Array] = []
    body: list[Any] = []
    length = 0
    for name, array in arrays.items():
        form, data, size = _packed(array)
        told.append(_Array(name, form, array.shape, size))
        body.append(data)
        length += size
        if gap := -size % _ALIGNED:
            body.append(_PADDING[gap])
            length += gap
    return _encode(_Head(content, told)), body, length


def _packed(array: Array) -> tuple[str, Any, int]:
    form = array.dtype.str
    if form in _PLAIN:
        if not array.flags.c_contiguous:
            array = np.ascontiguousarray(array)
        size = array.nbytes
        return form, memoryview(array.reshape(-1).view(np.uint8).data) if size else b"", size
    if array.dtype.kind in "OU":
        items = array.ravel().tolist()
        data = _encode(items)
        return _BYTES if items and isinstance(items[0], bytes) else _TEXT, data, len(data)
    raise TypeError(f"arrays of {array.dtype} can't be sent")


def unpacked_arrays(
    head: memoryview, body: memoryview, length: int
) -> tuple[Any, dict[str, Array]]:  # fmt: skip
    """What was asked for, and the arrays. Corrupt: `bad-frame`."""
    try:
        found = _heads.decode(head)
        arrays: dict[str, Array] = {}
        start = 0
        for told in found.arrays:
            if told.size < 0 or told.size > length - start:
                raise ValueError("length")
            arrays[told.name] = _array(told, body[start : start + told.size])
            start += told.size + -told.size % _ALIGNED
        if start != length:
            raise ValueError("length")
    except (msgspec.MsgspecError, MemoryError, OverflowError, TypeError, ValueError):
        raise bad_frame() from None
    return found.content, arrays


def _array(told: _Array, data: memoryview) -> Array:
    if told.form in _texts:
        texts: list[Any] = _texts[told.form].decode(data)
        if math.prod(told.shape) != len(texts):
            raise ValueError("shape")
        array = np.empty(len(texts), object)
        array[:] = texts
        return array.reshape(told.shape)
    if told.form not in _PLAIN or any(side < 0 for side in told.shape):
        raise ValueError("dtype")
    if not told.size:
        if 0 not in told.shape:  # else it would be memory that nobody has written
            raise ValueError("shape")
        return np.empty(told.shape, told.form)
    return np.frombuffer(data, told.form).reshape(told.shape)


def bad_frame() -> Corrupt:
    return Corrupt(
        "bad-frame", "the model's process sent something that is no answer",
        hint="don't use this version: what it runs is not what a model runs",
    )  # fmt: skip
