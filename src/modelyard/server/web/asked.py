"""What pages ask of the data plane in this process: an example, the last requests, a prediction."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from anyio import from_thread

from modelyard.core.deployment import Deployment
from modelyard.server.request_log import seen_by

if TYPE_CHECKING:
    from modelyard.server.state import Ask
    from modelyard.serving.interface import Served
    from modelyard.serving.plane import Plane

__all__ = ["Asked", "Reply", "example_of", "last_requests", "neat", "predict", "protocol_example"]

_WIDE: Final = 96
"""Letters of a line of JSON, from which it is broken."""
_LARGEST: Final = 60_000
"""Letters of an example, or of an answer, that a page shows."""
_OWN: Final = frozenset({b"cookie", b"authorization", b"sec-fetch-site", b"origin", b"host"})
"""Headers of the page's request that say who asks."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that this server answered lately."""

    time: datetime
    request: str
    """Its id."""
    client: str
    """Who asked."""
    model: str
    version: str
    """Which version answered; empty if none was found."""
    rows: int
    batch: int
    """Rows that were computed together."""
    seconds: float
    error: str
    """The kind of what went wrong; empty if nothing did."""
    is_copy: bool
    """Whether it was a shadow's copy."""
    inputs: str
    """As JSON, of requests that are sampled, for who may change the deployment."""
    outputs: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What the deployment answered to somebody who tried it."""

    sent: str
    """The body."""
    version: str
    """Which version was asked for; empty: whichever the shares say."""
    status: int
    by: str
    """Number of the version that answered; empty if none did."""
    seconds: float
    text: str
    """The answer, as JSON that people can read."""


def example_of(ask: Ask, deployment: Deployment) -> str:
    """A body of `/predict` with what the stable version was tried with; empty if it sleeps."""
    served = _served(ask, deployment)
    if served is None:
        return ""
    from modelyard.serving.openapi import sample_of

    text = neat(sample_of(served))
    return text if len(text) <= _LARGEST else ""


def protocol_example(ask: Ask, deployment: Deployment) -> tuple[tuple[str, str, str], ...]:
    """Names, datatypes and shapes of inputs, for code that is copied."""
    served = _served(ask, deployment)
    if served is None:
        return ()
    from modelyard.serving.oip.datatypes import name_of

    return tuple(
        (spec.name, name_of(spec.dtype), str([max(side, 1) for side in spec.shape]))
        for spec in served.inputs
    )


def last_requests(ask: Ask, deployment: Deployment, limit: int) -> tuple[Asked, ...]:
    """The newest first; of versions whose model the caller may read."""
    plane = _plane(ask)
    if plane is None:
        return ()
    told = plane.recorder.tail(deployment.name, limit)
    return tuple(map(_asked, seen_by(ask.caller, deployment.spec, told)))


def predict(ask: Ask, name: str, version: str, body: str) -> Reply | None:
    """Ask as anybody would, with the session of who looks at the page; None without a plane."""
    serving = ask.server.parts.get("serving")
    if serving is None:
        return None
    path = f"/predict/{quote(name)}" + (f"/versions/{quote(version, safe='')}" if version else "")
    begun = time.perf_counter()
    send = partial(_through, serving.app, ask.request.scope, path, body.encode())
    status, headers, content = from_thread.run(send)
    return Reply(
        body, version, status, headers.get(b"x-modelyard-version", b"").decode("latin-1"),
        time.perf_counter() - begun, _readable(content),
    )  # fmt: skip


def neat(value: Any, indent: int = 0) -> str:
    """JSON for people: what fits in a line stands in one."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= _WIDE or not isinstance(value, list | dict) or not value:
        return flat
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [f"{json.dumps(k, ensure_ascii=False)}: {neat(v, indent + 2)}"
                 for k, v in value.items()]  # fmt: skip
        opened, closed = "{", "}"
    else:
        if not any(isinstance(one, list | dict) for one in value):
            return flat
        parts, (opened, closed) = [neat(one, indent + 2) for one in value], "[]"
    joined = f",\n{inner}".join(parts)
    return f"{opened}\n{inner}{joined}\n{' ' * indent}{closed}"


async def _through(app: Any, shown: Any, path: str, body: bytes) -> tuple[int, Any, bytes]:
    """One request to the data plane, without a way over the network."""
    headers = [(name, value) for name, value in shown["headers"] if name in _OWN]
    headers += [(b"content-type", b"application/json"), (b"accept", b"application/json"),
                (b"content-length", str(len(body)).encode())]  # fmt: skip
    scope = {**shown, "path": path, "raw_path": path.encode(), "query_string": b"",
             "method": "POST", "headers": headers}  # fmt: skip
    answered: dict[str, Any] = {}
    pieces: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answered.update(status=message["status"], headers=dict(message["headers"]))
        else:
            pieces.append(message.get("body", b""))

    await app(scope, receive, send)
    return answered["status"], answered["headers"], b"".join(pieces)


def _readable(content: bytes) -> str:
    try:
        text = neat(json.loads(content))
    except ValueError:
        text = content.decode("utf-8", "replace")
    return text if len(text) <= _LARGEST else f"{text[:_LARGEST]} ..."


def _plane(ask: Ask) -> Plane | None:
    serving = ask.server.parts.get("serving")
    return None if serving is None else serving.plane


def _served(ask: Ask, deployment: Deployment) -> Served | None:
    """The stable version as this process has it loaded, or another one if that one sleeps."""
    plane = _plane(ask)
    line = plane.lines.get(deployment.name) if plane else None
    return next((s.served for s in line.slots if s.served), None) if line else None


def _asked(told: dict[str, Any]) -> Asked:
    return Asked(
        time=datetime.fromtimestamp(told["time"], UTC), request=told["request"],
        client=told["client"], model=told["model"] or "", version=told["version"] or "",
        rows=told["rows"], batch=told["batch"], seconds=told["seconds"],
        error=told["error"] or "", is_copy=told["shadow"], inputs=_shown(told.get("inputs")),
        outputs=_shown(told.get("outputs")),
    )  # fmt: skip


def _shown(tensors: dict[str, Any] | None) -> str:
    return "" if tensors is None else neat({name: one["data"] for name, one in tensors.items()})
