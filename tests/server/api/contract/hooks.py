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
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Each request has another address, or wrong tokens would be too many from one."""
    number = next(_COUNT)
    case.headers = {
        **(case.headers or {}),
        "X-Forwarded-For": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
    }
