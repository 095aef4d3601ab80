"""A body of the protocol as tensors. Numbers in JSON go straight into arrays."""

from __future__ import annotations

import math
import threading
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import orjson
import simdjson

from modelyard.core.decoding import json_decoder
from modelyard.errors import InvalidInput
from modelyard.serving.oip.datatypes import DTYPES, from_bytes

if TYPE_CHECKING:
    from modelyard.serving.interface import Array

__all__ = ["Asked", "Decoded", "Given", "decode", "decode_raw"]

_MOST_AXES: Final = 32
_MOST_ELEMENTS: Final = 1 << 40
"""Even of an empty tensor whose sides of 0 were 1: numpy takes no more."""


class Asked(msgspec.Struct, gc=False):
    """An output that is wanted."""

    name: str
    parameters: dict[str, Any] | None = None


class Given(msgspec.Struct):
    """An input as it stands in the JSON."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] | None = None
    data: msgspec.Raw = msgspec.Raw()


class _Body(msgspec.Struct):
    inputs: list[Given]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[Asked] | None = None


@dataclass(slots=True, eq=False)
class Decoded:
    """A request's tensors, and what it says about its answer."""

    feeds: dict[str, Array]
    id: str | None
    parameters: dict[str, Any] | None
    outputs: list[Asked] | None


_decoder: Final = json_decoder(_Body)
_local = threading.local()
# to say so by numpy's `errstate` at every cast would take as long as reading the JSON
warnings.filterwarnings("ignore", "overflow encountered in cast", RuntimeWarning)


def decode(body: bytes | bytearray | memoryview, json_length: int | None) -> Decoded:
    """Read the JSON, and the raw tensors behind it.

    Args:
        json_length: Bytes of the JSON; None if it is all.

    Raises:
        InvalidInput: `bad-request`, `bad-inputs`. Arrays may be read-only views of the body.
    """
    whole = memoryview(body)
    if json_length is None:
        head, rest = whole, whole[:0]
    else:
        if not 0 <= json_length <= len(whole):
            raise InvalidInput(
                "bad-request",
                f"Inference-Header-Content-Length is {json_length}, of {len(whole)} bytes",
            )
        head, rest = whole[:json_length], whole[json_length:]
    try:
        asked = _decoder.decode(head)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput("bad-request", f"failed to parse the request JSON: {error}") from None
    feeds: dict[str, Array] = {}
    place = 0
    for given in asked.inputs:
        size = None if given.parameters is None else given.parameters.get("binary_data_size")
        if size is None:
            array = _from_json(given)
        else:
            if type(size) is not int or not 0 <= size <= len(rest) - place:
                raise InvalidInput(
                    "bad-inputs",
                    f"unexpected size for input '{given.name}': 'binary_data_size' is"
                    f" {str(size)[:40]}, and {len(rest) - place} bytes are left",
                )
            array = _from_binary(given, rest[place : place + size])
            place += size
        if given.name in feeds:
            raise InvalidInput("bad-inputs", f"input '{given.name}' is given twice")
        feeds[given.name] = array
    if place != len(rest):
        raise InvalidInput(
            "bad-inputs", f"unexpected additional input data: {len(rest) - place} bytes"
        )
    return Decoded(feeds, asked.id, asked.parameters, asked.outputs)


