"""A server that is killed at random moments under load loses nothing that it acknowledged."""

from __future__ import annotations

import random
import signal
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.server.clients import Client, Known, work_together
from tests.server.running import running

from modelyard.errors import NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.client.remote import RemoteYard

__all__ = ["Kills", "kill_often"]

_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Kills:
    """What so many deaths left."""

    kills: int
    acknowledged: int
    wrong: list[str]


def kill_often(folder: Path, times: int, *, seed: int = 1, clients: int = 4) -> Kills:
    """Kill the server of a new yard so often, each time in the midst of work, and look after."""
    known, moments = Known(), random.Random(seed)
    port = _free_port()
    people: list[Client] = []
    over = threading.Event()
    worker = threading.Thread(target=lambda: work_together(people, over.is_set))
    try:
        for _kill in range(times):
            with running(folder, port=port) as server:
                if not people:
                    people += [
                        Client(server.url, server.token, number, known, patient=True)
                        for number in range(clients)
                    ]
                    worker.start()
                _work(known, moments.uniform(0.05, 0.6))
                server.process.send_signal(signal.SIGKILL)
                server.process.wait()
        with running(folder, port=port):
            time.sleep(1.0)
            over.set()
            worker.join()
            yard = people[0].yard
            wrong = known.errors + known.missing(yard)
            wrong += [
                f"{model}: champion points at {found}, not at one of {may}"
                for model, may in known.aliases.items()
                if (found := _champion(yard, model)) not in may
            ]
            wrong += [str(damage) for damage in yard.verify().damage]
    finally:
        over.set()
        for person in people:
            person.close()
    return Kills(times, len(known.versions), wrong)


def _work(known: Known, seconds: float) -> None:
    """Let clients work so long; on a busy machine until a version more was acknowledged."""
    before, end = len(known.versions), time.monotonic() + _PATIENCE
    time.sleep(seconds)
    while len(known.versions) == before and time.monotonic() < end:
        time.sleep(0.01)


def _champion(yard: RemoteYard, model: str) -> int | None:
    try:
        return yard.resolve(model, "champion").number
    except NotFound:
        return None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
