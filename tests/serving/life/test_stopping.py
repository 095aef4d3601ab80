"""A server that is told to stop ends soon, whatever hangs: a worker, or a load."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
from tests.server.running import running
from tests.serving.life.here import here, plus, spec_of

from modelyard.core.deployment import Limits
from modelyard.registry import create, open_yard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

ROW = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [0.5]}]}
ALONE = """
import sys
from modelyard.core.deployment import Limits
from modelyard.registry import open_yard
from modelyard.server.alone import serve_alone, wished_for
from modelyard.server.settings import Settings

with open_yard(sys.argv[1]) as yard:
    limits = Limits(deadline=600)
    wished = wished_for([yard.resolve("m", 1)], placement="process", limits=limits)
    settings = Settings(port=0, accounts=False, stop_seconds=2, logs="warnings")
    serve_alone(
        yard.desk, wished, settings, house=None,
        announce=lambda begun: print(begun.url, flush=True),
    )
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("stopping")
    with create(place / "yard") as yard:
        yard.commit("m", plus(place / "m", 1))
    return place / "yard"


def test_a_worker_that_hangs_is_killed_when_all_is_unloaded(folder: Path) -> None:
    async def work() -> None:
        limits = Limits(deadline=600)
        async with here(yard) as one:
            others = set(children_of(os.getpid()))  # of tests that ran before in this process
            await one.deploy(spec_of("own", "m@1", placement="process", limits=limits))
            (pid,) = set(children_of(os.getpid())) - others
            os.kill(pid, signal.SIGSTOP)
            asked = asyncio.create_task(one.ask("own"))
            served = one.plane.lines["own"].slots[0].served
            assert served is not None
            await one.until(lambda: served.under_way == 1)
            began = time.monotonic()
        assert time.monotonic() - began < 8
        assert (await asked).status == 503

    with open_yard(folder) as yard:
        asyncio.run(work())


def test_a_server_of_versions_stops_though_a_worker_hangs(folder: Path) -> None:
    with alone(folder) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        (pid,) = children_of(process.pid)
        os.kill(pid, signal.SIGSTOP)
        thread = threading.Thread(target=ask, args=(url,))
        thread.start()
        time.sleep(0.5)
        assert stopped(process) < 15
        assert not Path(f"/proc/{pid}").exists()
        thread.join()


def test_a_server_of_versions_stops_while_it_loads_for_the_first_time(folder: Path) -> None:
    with alone(folder) as process, hung_child(process.pid):
        assert stopped(process) < 5
        assert process.returncode == 0


def test_a_server_of_deployments_stops_while_one_is_loaded(folder: Path) -> None:
    with running(folder, accounts=False) as one, one.client() as client:
        shares = [{"model": "m", "revision": "1"}]
        asked = {"shares": shares, "placement": "process"}
        assert client.put("/api/v1/deployments/own", json=asked).status_code == 200
        with hung_child(one.process.pid):
            assert stopped(one.process) < 15
        assert one.process.returncode == 0
        assert "Traceback" not in one.log_text()


def alone(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", ALONE, str(folder)], stdout=subprocess.PIPE, text=True
    )


def ask(url: str) -> None:
    with suppress(httpx2.TransportError):
        httpx2.post(f"{url}/v2/models/m/infer", json=ROW, timeout=60)


def stopped(process: subprocess.Popen[str]) -> float:
    """Told to stop; how long it took."""
    began = time.monotonic()
    process.terminate()
    try:
        process.wait(40)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return time.monotonic() - began


@contextmanager
def hung_child(parent: int) -> Iterator[None]:
    """The first worker of a process is stopped before it could answer, as long as this lasts."""
    until(lambda: bool(children_of(parent)), 30)
    pid = children_of(parent)[0]
    command = Path(f"/proc/{pid}/cmdline")
    until(lambda: b"runtimes.child" in command.read_bytes())  # no copy of its parent
    handle = os.pidfd_open(pid)
    signal.pidfd_send_signal(handle, signal.SIGSTOP)
    try:
        time.sleep(0.3)
        yield
    finally:
        with suppress(ProcessLookupError):  # so early it may not have asked to end with its parent
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        os.close(handle)


def children_of(parent: int) -> list[int]:
    found: list[int] = []
    for each in Path(f"/proc/{parent}/task").iterdir():
        with suppress(OSError):
            found += map(int, (each / "children").read_text().split())
    return found


def until(what: Callable[[], bool], seconds: float = 5.0) -> None:
    limit = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < limit, "it did not come"
        time.sleep(0.005)
