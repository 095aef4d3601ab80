"""The OpenAPI document of all that a server serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.serving.bodies import JSON
from modelyard.serving.openapi_parts import (
    METADATA,
    OCTETS,
    REQUEST,
    RESPONSE,
    WRONG,
    Json,
    answer,
    flag,
    frame,
    get,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelyard.serving.interface import Line

__all__ = ["overview"]


def overview(lines: Iterable[Line], base: str) -> Json:
    """OpenAPI 3.1 of what a server serves: the Open Inference Protocol, whatever the model."""
    names = sorted(line.name for line in lines)
    model: Json = {
        "name": "model", "in": "path", "required": True, "schema": {"type": "string"},
        "description": "The name of a deployment.",
    }  # fmt: skip
    if names:
        model["examples"] = {name: {"value": name} for name in names[:50]}
    version = {
        "name": "version", "in": "path", "required": True, "schema": {"type": "string"},
        "description": "The number of a version that the deployment has.",
    }  # fmt: skip
    paths: Json = {
        "/v2": {"get": get("What this server is", {"type": "object"})},
        "/v2/health/live": {"get": get("Whether it lives", flag("live"))},
        "/v2/health/ready": {"get": get("Whether it takes requests", flag("ready"))},
    }
    for path, parameters in (
        ("/v2/models/{model}", [model]),
        ("/v2/models/{model}/versions/{version}", [model, version]),
    ):
        paths[path] = {"get": get("Inputs and outputs", METADATA)}
        paths[f"{path}/ready"] = {"get": get("Whether it answers", flag("ready"))}
        paths[f"{path}/stats"] = {"get": get("Counts and times", {"type": "object"})}
        paths[f"{path}/infer"] = {
            "post": {
                "summary": "Predict",
                "requestBody": {
                    "required": True, "content": {JSON: {"schema": REQUEST}, **OCTETS},
                },
                "responses": {"200": answer("Outputs", {JSON: {"schema": RESPONSE}}), **WRONG},
            }
        }  # fmt: skip
        for entry in (path, f"{path}/ready", f"{path}/stats", f"{path}/infer"):
            paths[entry]["parameters"] = parameters
    paths["/v2/repository/index"] = {
        "post": {
            "summary": "List what is served",
            "requestBody": {"content": {JSON: {"schema": {
                "type": "object", "properties": {"ready": {"type": "boolean"}}}}}},
            "responses": {"200": answer("Models with their versions and states", {
                JSON: {"schema": {"type": "array", "items": {"type": "object"}}}}), **WRONG},
        }
    }  # fmt: skip
    told = "The Open Inference Protocol, version 2. " + (
        f"Served now: {', '.join(names[:50])}." if names else "Nothing is served now."
    )
    return frame("modelyard", "2", told, base, paths)
