"""The OpenAPI document: what FastAPI derives, with our problems and ways to sign in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi

from modelyard.core.wire import encode
from modelyard.server.routing import STRUCTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI

__all__ = ["PROBLEM", "document"]

PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "An error, as RFC 9457 has it.",
    "required": ["title", "status", "detail", "kind"],
    "properties": {
        "title": {
            "type": "string",
            "description": "Group of the error: InvalidInput, NotFound, Conflict, Denied, ...",
        },
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "A sentence for people; it may change."},
        "kind": {"type": "string", "description": "A word to program against; it never changes."},
        "hint": {"type": "string", "description": "What to try next."},
        "instance": {"type": "string", "description": "Id of the request, as in the log."},
    },
    "example": {
        "title": "NotFound", "status": 404, "detail": "there is no model 'vision/resnet'",
        "kind": "no-model", "hint": "yard list shows all", "instance": "5f0c2b7a9d3e4f16",
    },
}  # fmt: skip

_SCHEMES = {
    "token": {
        "type": "http", "scheme": "bearer",
        "description": "A token, as `yard token` makes them: `Authorization: Bearer TOKEN`.",
    },
    "password": {
        "type": "http", "scheme": "basic",
        "description": "The name of an account with its password or a token, as git sends it.",
    },
    "cookie": {
        "type": "apiKey", "in": "cookie", "name": "yard_session",
        "description": "What /login sets in a browser.",
    },
}  # fmt: skip


def document(app: FastAPI, endpoints: Sequence[Any]) -> bytes:
    """JSON of the whole API."""
    told: dict[str, Any] = get_openapi(
        title="modelyard", version=app.version, openapi_version="3.1.0", routes=app.routes,
        summary="Models: stored, versioned, found, compared.",
        description=(
            "In a path a model, a revision or a file is one segment: its `/` is written `%2F`."
            " Every error is a Problem. Writes may carry an `Idempotency-Key`: the same key with"
            " the same request is answered as the first time, for a day."
        ),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )  # fmt: skip
    order = list(dict.fromkeys(route.path_format for route in endpoints))
    told["paths"] = dict(sorted(told["paths"].items(), key=lambda item: order.index(item[0])))
    parts = told.setdefault("components", {})
    parts["schemas"] = {**STRUCTS, **parts.get("schemas", {}), "Problem": PROBLEM}
    parts["securitySchemes"] = _SCHEMES
    for operation, needs in _operations(told, endpoints):
        if needs.what == "public":
            operation["security"] = []
        else:
            operation["security"] = [{name: []} for name in _SCHEMES]
            operation["x-needs"] = needs.what if needs.role == "none" else needs.role
    return encode(told)


def _operations(told: dict[str, Any], endpoints: Sequence[Any]) -> list[tuple[dict[str, Any], Any]]:
    found = []
    for route in endpoints:
        path = told["paths"].get(getattr(route, "path_format", None), {})
        found += [
            (path[method.lower()], route.endpoint.needs)
            for method in getattr(route, "methods", None) or ()
            if method.lower() in path
        ]
    return found
