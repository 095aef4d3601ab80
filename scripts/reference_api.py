"""The page of the REST API, from its OpenAPI document."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["api_page"]

_METHODS = ("get", "put", "post", "patch", "delete")

_INTRODUCTION = """\
# The REST API

This page is made from the code by `make docs`. A server answers the same, with every schema, under
`/openapi.json`.

- All paths begin with the server's address. In a path, a model, a revision, a ref or a file is one
  segment: write its `/` as `%2F`, as in `/api/v1/models/vision%2Fresnet`.
- Say who you are with `Authorization: Bearer TOKEN` ([access](../guides/access.md)). "Needs" tells
  which role an operation takes: of the model in its path, or else of the whole yard. A model that
  you may not read is answered like one that is not there.
- A revision `-` is the tip of `main`, or else the latest version.
- Long lists come in pages: `{"items": [...], "next": "..."}`; give `next` as `after` for more.
- Every error is a problem (RFC 9457) with a `kind` to program against ([all](errors.md)).
- A write may carry an `Idempotency-Key`: sent again, it is answered as the first time, for a day.
- What may take long is a job: with `Prefer: respond-async, wait=SECONDS` the answer is the result
  if it is there in time, else 202 with the job, which `GET /api/v1/jobs/{job}` tells of.
"""

_WHAT = {
    "public": "nothing", "signed-in": "an account", "yard": "nothing: shows what one may read",
}  # fmt: skip


def api_page() -> str:
    """The page of all operations, by tag."""
    told = _document()
    schemas = told["components"]["schemas"]
    parts = [_INTRODUCTION]
    by_tag: dict[str, list[str]] = {}
    for path, method, operation in _operations(told):
        tag = operation["tags"][0]
        by_tag.setdefault(tag, []).append(_section(path, method, operation, schemas))
    for tag in sorted(by_tag):
        parts.append(f"## {tag.capitalize()}\n")
        parts += by_tag[tag]
    return "\n".join(parts)


def _document() -> dict[str, Any]:
    from modelyard.registry.local import LocalYard
    from modelyard.server.app import make_app
    from modelyard.server.settings import Settings

    with tempfile.TemporaryDirectory() as place, LocalYard.create(Path(place) / "yard") as yard:
        app: Any = make_app(yard, Settings())
        while not hasattr(app, "state"):  # the layers around it
            app = app._app
        told: dict[str, Any] = json.loads(app.state.document())
    return told


def _operations(told: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in told["paths"].items():
        for method in _METHODS:
            if method in item:
                yield path, method, item[method]


def _section(
    path: str, method: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]
) -> str:
    lines = [f"### `{method.upper()} {path}`", "", _text(operation), "", _needs(operation)]
    if table := _parameters(operation):
        lines += ["", *table]
    if body := _body(operation, schemas):
        lines += ["", f"Body: {body}"]
    lines += ["", f"Answers: {_answers(operation)}", ""]
    return "\n".join(lines)


def _text(operation: Mapping[str, Any]) -> str:
    """The docstring; its `Args:` stand in the table."""
    text: str = operation["description"].partition("\n\nArgs:")[0]
    return text.strip()


def _needs(operation: Mapping[str, Any]) -> str:
    needs = operation.get("x-needs", "public")
    return f"Needs: {_WHAT.get(needs, f'the role {needs}')}."


def _parameters(operation: Mapping[str, Any]) -> list[str]:
    rows = [
        f"| `{p['name']}` | {p['in']} | {_type(p['schema'])} | {_about(p)} |"
        for p in operation.get("parameters", [])
        if p["in"] != "path"
    ]
    return ["| parameter | in | type | |", "|---|---|---|---|", *rows] if rows else []


def _about(parameter: Mapping[str, Any]) -> str:
    text = parameter.get("description") or parameter["schema"].get("description", "")
    default = parameter["schema"].get("default")
    told = f" Default: `{json.dumps(default)}`." if default not in (None, "") else ""
    needed = " Must be given." if parameter.get("required") else ""
    return f"{' '.join(text.split())}{told}{needed}".strip()


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_type(s) for s in schema[key] if s != _NULL))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kind = schema.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


_NULL = {"type": "null"}


def _body(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    told = []
    for kind, body in content.items():
        schema = body.get("schema", {})
        schema = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
        fields = ", ".join(f"`{name}`" for name in schema.get("properties", {}))
        told.append(f"`{kind}`" + (f" with {fields}" if fields else f" ({_type(schema)})"))
    return ", or ".join(told)


def _answers(operation: Mapping[str, Any]) -> str:
    told = []
    for status, answer in operation["responses"].items():
        if int(status) >= 400:
            continue
        kinds = [
            _type(content.get("schema", {})) if kind == "application/json" else f"`{kind}`"
            for kind, content in answer.get("content", {}).items()
            if content
        ]
        told.append(f"{status}" + (f" {', '.join(kinds)}" if kinds else ""))
    return "; ".join(told) + "."
