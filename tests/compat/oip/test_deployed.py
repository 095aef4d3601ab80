"""All of that once more, asked of deployments on a whole server in place of `yard serve`."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest
from tests.compat.oip.models import MODELS
from tests.compat.oip.serving import make_yard
from tests.server.running import running

from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.registry import open_yard

HERE = Path(__file__).parent
SUITE = ("http_about", "http_infer", "http_binary", "http_errors", "grpc_about", "grpc_infer")


def _deploy(folder):
    with open_yard(folder) as yard:
        for name in MODELS:
            shares = [Share(model=name, revision="1")]
            if name == "total":  # the second version answers where a request names none
                first = Share(model=name, revision="1", percent=0)
                shares = [Share(model=name, revision="2"), first]
            yard.deployments.apply(DeploymentSpec(name=name, shares=tuple(shares)))


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _wait(url):
    for _ in range(600):
        listed = httpx2.post(f"{url}/v2/repository/index", json={"ready": True}).json()
        if len(listed) == len(MODELS) + 1:
            return
        time.sleep(0.1)
    pytest.fail(f"only these are ready: {listed}")


def test_deployments_speak_the_protocol_as_well(tmp_path):
    folder = make_yard(tmp_path)
    _deploy(folder)
    port = _free_port()
    with running(folder, accounts=False, grpc_port=port) as server:
        _wait(server.url)
        place = server.url.removeprefix("http://")
        done = subprocess.run(
            [
                sys.executable, "-m", "pytest", "-q", "-n", "0", "--tb=short",
                *(str(HERE / f"test_{name}.py") for name in SUITE),
            ],
            capture_output=True, text=True, timeout=300, cwd=HERE.parents[2],
            env={**os.environ, "OIP_SERVER": f"{place},127.0.0.1:{port}"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-6000:]
        assert "passed" in done.stdout
        assert "Traceback" not in server.log_text()
