"""Messages as tensors, and tensors as messages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.errors import InvalidInput, Unsupported
from modelyard.serving.oip.datatypes import DTYPES, datatype_of, from_bytes, to_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.serving.grpc.stubs.messages import ModelInferRequest, ModelInferResponse
    from modelyard.serving.interface import Array

    Input = ModelInferRequest.InferInputTensor

__all__ = ["feeds_of", "put_outputs"]

_FIELDS: Final = {
    "bool_contents": ("BOOL",),
    "int_contents": ("INT8", "INT16", "INT32"),
    "int64_contents": ("INT64",),
    "uint_contents": ("UINT8", "UINT16", "UINT32"),
    "uint64_contents": ("UINT64",),
    "fp32_contents": ("FP32",),
    "fp64_contents": ("FP64",),
    "bytes_contents": ("BYTES",),
}
"""What may be in which field of typed contents."""
_MOST_AXES: Final = 32
_MOST_ELEMENTS: Final = 1 << 40
"""Even of an empty tensor whose sides of 0 were 1: numpy takes no more."""


def feeds_of(request: ModelInferRequest) -> dict[str, Array]:
    """The inputs of a request. Arrays of raw contents are read-only views of it.

    Raises:
        InvalidInput: `bad-inputs`.
        Unsupported: `shared-memory`.
    """
    name = request.model_name
    raw = request.raw_input_contents
    feeds: dict[str, Array] = {}
    for place, given in enumerate(request.inputs):
        shape = _shape(given)
        if given.parameters and "shared_memory_region" in given.parameters:
            raise Unsupported("shared-memory", "tensors in shared memory are not taken")
        # some clients send an empty one beside raw contents
        if given.HasField("contents") and (not raw or given.contents.ByteSize()):
            if raw:
                raise _wrong(
                    "contents field must not be specified when using raw_input_contents for"
                    f" '{given.name[:80]}' for model '{name}'"
                )
            array = _typed(given, name)
        elif place < len(raw):
            array = _raw(given, raw[place], math.prod(shape))
        elif 0 in shape:
            array = np.empty(0, _dtype(given))
        else:
            raise _wrong(
                f"unable to find data for input tensor '{given.name[:80]}' for model '{name}' in"
                " request."
            )
        if array.size != math.prod(shape):
            raise _wrong(
                f"unexpected number of elements {array.size} for input '{given.name[:80]}',"
                f" expecting {math.prod(shape)} for shape {list(shape)}"
            )
        if given.name in feeds:
            raise _wrong(f"input '{given.name[:80]}' is given twice")
        feeds[given.name] = array.reshape(shape)
    if len(raw) > len(request.inputs):
        raise _wrong(
            f"expected {len(request.inputs)} raw_input_contents but got {len(raw)} for model"
            f" '{name}'"
        )
    return feeds


def put_outputs(outputs: Mapping[str, Array], response: ModelInferResponse) -> None:
    """Add tensors to an answer, as raw bytes: every client reads them, and FP16 has no other."""
    for name, array in outputs.items():
        response.outputs.add(name=name, datatype=datatype_of(array), shape=array.shape)
        if array.dtype.kind in "OUS":
            response.raw_output_contents.append(to_bytes(array))
        elif array.dtype.isnative:
            response.raw_output_contents.append(array.tobytes())
        else:
            response.raw_output_contents.append(
                array.astype(array.dtype.newbyteorder("<")).tobytes()
            )


def _shape(given: Input) -> tuple[int, ...]:
    shape = tuple(given.shape)
    if (
        len(shape) > _MOST_AXES
        or (shape and min(shape) < 0)
        or (0 in shape and math.prod(side or 1 for side in shape) > _MOST_ELEMENTS)
    ):
        raise _wrong(f"input '{given.name[:80]}' has an invalid shape {list(shape)[:_MOST_AXES]}")
    return shape


def _dtype(given: Input) -> np.dtype[np.generic]:
    dtype = DTYPES.get(given.datatype)
    if dtype is None:
        raise _wrong(f"invalid datatype {given.datatype[:40]!r} for input '{given.name[:80]}'")
    return dtype


def _raw(given: Input, data: bytes, count: int) -> Array:
    dtype = _dtype(given)
    if dtype.kind == "O":
        return from_bytes(memoryview(data), count)
    if len(data) != count * dtype.itemsize:
        raise _wrong(
            f"unexpected total byte size {len(data)} for input '{given.name[:80]}', expecting"
            f" {count * dtype.itemsize}"
        )
    if not count:
        return np.empty(0, dtype)
    array: Array = np.frombuffer(data, np.uint8 if dtype.kind == "b" else dtype)
    return array.astype(bool) if dtype.kind == "b" else array


def _typed(given: Input, model: str) -> Array:
    dtype = _dtype(given)
    used = [field for field in _FIELDS if len(getattr(given.contents, field))]
    if not used:
        return np.empty(0, dtype)
    field, *more = used
    if more:
        raise _wrong(
            f"unexpected explicit tensor data for input tensor '{given.name[:80]}' for model"
            f" '{model}', binary data was already supplied."
        )
    if given.datatype not in _FIELDS[field]:
        raise _wrong(
            f"unexpected explicit tensor data for input tensor '{given.name[:80]}' for model"
            f" '{model}' of type '{_FIELDS[field][-1]}', expected datatype '{given.datatype}'"
        )
    values = list(getattr(given.contents, field))
    if dtype.kind == "O":
        array: Array = np.empty(len(values), object)
        array[:] = values
        return array
    try:
        return np.array(values, dtype)
    except OverflowError:
        raise _wrong(
            f"a number of input '{given.name[:80]}' for model '{model}' is no {given.datatype}"
        ) from None


def _wrong(sentence: str) -> InvalidInput:
    return InvalidInput("bad-inputs", sentence)
