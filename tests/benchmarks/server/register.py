"""Registering a version of a small model through HTTP: alone, and by eight writers; MLflow beside.

Our version is durable when it is acknowledged, with its bytes in the store; MLflow registers a row
about bytes that are elsewhere, and does not sync. The limit for one is two fsyncs of this disk and
8 ms.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.store import venvs
from tests.benchmarks.store.checks import Check
from tests.server.running import running

from modelyard.client.remote import RemoteYard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["register"]

_ALONE = 200
_WRITERS = 8
_EACH = 60


def register(work: Path, *, peers: bool) -> Iterator[Check]:
    """Milliseconds of one, versions a second of eight."""
    with tempfile.TemporaryDirectory(dir=work) as place:
        sync = fsync(Path(place))
        with running(Path(place) / "yard") as server:
            yards = [RemoteYard.at(server.url, token=server.token) for _ in range(_WRITERS)]
            alone, crowd = _measured([_committer(y, Path(place), i) for i, y in enumerate(yards)])
            for yard in yards:
                yard.close()
    note = f"an fsync takes {sync * 1e3:.2f} ms here"
    limit = 2 * sync * 1e3 + 8
    yield Check("register", "one version, p50", alone * 1e3, limit, "ms", note=note)
    yield Check("register", "eight writers", crowd, 200, "/s", at_least=True)
    if peers:
        theirs, their_crowd = _mlflow(work)
        yield Check("register", "one row in MLflow, p50", theirs * 1e3, None, "ms")
        yield Check("register", "eight writers in MLflow", their_crowd, None, "/s")


def fsync(place: Path) -> float:
    """Seconds that a small append takes to be durable here, median of many."""
    took = []
    with (place / "probe").open("wb") as file:
        for _ in range(100):
            started = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - started)
    return median(took)


def _committer(yard: RemoteYard, place: Path, number: int) -> Callable[[int], None]:
    def commit(turn: int) -> None:
        file = place / f"w{number}.json"
        file.write_text(json.dumps({"coef": [number, turn], "intercept": 0.5}))
        yard.commit(f"m{number}", file, message=f"turn {turn}")

    return commit


def _measured(writers: list[Callable[[int], None]]) -> tuple[float, float]:
    """Seconds of one call (median), and calls a second of all writers at once."""
    for turn, writer in enumerate(writers):
        writer(-1 - turn)  # connections, imports
    took = []
    for turn in range(_ALONE):
        started = time.perf_counter()
        writers[0](turn)
        took.append(time.perf_counter() - started)

    def work(writer: Callable[[int], None]) -> None:
        for turn in range(_ALONE, _ALONE + _EACH):
            writer(turn)

    threads = [threading.Thread(target=work, args=(writer,)) for writer in writers]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return median(took), len(writers) * _EACH / (time.perf_counter() - started)


# -- MLflow ------------------------------------------------------------------------------------


def _mlflow(work: Path) -> tuple[float, float]:
    with _mlflow_server(work) as url:
        for number in range(_WRITERS):
            _post(url, "registered-models/create", {"name": f"m{number}"})
        return _measured([_registrar(url, number) for number in range(_WRITERS)])


def _registrar(url: str, number: int) -> Callable[[int], None]:
    def create(turn: int) -> None:
        _post(url, "model-versions/create", {"name": f"m{number}", "source": f"s3://b/{turn}"})

    return create


def _post(url: str, path: str, content: dict[str, str]) -> None:
    request = urllib.request.Request(
        f"{url}/api/2.0/mlflow/{path}", json.dumps(content).encode(),
        {"Content-Type": "application/json"},
    )  # fmt: skip
    urllib.request.urlopen(request, timeout=60).read()


@contextmanager
def _mlflow_server(work: Path) -> Iterator[str]:
    program = venvs.command_of(work, "mlflow-server", "mlflow")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    environ = {
        **os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true",
    }  # fmt: skip
    with tempfile.TemporaryDirectory(dir=work) as place:
        process = subprocess.Popen(
            [program, "server", "--port", str(port), "--workers", "1",
             "--backend-store-uri", f"sqlite:///{place}/mlflow.db"],
            cwd=place, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).read()
                    break
                except (urllib.error.URLError, OSError):
                    time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)
