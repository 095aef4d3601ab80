"""Processor time of HTTP itself: our protocol beside uvicorn's, with sockets that only count."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Any

import uvicorn
import uvloop
from tests.benchmarks.serving.programs.served_echo import app
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from modelyard.server.protocol import bounded

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["costs", "garbage"]

_CONNECTIONS, _TURNS, _ROUNDS = 64, 60, 9
_REQUEST = (
    b"POST /v2/models/onx/infer HTTP/1.1\r\nhost: 127.0.0.1:8000\r\n"
    b"content-type: application/json\r\nauthorization: Bearer yard_1_0123456789abcdef\r\n"
    b"content-length: 400\r\n\r\n" + b" " * 400
)


class _Counter:
    """A transport that counts what is written to it."""

    def __init__(self) -> None:
        self.writes = 0

    def write(self, data: bytes) -> None:
        self.writes += 1

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str) -> None:
        return None

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None: ...


def costs() -> dict[str, float]:
    """Microseconds per request, `uvicorn` and `ours`; the best of rounds in turns."""
    kinds = {"uvicorn": HttpToolsProtocol, "ours": bounded(64 << 10, 15.0)}
    best = dict.fromkeys(kinds, 1e9)
    for _ in range(_ROUNDS):
        for name, kind in kinds.items():
            best[name] = min(best[name], uvloop.run(_driven(kind)))
    return best


def garbage(requests: int = 100) -> int:
    """Objects that so many requests leave to the collector."""
    return uvloop.run(_left(bounded(64 << 10, 15.0), requests))


async def _driven(kind: Any) -> float:
    connections = _opened(kind, _CONNECTIONS)
    await _turns(connections, 10)
    began = time.process_time()
    await _turns(connections, _TURNS)
    took = time.process_time() - began
    _close(connections)
    return took / _TURNS / _CONNECTIONS * 1e6


async def _left(kind: Any, requests: int) -> int:
    connections = _opened(kind, 1)
    await _turns(connections, 5)
    gc.collect()
    gc.disable()
    try:
        await _turns(connections, requests)
        return gc.collect()
    finally:
        gc.enable()
        _close(connections)


def _opened(kind: Any, count: int) -> Sequence[Any]:
    config = uvicorn.Config(
        app, http=kind, ws="none", lifespan="off", access_log=False, log_config=None
    )
    config.load()
    state = ServerState()
    found = [kind(config=config, server_state=state, app_state={}) for _ in range(count)]
    for connection in found:
        connection.connection_made(_Counter())
    return found


async def _turns(connections: Sequence[Any], count: int) -> None:
    before = sum(connection.transport.writes for connection in connections)
    for _ in range(count):
        for connection in connections:
            connection.data_received(_REQUEST)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    written = sum(connection.transport.writes for connection in connections) - before
    assert written >= 2 * count * len(connections), written


def _close(connections: Sequence[Any]) -> None:
    for connection in connections:
        connection.connection_lost(None)
