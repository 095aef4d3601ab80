"""The server's log: one line of JSON each, to stderr. No line holds a secret or a query."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from typing import Any

__all__ = ["begin", "request_line"]

_access = logging.getLogger("modelyard.access")
_REST = ("request", "route", "job", "hook")


class _Json(logging.Formatter):
    """Control characters are escaped by JSON, so that no line can look like two."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"time": _time(record.created), "level": record.levelname.lower()}
        fields = getattr(record, "fields", None)
        if fields is not None:
            line |= fields
        else:
            line["logger"], line["message"] = record.name, record.getMessage()
        line |= {name: getattr(record, name) for name in _REST if getattr(record, name, None)}
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["error"] = type(error).__name__
            line["trace"] = [
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(error.__traceback__)
            ]
        return json.dumps(line, default=str).replace("\x7f", "\\u007f")


def begin(how: str) -> None:
    """Write to stderr from now on: `json` everything, `warnings` only what went wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("modelyard", "modelyard.access"):
        logging.getLogger(name).setLevel(logging.INFO if how == "json" else logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
        logging.getLogger(name).setLevel(logging.ERROR)


def request_line(**fields: Any) -> None:
    """One request that was answered."""
    if _access.isEnabledFor(logging.INFO):
        _access.info("", extra={"fields": {"message": "request", **fields}})


def _time(seconds: float) -> str:
    parts = time.gmtime(seconds)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', parts)}.{int(seconds % 1 * 1000):03d}Z"
