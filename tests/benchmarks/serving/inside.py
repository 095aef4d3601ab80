"""Processor time of a request inside the process: without sockets, beyond the model and an echo.

Everything that a request passes is there: the door, accounts, routes, checks, the log, metrics.
The echo is an ASGI callable that reads the same body and answers; the model is the bare call of
its library.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
from tests.benchmarks.serving.ours import ask_infer

import modelyard
from modelyard.core.deployment import Limits
from modelyard.registry.access import first_account
from modelyard.server.alone import wished_for
from modelyard.server.door import Door
from modelyard.server.settings import Settings
from modelyard.serving.app import PlaneApp
from modelyard.serving.engines.embedded import Embedded
from modelyard.serving.gates import AccountsGate
from modelyard.serving.life import Life
from modelyard.serving.plane import Plane
from modelyard.serving.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from tests.benchmarks.serving.models import Models

    from modelyard.core.deployment import Deployment

__all__ = ["Costs", "costs"]

_COUNT, _ROUNDS = 4_000, 7


@dataclass(frozen=True, slots=True)
class Costs:
    """Microseconds of processor time per request."""

    whole: float
    model: float
    echo: float

    @property
    def beyond(self) -> float:
        return self.whole - self.model - self.echo


@dataclass(slots=True)
class _Wishes:
    """What is to be served, told once."""

    wished: Sequence[Deployment] | None

    def poll(self) -> Sequence[Deployment] | None:
        wished, self.wished = self.wished, None
        return wished

    def beat(self, statuses: object) -> None:
        """Nobody listens."""

    def fell_back(self, line: object, slot: object, heir: object) -> None:
        """Nobody listens."""


def costs(yard: Path, models: Models) -> Costs:
    """Of the small ONNX model, one row, JSON; the medians of rounds in turns."""
    return asyncio.run(_costs(yard, models))


async def _costs(folder: Path, models: Models) -> Costs:
    with modelyard.open(folder) as yard:
        house: Any = yard.house  # type: ignore[attr-defined]
        token = first_account(house) or yard.tokens.create("bench").secret  # type: ignore[attr-defined]
        wished = wished_for([yard.resolve("bench/onx", None)], limits=Limits())
        plane = Plane(AccountsGate(house))
        slots = Slots({"embedded": lambda: Embedded(yard.desk, died=slots.died)})  # type: ignore[attr-defined]
        life = Life(plane, slots, _Wishes(list(wished.values())), server="bench")
        plane.recorder.start()
        life.start()
        await life.settled()
        (name,) = plane.lines
        app = Door(PlaneApp(plane), None, Settings(accounts=True))
        asked = ask_infer(80, "onx", models.row, token, path=f"/v2/models/{name}/infer")
        head = {"host": "127.0.0.1", "content-type": "application/json", **asked.headers}
        headers = [(key.encode(), value.encode()) for key, value in head.items()]
        found: dict[str, list[float]] = {"whole": [], "echo": [], "model": []}
        try:
            status, body = await _once(app, asked.path, headers, asked.body)
            if status != 200:
                raise RuntimeError(body)
            for _ in range(_ROUNDS):
                for kind, served in (("whole", app), ("echo", _echo)):
                    found[kind].append(await _driven(served, asked.path, headers, asked.body))
                found["model"].append(_bare(models))
        finally:
            await plane.close()
            await life.close()
            plane.recorder.stop()
    return Costs(**{kind: median(took) for kind, took in found.items()})


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    body = (await receive())["body"]
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _scope(path: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(),
        "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1",
        "headers": list(headers), "client": ("127.0.0.1", 50000), "server": ("127.0.0.1", 80),
    }  # fmt: skip


async def _once(
    app: Any, path: str, headers: list[tuple[bytes, bytes]], body: bytes
) -> tuple[int, bytes]:
    got: list[Any] = []
    receive, _ = _ends(body)

    async def send(message: Any) -> None:
        got.append(message)

    await app(_scope(path, headers), receive, send)
    return got[0]["status"], got[1]["body"]


def _ends(body: bytes) -> tuple[Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]]:
    message = {"type": "http.request", "body": body, "more_body": False}

    async def receive() -> Any:
        return message

    async def send(_message: Any) -> None:
        return None

    return receive, send


async def _driven(app: Any, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> float:
    receive, send = _ends(body)
    for _ in range(200):
        await app(_scope(path, headers), receive, send)
    began = time.process_time()
    for n in range(_COUNT):
        await app(_scope(path, headers), receive, send)
        if n % 64 == 63:
            await asyncio.sleep(0)  # as often as sockets would be looked at
    return (time.process_time() - began) / _COUNT * 1e6


def _bare(models: Models) -> float:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(models.onnx("onx")), options)
    feed = {"X": np.array([models.row], "float32")}
    for _ in range(200):
        session.run(["label"], feed)
    began = time.process_time()
    for _ in range(_COUNT):
        session.run(["label"], feed)
    return (time.process_time() - began) / _COUNT * 1e6
