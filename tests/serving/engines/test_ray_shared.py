"""Two servers of one yard on one cluster that was there before: versions run once for both."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.serving.engines.running import running
from tests.serving.engines.zoo import fill

from modelyard.client.remote import RemoteYard
from modelyard.core.deployment import DeploymentSpec, Share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.heavy, pytest.mark.slow]


def test_versions_run_once_for_all_servers_and_end_with_the_last(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    folder = fill(tmp_path).folder
    with _cluster(tmp_path) as environment:
        with _server(folder, tmp_path / "a", environment) as (first, one):
            with _server(folder, tmp_path / "b", environment) as (second, two):
                with RemoteYard.at(one) as yard:
                    yard.deployments.apply(_spec(1))
                    _until(lambda: _ready(yard, 2))
                    assert len(_replicas()) == 1
                    yard.deployments.apply(_spec(2))
                    _until(lambda: _ready(yard, 2))
                    assert _answer(one) == _answer(two)
                second.send_signal(signal.SIGTERM)
                second.wait(60)
            assert _replicas(), "the other server still uses them"
            assert _answer(one)
            first.send_signal(signal.SIGTERM)
            first.wait(60)
        _until(lambda: not _replicas())


@contextmanager
def _cluster(scratch: Path) -> Iterator[dict[str, str]]:
    """A cluster as somebody else would have started it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "120",
    }  # fmt: skip
    command = [
        str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", f"--port={port}",
        "--node-ip-address=127.0.0.1", "--num-cpus=2", "--include-dashboard=false",
        "--disable-usage-stats", f"--object-store-memory={100 << 20}",
    ]  # fmt: skip
    with (scratch / "ray.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _until(lambda: "Ray runtime started" in (scratch / "ray.log").read_text())
        yield {
            **environment, "YARD_RAY_ADDRESS": f"127.0.0.1:{port}", "YARD_RAY_REPLICA_CPUS": "0.1",
        }  # fmt: skip
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def _server(
    folder: Path, errors: Path, environment: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with running(
        "--yard", str(folder), "up", "--no-browser", "--port", "0", "--no-accounts",
        errors=errors, environment=environment,
    ) as (process, told):  # fmt: skip
        yield process, told["url"]


def _spec(number: int) -> DeploymentSpec:
    share = Share(model="zoo/linear", revision=str(number))
    return DeploymentSpec(name="linear", engine="ray", shares=(share,))


def _ready(yard: RemoteYard, servers: int) -> bool:
    found = yard.deployments.get("linear")
    assert found.state != "failed", found
    return found.state == "ready" and len(found.servers) == servers


def _answer(url: str) -> bytes:
    import urllib.request

    request = urllib.request.Request(f"{url}/predict/linear", b'{"rows": [[1, 2, 3, 4]]}')
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: bytes = answer.read()
        return found


def _replicas() -> list[int]:
    """Processes of versions of this test's model."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"ServeReplica:zoo.linear--" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def _until(done: Callable[[], bool]) -> None:
    limit = time.monotonic() + 240
    while not done():
        assert time.monotonic() < limit
        time.sleep(0.2)
