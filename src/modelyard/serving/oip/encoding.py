"""Answers of the protocol as bytes: JSON, or JSON with raw tensors behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from modelyard.serving.oip.datatypes import datatype_of, to_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.serving.interface import Array, Outputs
    from modelyard.serving.oip.decoding import Asked

__all__ = ["encode", "head_of", "json_values"]

_NUMPY: Final = orjson.OPT_SERIALIZE_NUMPY
_KEPT: Final = 4096
_begun: dict[tuple[str, int], bytes] = {}


def encode(
    head: bytes,
    outputs: Outputs,
    *,
    id: str | None = None,
    asked: Sequence[Asked] | None = None,
    binary: bool = False,
) -> tuple[bytes, int | None]:
    """A body, and the length of its JSON if raw tensors follow.

    Args:
        head: `{"model_name":...,"model_version":...,` as `head_of` makes it.
        binary: All outputs come raw, but for those that are asked otherwise.
    """
    parts = [head]
    if id is not None:
        parts += (b'"id":', orjson.dumps(id), b",")
    parts.append(b'"outputs":[')
    raws: list[bytes | memoryview] = []
    raw_names = _raw_names(asked, outputs, binary) if binary or asked else ()
    first = True
    for name, array in outputs.items():
        key = (name, array.dtype.num)
        begun = _begun.get(key) or _beginning(key, array)
        parts += (begun if first else b"," + begun, orjson.dumps(array.shape))
        first = False
        if name in raw_names:
            raw = _raw(array)
            raws.append(raw)
            parts += (b',"parameters":{"binary_data_size":', str(len(raw)).encode(), b"}}")
        else:
            parts += (b',"data":', json_values(array), b"}")
    parts.append(b"]}")
    if not raws:
        return b"".join(parts), None
    json = b"".join(parts)
    return b"".join([json, *raws]), len(json)


def head_of(model: str, version: str) -> bytes:
    """The beginning of every answer of one version."""
    return b'{"model_name":%b,"model_version":%b,' % (orjson.dumps(model), orjson.dumps(version))


def _beginning(key: tuple[str, int], array: Array) -> bytes:
    """What an output begins with; kept, since the same few come again and again."""
    if len(_begun) >= _KEPT:
        _begun.clear()
    found = b'{"name":%b,"datatype":"%b","shape":' % (
        orjson.dumps(key[0]), datatype_of(array).encode(),
    )  # fmt: skip
    _begun[key] = found
    return found


def json_values(array: Array) -> bytes:
    """An array's elements in one flat list. What JSON can't say (NaN, infinity) is null."""
    if array.dtype.kind in "OUS":
        return orjson.dumps([_text(item) for item in array.ravel().tolist()])
    flat = array.ravel()  # contiguous, which orjson needs
    if not flat.dtype.isnative:
        flat = flat.astype(flat.dtype.newbyteorder("="))
    return orjson.dumps(flat, option=_NUMPY)


def _text(item: Any) -> Any:
    if isinstance(item, bytes):
        return item.decode("utf-8", "replace")
    if isinstance(item, str):
        try:
            item.encode()
        except UnicodeEncodeError:
            return item.encode("utf-8", "replace").decode()
        return item
    return item if item is None or isinstance(item, bool | int | float) else str(item)


def _raw(array: Array) -> bytes | memoryview:
    if array.dtype.kind in "OUS":
        return to_bytes(array)
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return little.reshape(-1).view(np.uint8).data if little.size else b""


def _raw_names(
    asked: Sequence[Asked] | None, outputs: Mapping[str, Array], binary: bool
) -> frozenset[str]:
    names = set(outputs) if binary else set()
    for one in asked or ():
        wish = (one.parameters or {}).get("binary_data")
        if wish is True:
            names.add(one.name)
        elif wish is False:
            names.discard(one.name)
    return frozenset(names)
