"""What a runtime and its child process say to each other: frames of plain values and arrays.

A frame is a head in MessagePack and the bytes of its arrays behind it. Nothing is ever pickled in
either direction: a child that has run a hostile file can send wrong numbers, and nothing else.
Every length is checked before it is believed.

    magic "myw1" | length of head: u32 | length of all arrays: u64 | head | arrays
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from modelyard.core.decoding import decode_packed
from modelyard.errors import Corrupt, InvalidInput

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

__all__ = ["Channel", "Frame", "Json", "decode", "encode"]

Json = Any
"""None, bool, int, float, str, bytes, list, dict - and arrays, anywhere in it."""
Array = np.ndarray[Any, Any]

_PREFIX: Final = struct.Struct("<4sIQ")
_MAGIC: Final = b"myw1"
_LARGEST_HEAD: Final = 16 << 20
_SMALL_HEAD: Final = 1 << 20
_GROWTH: Final = 96
"""Bytes of memory that one byte of a head (an empty list or dict in a list), or one element of
text or of values, becomes at most."""
_ARRAY: Final = 1  # the extension of MessagePack that stands for the n-th array
_RAW: Final = re.compile(
    r"[<>|=](b1|[iu][1248]|f[248]|f16|c8|c16|[mM]8(\[\d{0,4}\w{1,2}\])?|S\d{1,6})"
)
_WIDE: Final = re.compile(r"<U(\d{1,6})")
_TEXT: Final = "text"
_VALUES: Final = "values"


@dataclass(frozen=True, slots=True)
class Frame:
    """One message."""

    kind: str
    """`hello`, `load`, `predict`, `call`, `result`, `error`."""
    content: Json = None


class _Spec(msgspec.Struct, array_like=True):
    """How the bytes of one array are read."""

    form: str
    """A dtype, `text` or `values`."""
    shape: list[int]
    size: int
    width: str = ""
    """Of text: the dtype `<U...` if it is no array of objects."""
    fortran: bool = False


class _Head(msgspec.Struct, array_like=True):
    kind: str
    arrays: list[_Spec]
    content: msgspec.Raw


def encode(frame: Frame) -> list[memoryview]:
    """The bytes of a frame, in pieces. InvalidInput `bad-inputs`: it holds what can't travel."""
    arrays: list[Array] = []

    def number(value: object) -> object:
        if isinstance(value, np.ndarray):
            arrays.append(value)
            return msgspec.msgpack.Ext(_ARRAY, str(len(arrays) - 1).encode())
        if isinstance(value, np.generic):
            return value.item()
        raise InvalidInput("bad-inputs", f"{type(value).__name__} objects can't be sent to a model")

    try:
        content = msgspec.msgpack.encode(frame.content, enc_hook=number)
    except (OverflowError, RecursionError, TypeError, UnicodeError, ValueError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput("bad-inputs", f"this can't be sent to a model: {error}") from None
    specs, pieces = [], []
    for array in arrays:
        spec, parts = _packed(array)
        specs.append(spec)
        pieces += parts
    head = msgspec.msgpack.encode(_Head(frame.kind, specs, msgspec.Raw(content)))
    if len(head) > _LARGEST_HEAD:
        raise InvalidInput("bad-inputs", f"a message of {len(head)} bytes beside its arrays")
    prefix = _PREFIX.pack(_MAGIC, len(head), sum(piece.nbytes for piece in pieces))
    return [memoryview(prefix + head), *pieces]


def decode(head: bytes, body: memoryview, *, limit: int) -> Frame:
    """The frame of these bytes. Corrupt `bad-frame`: they are none.

    Args:
        limit: Bytes that objects and text may unpack to.
    """
    try:
        if len(head) > _largest_head(limit):
            raise ValueError("head")
        found = decode_packed(head, _Head)
        if sum(spec.size for spec in found.arrays) != len(body):
            raise ValueError("lengths of arrays")
        if sum(map(_unpacks_to, found.arrays)) > limit:
            raise ValueError("objects")
        arrays = list(_unpacked(found.arrays, body))

        def array(code: int, index: memoryview) -> object:
            if code != _ARRAY or len(index) > 9 or not bytes(index).isdigit():
                raise ValueError("extension")
            return arrays[int(bytes(index))]

        content = msgspec.msgpack.decode(found.content, ext_hook=array)
    except (LookupError, MemoryError, OverflowError, RecursionError, TypeError, ValueError):
        raise _bad_frame() from None
    except msgspec.MsgspecError:
        raise _bad_frame() from None
    return Frame(found.kind, content)


class Channel:
    """Frames over a stream socket."""

    def __init__(self, connection: socket.socket, *, limit: int = 1 << 40) -> None:
        """
        Args:
            limit: Bytes of arrays in one frame that are taken.
        """
        self._socket = connection
        self._limit = limit

    def send(self, frame: Frame, tick: Callable[[], None] | None = None) -> None:
        """Raises EOFError if nobody reads any more.

        Args:
            tick: Called now and then while nothing moves, and whenever something did; it may raise.
        """
        for piece in encode(frame):
            rest = piece
            while rest:
                try:
                    rest = rest[self._socket.send(rest) :]
                except TimeoutError:
                    pass
                except OSError:
                    raise EOFError from None
                if tick is not None:
                    tick()

    def receive(self, tick: Callable[[], None] | None = None) -> Frame:
        """Raises EOFError at the end, Corrupt `bad-frame` for what is no frame."""
        magic, size, length = _PREFIX.unpack(self._read(_PREFIX.size, tick))
        if magic != _MAGIC or size > _largest_head(self._limit) or length > self._limit:
            raise _bad_frame()
        head = bytes(self._read(size, tick))
        return decode(head, self._read(length, tick), limit=self._limit)

    def _read(self, size: int, tick: Callable[[], None] | None) -> memoryview:
        whole = _bytes(np.empty(size, np.uint8))
        rest = whole
        while rest:
            try:
                count = self._socket.recv_into(rest)
                if count == 0:
                    raise EOFError
                rest = rest[count:]
            except TimeoutError:
                pass
            except OSError:
                raise EOFError from None
            if tick is not None:
                tick()
        return whole


def _packed(array: Array) -> tuple[_Spec, list[memoryview]]:
    shape = list(array.shape)
    if array.dtype.kind == "O":
        return _objects(array, shape)
    if array.dtype.kind == "U":
        spec, parts = _text(array.ravel().tolist(), shape)
        spec.width = array.dtype.newbyteorder("<").str
        return spec, parts
    if not _RAW.fullmatch(array.dtype.str):
        raise InvalidInput("bad-inputs", f"arrays of {array.dtype} can't be sent to a model")
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    flat = np.ascontiguousarray(array.T if fortran else array).reshape(-1)
    data = _bytes(flat)
    return _Spec(array.dtype.str, shape, data.nbytes, fortran=fortran), [data]


def _objects(array: Array, shape: list[int]) -> tuple[_Spec, list[memoryview]]:
    items = array.ravel().tolist()
    if all(item is None or type(item) is str for item in items):
        return _text(items, shape)
    plain = [item.item() if isinstance(item, np.generic) else item for item in items]
    for item in plain:
        if not (item is None or isinstance(item, bool | int | float | str)):
            raise InvalidInput("bad-inputs", f"an array of {type(item).__name__} objects")
    try:
        data = memoryview(msgspec.msgpack.encode(plain))
    except (OverflowError, UnicodeError) as error:
        raise InvalidInput("bad-inputs", f"values that can't be sent: {error}") from None
    return _Spec(_VALUES, shape, data.nbytes), [data]


def _text(items: Iterable[str | None], shape: list[int]) -> tuple[_Spec, list[memoryview]]:
    """Lengths in characters (-1: None), then all texts without a gap as UTF-8."""
    items = list(items)
    lengths = np.fromiter((-1 if t is None else len(t) for t in items), np.int32, len(items))
    try:
        blob = "".join(text for text in items if text).encode()
    except UnicodeEncodeError:
        raise InvalidInput("bad-inputs", "text with half a character (a lone surrogate)") from None
    parts = [_bytes(lengths), memoryview(blob)]
    return _Spec(_TEXT, shape, lengths.nbytes + len(blob)), parts


def _largest_head(limit: int) -> int:
    return min(_LARGEST_HEAD, max(_SMALL_HEAD, limit // _GROWTH))


def _unpacks_to(spec: _Spec) -> int:
    """What an array of objects or of text may take while it is read; other arrays don't grow."""
    if spec.form not in (_TEXT, _VALUES):
        return 0
    count = abs(math.prod(spec.shape))
    width = _WIDE.fullmatch(spec.width)
    wide = 4 * count * int(width[1]) if width else 0
    return _GROWTH * count + wide + 4 * abs(spec.size)  # a character takes up to four bytes


def _unpacked(specs: list[_Spec], body: memoryview) -> Iterable[Array]:
    start = 0
    for spec in specs:
        if spec.size < 0 or len(spec.shape) > 32 or any(side < 0 for side in spec.shape):
            raise ValueError("shape")
        yield _array(spec, body[start : start + spec.size])
        start += spec.size


def _array(spec: _Spec, data: memoryview) -> Array:
    count = math.prod(spec.shape)
    if spec.form == _TEXT:
        return _text_array(spec, data, count)
    if spec.form == _VALUES:
        if _elements(data) != count:
            raise ValueError("length")
        values = decode_packed(data, list[bool | int | float | str | None])
        return _filled(values, count, spec.shape)
    if not _RAW.fullmatch(spec.form):
        raise ValueError("dtype")
    dtype = np.dtype(spec.form)
    if count * dtype.itemsize != len(data):
        raise ValueError("length")
    if not count:
        return np.empty(spec.shape, dtype)
    flat = np.frombuffer(data, dtype)
    if not flat.flags.aligned:
        flat = flat.copy()
    return flat.reshape(spec.shape, order="F" if spec.fortran else "C")


def _text_array(spec: _Spec, data: memoryview, count: int) -> Array:
    if 4 * count > len(data):
        raise ValueError("length")
    lengths = np.frombuffer(data[: 4 * count], np.int32) if count else np.empty(0, np.int32)
    text = str(data[4 * count :], "utf-8")
    if lengths.size and int(lengths.min()) < -1:
        raise ValueError("lengths of text")
    items: list[str | None] = []
    start = 0
    for length in lengths.tolist():
        items.append(None if length < 0 else text[start : start + length])
        start += max(0, length)
    if count and start != len(text):
        raise ValueError("lengths of text")
    if not spec.width:
        return _filled(items, count, spec.shape)
    width = _WIDE.fullmatch(spec.width)
    if width is None or None in items:
        raise ValueError("width")
    return np.array(items, spec.width).reshape(spec.shape)


def _elements(data: memoryview) -> int:
    """How many a list in MessagePack says it has, before any of them is made."""
    first = data[0]
    if 0x90 <= first <= 0x9F:
        return first & 0xF
    size = {0xDC: 2, 0xDD: 4}[first]
    return int.from_bytes(data[1 : 1 + size], "big")


def _filled(items: list[Any], count: int, shape: list[int]) -> Array:
    if len(items) != count:
        raise ValueError("length")
    array = np.empty(count, object)
    array[:] = items
    return array.reshape(shape)


def _bytes(flat: Array) -> memoryview:
    """The memory of a contiguous array."""
    return memoryview(flat.view(np.uint8).data) if flat.size else memoryview(b"")


def _bad_frame() -> Corrupt:
    return Corrupt(
        "bad-frame", "the model's process sent something that is no answer",
        hint="don't use this version: what it runs is not what a model runs",
    )  # fmt: skip
