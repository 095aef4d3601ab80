"""Pieces of OpenAPI documents: schemas of values and of the protocol's bodies."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.serving.bodies import JSON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.runtimes.tensors import TensorSpec
    from modelyard.serving.interface import Array

__all__ = [
    "ERROR", "METADATA", "OCTETS", "REQUEST", "RESPONSE", "WRONG", "Json", "answer", "envelope",
    "flag", "frame", "get", "schema_of", "values_of",
]  # fmt: skip

Json = dict[str, Any]

_BITS: Final = {"float32": "float", "float64": "double", "int32": "int32", "int64": "int64"}


def frame(title: str, version: str, told: str, base: str, paths: Json) -> Json:
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": told},
        "servers": [{"url": base or "/"}],
        "paths": paths,
        "components": {
            "schemas": {"Error": ERROR},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer",
                          "description": "A token of the yard; none with `yard serve --open`."},
            },
        },
        "security": [{"token": []}, {}],
    }  # fmt: skip


def get(summary: str, schema: Json) -> Json:
    told = answer(summary, {JSON: {"schema": schema}})
    return {"summary": summary, "responses": {"200": told, **WRONG}}


def answer(told: str, content: Json) -> Json:
    return {"description": told, "content": content}


def envelope(key: str, schema: Json) -> Json:
    return {"type": "object", "required": [key], "properties": {key: schema}}


def flag(name: str) -> Json:
    return {"type": "object", "properties": {name: {"type": "boolean"}}}


def schema_of(spec: TensorSpec, sides: Sequence[int]) -> Json:
    if sides:
        told: Json = {"type": "array", "items": schema_of(spec, sides[1:])}
        if sides[0] >= 0:
            told |= {"minItems": sides[0], "maxItems": sides[0]}
        return told
    if spec.dtype in ("string", "bytes"):
        return {"type": "string"}
    dtype = np.dtype(spec.dtype)
    if dtype.kind == "b":
        return {"type": "boolean"}
    if dtype.kind == "M":
        return {"type": "string", "format": "date-time"}
    if dtype.kind == "f":
        found: Json = {"type": ["number", "null"], "description": "`null` is a missing value."}
    else:
        bounds = np.iinfo(dtype)
        found = {"type": "integer", "minimum": int(bounds.min), "maximum": int(bounds.max)}
    return found | ({"format": _BITS[spec.dtype]} if spec.dtype in _BITS else {})


def values_of(array: Array) -> list[Any]:
    """As JSON has them: what is no number is null."""
    if array.ndim > 1:
        return [values_of(part) for part in array]
    if array.dtype.kind == "f":
        short = array.dtype.itemsize < 8  # as short as its own type allows
        return [(float(str(v)) if short else float(v)) if math.isfinite(v) else None
                for v in array]  # fmt: skip
    if array.dtype.kind == "M":
        return [str(v) for v in array]
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in array.tolist()]


ERROR: Final[Json] = {
    "type": "object", "required": ["error"],
    "properties": {
        "error": {"type": "string", "description": "A sentence for people; it may change."},
        "kind": {"type": "string", "description": "A word to program against."},
        "hint": {"type": "string", "description": "What to try next."},
    },
}  # fmt: skip
_SAID: Final[Json] = {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
WRONG: Final[Json] = {
    "400": answer("The body can't be read, or the model can't take it.", _SAID),
    "401": answer("Not signed in.", _SAID),
    "404": answer("There is no such deployment or version, or not for this caller.", _SAID),
    "413": answer("The body is too large.", _SAID),
    "429": answer("Too many requests of this client; Retry-After tells when to go on.", _SAID),
    "503": answer("Too much waits, or it is not loaded; Retry-After tells when.", _SAID),
    "504": answer("Its deadline passed before it was answered.", _SAID),
}
_TENSOR: Final[Json] = {
    "type": "object", "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "datatype": {"type": "string", "enum": [
            "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
            "FP16", "FP32", "FP64", "BYTES"]},
        "parameters": {"type": "object"},
        "data": {"type": "array", "description": "Flat or nested, by rows."},
    },
}  # fmt: skip
REQUEST: Final[Json] = {
    "type": "object", "required": ["inputs"],
    "properties": {
        "id": {"type": "string"}, "parameters": {"type": "object"},
        "inputs": {"type": "array", "items": _TENSOR},
        "outputs": {"type": "array", "items": {
            "type": "object", "required": ["name"],
            "properties": {"name": {"type": "string"}, "parameters": {"type": "object"}}}},
    },
}  # fmt: skip
RESPONSE: Final[Json] = {
    "type": "object", "required": ["model_name", "outputs"],
    "properties": {
        "model_name": {"type": "string"}, "model_version": {"type": "string"},
        "id": {"type": "string"}, "parameters": {"type": "object"},
        "outputs": {"type": "array", "items": _TENSOR},
    },
}  # fmt: skip
METADATA: Final[Json] = {
    "type": "object", "required": ["name", "platform", "inputs", "outputs"],
    "properties": {
        "name": {"type": "string"}, "platform": {"type": "string"},
        "versions": {"type": "array", "items": {"type": "string"}},
        "inputs": {"type": "array", "items": {"type": "object"}},
        "outputs": {"type": "array", "items": {"type": "object"}},
    },
}  # fmt: skip
OCTETS: Final[Json] = {
    "application/octet-stream": {"schema": {
        "type": "string", "contentMediaType": "application/octet-stream",
        "description": "JSON with raw tensors behind it (binary_tensor_data)."}}
}  # fmt: skip