def decode_raw(body: bytes | bytearray, datatype: str, shape: tuple[int, ...]) -> Array:
    """A body that is one tensor's bytes, for a model with one input; one side of it may vary."""
    data = memoryview(body)
    dtype = DTYPES[datatype]
    if datatype == "BYTES":
        array = from_bytes(data, len(data) // 4)
    else:
        if len(data) % dtype.itemsize:
            raise InvalidInput("bad-inputs", f"{len(data)} bytes are no array of {datatype}")
        array = np.frombuffer(data, dtype)
    sides = [*shape] or [-1]
    loose = [place for place, side in enumerate(sides) if side < 0]
    for place in loose[:-1] if len(loose) > 1 else ():
        sides[place] = 1
    try:
        return array.reshape(sides)
    except ValueError:
        raise InvalidInput(
            "bad-inputs", f"{array.size} elements can't have the shape {list(shape)}"
        ) from None


def _sides(given: Given) -> int:
    """The number of elements. InvalidInput for shapes that can't be."""
    shape = given.shape
    if (
        len(shape) > _MOST_AXES
        or (shape and min(shape) < 0)
        or (0 in shape and math.prod(side or 1 for side in shape) > _MOST_ELEMENTS)
    ):
        raise InvalidInput(
            "bad-inputs", f"input '{given.name}' has an invalid shape {shape[:_MOST_AXES]}"
        )
    return math.prod(shape)


def _from_binary(given: Given, data: memoryview) -> Array:
    count = _sides(given)
    dtype = _dtype(given)
    if dtype.kind == "O":
        array = from_bytes(data, count)
        if len(array) != count:
            raise _wrong_count(given, count, len(array))
        return array.reshape(given.shape)
    if len(data) != count * dtype.itemsize:
        raise InvalidInput(
            "bad-inputs",
            f"unexpected total byte size {len(data)} for input '{given.name}', expecting"
            f" {count * dtype.itemsize}",
        )
    if not count:
        return np.empty(given.shape, dtype)
    if dtype.kind == "b":  # any byte but 0 and 1 is no truth value
        truth: Array = np.frombuffer(data, np.uint8) != 0
        return truth.reshape(given.shape)
    array = np.frombuffer(data, dtype)
    if not array.flags.aligned:
        array = array.copy()
    return array.reshape(given.shape)


def _from_json(given: Given) -> Array:
    count = _sides(given)
    dtype = _dtype(given)
    if not len(given.data):
        raise InvalidInput("bad-inputs", f"input '{given.name}' has neither data nor its size")
    kind = dtype.kind
    array = _items(given, kind) if kind in "Ob" else _numbers(given, kind)
    if len(array) != count:
        raise _wrong_count(given, count, len(array))
    if array.dtype != dtype:
        array = _narrowed(given, array, dtype)
    return array.reshape(given.shape)


def _numbers(given: Given, kind: str) -> Array:
    """By simdjson, without an object for each number; `null` is NaN, by the slow way."""
    parser = getattr(_local, "parser", None)
    if parser is None:
        parser = _local.parser = simdjson.Parser()
    try:
        element: Any = parser.parse(given.data)
        buffer = element.as_buffer(of_type="d" if kind == "f" else kind)
    except (TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
        element = None
        if kind == "f":
            return _with_gaps(given)
        raise _unparsable(given, error) from None
    finally:
        element = None  # the parser reads no other text while something of this one lives
    return np.frombuffer(buffer, "<f8" if kind == "f" else "<i8" if kind == "i" else "<u8")


def _with_gaps(given: Given) -> Array:
    items = _flat(given)
    if not all(type(item) in (int, float) or item is None for item in items):
        raise _unparsable(given, "it holds something else than numbers")
    try:
        return np.array([math.nan if item is None else item for item in items], np.float64)
    except OverflowError as error:
        raise _unparsable(given, error) from None


def _items(given: Given, kind: str) -> Array:
    """Texts, or truth values."""
    items = _flat(given)
    wanted = (str,) if kind == "O" else (bool,)
    if not all(type(item) in wanted for item in items):
        if kind == "b" and all(type(i) is bool or i in (0, 1) for i in items):
            items = [bool(item) for item in items]
        else:
            raise _unparsable(given, f"elements of {given.datatype} are {wanted[0].__name__}")
    if kind == "b":
        return np.array(items, bool)
    array = np.empty(len(items), object)
    array[:] = items
    return array


def _flat(given: Given) -> list[Any]:
    try:
        found = orjson.loads(memoryview(given.data))
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise _unparsable(given, error) from None
    if not isinstance(found, list):
        raise _unparsable(given, "it is no array")
    depth = 0
    while found and isinstance(found[0], list):
        depth += 1
        if depth > _MOST_AXES or not all(isinstance(part, list) for part in found):
            raise _unparsable(given, "its rows differ")
        found = [item for part in found for item in part]
    return found


def _narrowed(given: Given, array: Array, dtype: np.dtype[Any]) -> Array:
    if dtype.kind == "f":
        try:
            return array.astype(dtype)
        except RuntimeWarning:  # too large is infinite, where warnings are errors too
            with np.errstate(over="ignore"):
                return array.astype(dtype)
    if len(array):
        bounds = np.iinfo(dtype)
        if array.min() < bounds.min or array.max() > bounds.max:
            raise _unparsable(given, f"a number is no {given.datatype}")
    return array.astype(dtype)


def _dtype(given: Given) -> np.dtype[Any]:
    dtype = DTYPES.get(given.datatype)
    if dtype is None:
        raise InvalidInput(
            "bad-inputs", f"invalid datatype {given.datatype[:40]!r} for input '{given.name}'"
        )
    return dtype


def _wrong_count(given: Given, wanted: int, found: int) -> InvalidInput:
    return InvalidInput(
        "bad-inputs",
        f"unexpected number of elements {found} for input '{given.name}', expecting {wanted} for"
        f" shape {given.shape}",
    )


def _unparsable(given: Given, why: object) -> InvalidInput:
    return InvalidInput("bad-inputs", f"unable to parse 'data' of input '{given.name}': {why}")
