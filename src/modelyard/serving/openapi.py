"""The OpenAPI document of a deployment, made from what its version takes and gives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from modelyard.serving.bodies import ARROW, CSV, JSON
from modelyard.serving.feeding import plan_of
from modelyard.serving.oip.datatypes import name_of
from modelyard.serving.openapi_parts import (
    METADATA,
    OCTETS,
    REQUEST,
    RESPONSE,
    WRONG,
    Json,
    answer,
    envelope,
    flag,
    frame,
    get,
    schema_of,
    values_of,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.runtimes.tensors import TensorSpec
    from modelyard.serving.interface import Line, Served

__all__ = ["document", "sample_of"]

_MOST: Final = 4096
"""Values of an example that is shown."""


def document(line: Line, served: Served, base: str) -> Json:
    """OpenAPI 3.1 of one deployment as it is now.

    Args:
        base: What its paths begin with: `https://yard.example`, or a prefix, or nothing.
    """
    name = line.name
    paths = {
        f"/predict/{name}": {"post": _predict(served)},
        f"/predict/{name}/invocations": {"post": _invocations(served)},
        f"/v2/models/{name}/infer": {"post": _infer(served)},
        f"/v2/models/{name}": {"get": _metadata(served)},
        f"/v2/models/{name}/ready": {"get": _ready()},
    }
    told = (
        f"Version {served.number} of `{served.model}` answers now"
        + (", beside others that get a part of the requests." if len(line.slots) > 1 else ".")
        + " The header `x-modelyard-version` of an answer tells which it was."
    )
    return frame(name, f"{line.generation}.{served.number}", told, base, paths)


def sample_of(served: Served) -> Json:
    """A body of `/predict` with real values: the stored example, or else zeros."""
    plan, given = plan_of(served), served.example
    if not given or not all(spec.name in given for spec in plan.needed):
        return plan.sample()
    if plan.way == "whole":
        return {"inputs": {name: values_of(array) for name, array in given.items()}}
    first = {name: array[:1] for name, array in given.items()}
    if any(not len(array) for array in first.values()):
        return plan.sample()
    if plan.way == "matrix":
        return {"rows": values_of(first[plan.names[0]])}
    return {"records": [{s.name: values_of(first[s.name])[0] for s in plan.inputs
                         if s.name in first}]}  # fmt: skip


def _predict(served: Served) -> Json:
    plan, sample = plan_of(served), sample_of(served)
    content: Json = {JSON: {"schema": _bodies(served), "examples": {"example": {"value": sample}}}}
    if plan.way != "whole":
        content[CSV] = {"schema": {"type": "string", "description": "The first line has names."}}
        content["application/x-ndjson"] = {
            "schema": {"type": "string", "description": "A record in each line."}
        }
        content[ARROW] = {"schema": {"type": "string", "contentMediaType": ARROW}}
    row = {
        "type": "object", "required": [s.name for s in served.outputs],
        "properties": {s.name: schema_of(s, _row(s, served)) for s in served.outputs},
    }  # fmt: skip
    key = "predictions" if served.rows else "outputs"
    told: Json = {
        "type": "object", "required": ["model", "version", key],
        "properties": {
            "model": {"type": "string"}, "version": {"type": "integer"},
            key: {"type": "array", "items": row} if served.rows else row,
            "classes": {"type": "array", "description": "What the values of a row stand for."},
        },
    }  # fmt: skip
    answers: Json = {JSON: {"schema": told}}
    if served.rows:
        answers |= {CSV: {"schema": {"type": "string"}}, ARROW: {"schema": {"type": "string"}}}
    return {
        "summary": "Predict",
        "description": "Rows in, predictions out. `Accept` chooses JSON, CSV or Arrow.",
        "operationId": "predict",
        "requestBody": {"required": True, "content": content},
        "responses": {"200": answer("Predictions, one for each row", answers), **WRONG},
    }


def _bodies(served: Served) -> Json:
    """All shapes of a body that the version takes."""
    plan = plan_of(served)
    if plan.way == "whole":
        tensors = {s.name: schema_of(s, s.shape) for s in plan.inputs}
        return envelope("inputs", {"type": "object", "properties": tensors,
                                    "required": [s.name for s in plan.needed]})  # fmt: skip
    if plan.way == "matrix":
        only = plan.inputs[0]
        rows = {"type": "array", "minItems": 1, "items": schema_of(only, only.shape[1:])}
        return {"anyOf": [envelope("rows", rows), rows]}
    sides = {s.name: () if plan.way == "table" else s.shape[1:] for s in plan.inputs}
    parts = {s.name: schema_of(s, sides[s.name]) for s in plan.inputs}
    needed = [s.name for s in plan.needed]
    record = {"type": "object", "required": needed, "properties": parts}
    records = {"type": "array", "minItems": 1, "items": record}
    columns = {name: {"type": "array", "items": part} for name, part in parts.items()}
    return {"anyOf": [
        envelope("records", records), records, record,
        envelope("rows", {"type": "array", "items": {
            "type": "array", "minItems": len(sides), "maxItems": len(sides)}}),
        envelope("columns", {"type": "object", "properties": columns,
                              "required": needed}),
    ]}  # fmt: skip


def _invocations(served: Served) -> Json:
    sample, plan = sample_of(served), plan_of(served)
    if plan.way == "whole":
        example: Json = {"inputs": sample["inputs"]}
    elif plan.way == "matrix":
        example = {"instances": sample["rows"]}
    else:
        example = {"dataframe_records": sample["records"]}
    kinds = {"dataframe_split": "object", "dataframe_records": "array", "instances": "array"}
    shapes: list[Json] = [envelope(key, {"type": kind}) for key, kind in kinds.items()]
    shapes.append(envelope("inputs", {"type": ["array", "object"]}))
    return {
        "summary": "Predict, as MLflow's servers do",
        "operationId": "invocations",
        "requestBody": {"required": True, "content": {
            JSON: {"schema": {"oneOf": shapes}, "examples": {"example": {"value": example}}},
            CSV: {"schema": {"type": "string"}},
        }},
        "responses": {"200": answer("Predictions", {JSON: {"schema": {
            "type": "object", "required": ["predictions"],
            "properties": {"predictions": {}}}}}), **WRONG},
    }  # fmt: skip


def _infer(served: Served) -> Json:
    inputs = []
    for spec in served.inputs:
        array = (served.example or {}).get(spec.name)
        if array is None:
            if spec.optional:
                continue
            shape = [max(side, 1) for side in spec.shape]
            data: list[Any] = ["text" if spec.dtype in ("string", "bytes") else 0]
            data *= min(math.prod(shape), _MOST)
        else:
            array = array[:1] if served.rows else array
            shape, data = list(array.shape), values_of(array.ravel()[:_MOST])
        inputs.append({"name": spec.name, "shape": shape, "datatype": name_of(spec.dtype),
                       "data": data})  # fmt: skip
    return {
        "summary": "Predict, by the Open Inference Protocol",
        "operationId": "infer",
        "requestBody": {"required": True, "content": {
            JSON: {"schema": REQUEST, "examples": {"example": {"value": {"inputs": inputs}}}},
            **OCTETS,
        }},
        "responses": {"200": answer("Outputs", {JSON: {"schema": RESPONSE}}), **WRONG},
    }  # fmt: skip


def _metadata(served: Served) -> Json:
    def told(specs: Sequence[TensorSpec]) -> list[Json]:
        return [{"name": s.name, "datatype": name_of(s.dtype), "shape": list(s.shape)}
                for s in specs]  # fmt: skip

    example = {"platform": served.platform, "inputs": told(served.inputs),
               "outputs": told(served.outputs)}  # fmt: skip
    return {
        "summary": "Inputs and outputs", "operationId": "metadata",
        "responses": {"200": answer("Names, datatypes and shapes", {JSON: {
            "schema": METADATA, "examples": {"now": {"value": example}}}}), **WRONG},
    }  # fmt: skip


def _ready() -> Json:
    return {**get("Whether it answers", flag("ready")), "operationId": "ready"}


def _row(spec: TensorSpec, served: Served) -> tuple[int, ...]:
    return spec.shape[1:] if served.rows else spec.shape
