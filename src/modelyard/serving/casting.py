"""Values as people send them, made the array that an input wants. Nothing is changed silently."""

from __future__ import annotations

import base64
import binascii
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.runtimes.tensors import TensorSpec
    from modelyard.serving.interface import Array

__all__ = ["GAPS", "array_of", "bad_inputs", "cast", "parsed", "said"]

_MOST_AXES: Final = 32
_NUMBERS: Final = {float, int, bool}
_EXACT: Final = 2**53
"""Whole numbers up to here are themselves as float64."""
GAPS: Final = frozenset({"", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "#N/A"})
"""What CSV has in place of a value that is missing."""
_TRUTHS: Final = {"true": True, "false": False, "1": True, "0": False}


def bad_inputs(message: str, hint: str | None = None) -> InvalidInput:
    return InvalidInput("bad-inputs", message, hint=hint)


def said(value: object) -> str:
    """A value for a message, cut."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def array_of(spec: TensorSpec, values: Sequence[Any], *, gaps: bool = False) -> Array:
    """A JSON list, of lists of one length or of plain values, as an array.

    Args:
        gaps: Whether `null` may stand for a text that is missing; of floats it is NaN always.

    Raises:
        InvalidInput: `bad-inputs`: values of another type, or lists that differ in length.
    """
    shape = [len(values)]
    while values and type(values[0]) is list:
        side = len(values[0])
        if set(map(type, values)) != {list} or set(map(len, values)) != {side}:
            raise bad_inputs(f"lists of {spec.name!r} differ in length")
        shape.append(side)
        if len(shape) > _MOST_AXES:
            raise bad_inputs(f"{spec.name!r} has more than {_MOST_AXES} axes")
        values = list(chain.from_iterable(values))
    found = _flat(spec, values, gaps)
    return found if len(shape) == 1 else found.reshape(shape)


def cast(spec: TensorSpec, array: Array, *, gaps: bool = False) -> Array:
    """An array of a file, of the dtype that the input wants."""
    wanted, kind = spec.dtype, array.dtype.kind
    if array.dtype.name == wanted:
        return array
    if wanted in ("string", "bytes") or kind in "OUS":
        flat = array.ravel()
        if wanted == "string" and kind in "iub":  # a code that happens to be a number
            values = [str(value) for value in flat.tolist()]
        else:
            values = flat.tolist()
        return _flat(spec, values, gaps).reshape(array.shape)
    dtype = np.dtype(wanted)
    if dtype.kind == "f" and kind in "iubf":
        return _narrowed(spec, array, dtype)
    if dtype.kind in "iu" and kind in "iubf":
        return _whole(spec, array, dtype)
    if dtype.kind == "b" and kind in "iuf" and np.isin(array, (0, 1)).all():
        return array.astype(bool)
    try:
        if dtype.kind == kind == "M":
            return array.astype(dtype)
    except ValueError:
        pass
    raise bad_inputs(f"{spec.name!r} takes {wanted}, and was given {array.dtype}")


def parsed(spec: TensorSpec, texts: Sequence[str], *, gaps: bool = False) -> Array:
    """A column of CSV."""
    wanted = spec.dtype
    if wanted == "string":
        return _flat(spec, [None if gaps and t in GAPS else t for t in texts], gaps)
    if wanted == "bytes":
        return _flat(spec, texts, gaps)
    kind = np.dtype(wanted).kind
    try:
        if kind == "f":
            numbers = [np.nan if text in GAPS else float(text) for text in texts]
            return _narrowed(spec, np.array(numbers, np.float64), np.dtype(wanted))
        if kind in "iu":
            return _flat(spec, [_integer(text) for text in texts], gaps)
        if kind == "b":
            return np.array([_TRUTHS[text.strip().lower()] for text in texts], bool)
    except InvalidInput:
        raise
    except (ValueError, KeyError) as error:
        text = error.args[0] if isinstance(error, KeyError) else _unread(texts, kind)
        raise bad_inputs(f"{spec.name!r} takes {wanted}, and was given {said(text)}") from None
    return _flat(spec, texts, gaps)


def _flat(spec: TensorSpec, values: Sequence[Any], gaps: bool) -> Array:
    wanted = spec.dtype
    kinds = set(map(type, values))
    if wanted == "string":
        if kinds <= {str} or (gaps and kinds <= {str, type(None)}):
            return _objects(values)
        raise _other(spec, values, (str,))
    if wanted == "bytes":
        return _objects([_bytes(spec, value) for value in values])
    dtype = np.dtype(wanted)
    try:
        if dtype.kind == "f" and kinds <= {float, int, bool, type(None)}:
            return _narrowed(spec, np.array(values, np.float64), dtype)
        if dtype.kind in "iu" and kinds <= {int, bool}:
            return np.array(values, dtype)
        if dtype.kind in "iu" and kinds <= _NUMBERS:
            return _whole(spec, np.array(values, np.float64), dtype)
        if dtype.kind == "b" and (kinds <= {bool} or (kinds <= _NUMBERS and {*values} <= {0, 1})):
            return np.array(values, bool)
        if dtype.kind in "Mm" and kinds <= {str, type(None)}:
            return np.array([value or "NaT" for value in values], dtype)
    except OverflowError:
        raise bad_inputs(f"a number of {spec.name!r} is too large for {wanted}") from None
    except InvalidInput:
        raise
    except ValueError:
        raise bad_inputs(f"{spec.name!r} takes {wanted} as ISO 8601 writes it") from None
    raise _other(spec, values, (bool,) if dtype.kind == "b" else tuple(_NUMBERS))


def _narrowed(spec: TensorSpec, array: Array, dtype: np.dtype[Any]) -> Array:
    """Rounded as floats are; never made infinite."""
    if dtype == array.dtype:
        return array
    try:
        with np.errstate(over="raise"):
            return array.astype(dtype, copy=False)
    except FloatingPointError:
        raise bad_inputs(f"a number of {spec.name!r} is too large for {dtype}") from None


def _whole(spec: TensorSpec, array: Array, dtype: np.dtype[Any]) -> Array:
    """Numbers that are whole, and fit."""
    if array.dtype.kind == "b" or not array.size:
        return array.astype(dtype)
    if array.dtype.kind == "f":
        whole = np.isfinite(array) & (array == np.rint(array)) & (np.abs(array) <= _EXACT)
        if not whole.all():
            odd = array[~whole].flat[0]
            raise bad_inputs(f"{spec.name!r} takes {dtype}, and was given {said(float(odd))}")
    bounds = np.iinfo(dtype)
    if int(array.min()) < bounds.min or int(array.max()) > bounds.max:
        raise bad_inputs(f"a number of {spec.name!r} is too large for {dtype}")
    return array.astype(dtype)


def _integer(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _unread(texts: Sequence[str], kind: str) -> str:
    """The first text that is no number."""
    for text in texts:
        try:
            float("0" if kind == "f" and text in GAPS else text)
        except ValueError:
            return text
    return ""


def _bytes(spec: TensorSpec, value: Any) -> bytes:
    """Text as UTF-8, or `{"b64": ...}`, as TensorFlow Serving has it."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, dict) and isinstance(value.get("b64"), str):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (binascii.Error, ValueError):
            pass
    raise bad_inputs(f'{spec.name!r} takes text or {{"b64": "..."}}, and was given {said(value)}')


def _objects(values: Sequence[Any]) -> Array:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _other(spec: TensorSpec, values: Sequence[Any], fine: tuple[type, ...]) -> InvalidInput:
    odd = next((value for value in values if type(value) not in fine), None)
    shown = "null" if odd is None else "a list" if isinstance(odd, list) else said(odd)
    if isinstance(odd, dict):
        shown = "an object"
    return bad_inputs(f"{spec.name!r} takes {spec.dtype}, and was given {shown}")
