"""Asking the data plane as uvicorn would, without a socket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from modelyard.serving.app import PlaneApp


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


async def ask(
    app: PlaneApp, method: str, path: str, body: bytes | dict[str, Any] = b"",
    parts: int = 1, **headers: str,
) -> Reply:  # fmt: skip
    """One request. Headers are written with `_` for `-`."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    size = -(-len(content) // parts) or 1
    pieces = [content[i : i + size] for i in range(0, len(content), size)] or [b""]
    queue = [
        {"type": "http.request", "body": piece, "more_body": i + 1 < len(pieces)}
        for i, piece in enumerate(pieces)
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        return queue.pop(0) if queue else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "client": ("127.0.0.1", 5),
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
    }  # fmt: skip
    await app(scope, receive, send)
    head = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return Reply(sent[0]["status"], head, sent[1]["body"])
