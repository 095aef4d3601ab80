"""For schemathesis: how bodies of our own types are sent, and from where."""

from __future__ import annotations

import itertools
from typing import Any

import schemathesis

_COUNT = itertools.count()


def _as_bytes(context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


for kind in (
    "application/x-tar", "application/vnd.msgpack", "application/msgpack",
    "application/vnd.modelyard.commit",
):  # fmt: skip
    schemathesis.serializer(kind)(_as_bytes)


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: Any) -> None:
    """Tuples as lists: `prefixItems` becomes what no 2020-12 schema may have, and is refused."""
    if isinstance(raw_schema, dict):
        if "prefixItems" in raw_schema:
            raw_schema["items"] = {"anyOf": raw_schema.pop("prefixItems")}
        raw_schema = list(raw_schema.values())
    if isinstance(raw_schema, list):
        for part in raw_schema:
            before_load_schema(context, part)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Each request has another address, or wrong tokens would be too many from one."""
    number = next(_COUNT)
    case.headers = {
        **(case.headers or {}),
        "X-Forwarded-For": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
    }
