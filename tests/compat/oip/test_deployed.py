"""All of that once more, asked of deployments on a whole server in place of `yard serve`."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import grpc
import httpx2
import pytest
from tests.compat.oip.conftest import Stub
from tests.compat.oip.models import MODELS
from tests.compat.oip.serving import make_yard
from tests.server.running import running

from modelyard.core.deployment import DeploymentSpec, Limits, Share
from modelyard.registry import open_yard
from modelyard.serving.grpc.stubs import messages as m

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


def _wait(url, count):
    for _ in range(600):
        listed = httpx2.post(f"{url}/v2/repository/index", json={"ready": True}).json()
        if len(listed) == count:
            return
        time.sleep(0.1)
    pytest.fail(f"only these are ready: {listed}")


def test_deployments_speak_the_protocol_as_well(tmp_path):
    folder = make_yard(tmp_path)
    _deploy(folder)
    port = _free_port()
    with running(folder, accounts=False, grpc_port=port) as server:
        _wait(server.url, len(MODELS) + 1)
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


def _rows():
    request = m.ModelInferRequest(model_name="total")
    given = request.inputs.add(name="x", datatype="FP32", shape=[1, 4])
    given.contents.fp32_contents.extend([1, 2, 3, 4])
    return request


def _sleeps(url):
    """Wait until the version sleeps; a look at its metadata would wake it."""
    for _ in range(200):
        (one,) = httpx2.get(f"{url}/api/v1/deployments/total").json()["servers"]
        if one["versions"][0]["state"] == "asleep":
            return
        time.sleep(0.1)
    pytest.fail(f"it does not sleep: {one}")


def test_a_version_that_sleeps_is_ready_and_the_next_call_wakes_it(tmp_path, refused):
    folder = make_yard(tmp_path, ["total"])
    with open_yard(folder) as yard:
        share = Share(model="total", revision="1")
        spec = DeploymentSpec(name="total", shares=(share,), limits=Limits(idle=0.3))
        yard.deployments.apply(spec)
    port = _free_port()
    with running(folder, accounts=False, grpc_port=port) as server:
        stub = Stub(f"127.0.0.1:{port}")
        with contextlib.closing(stub.channel):
            _wait(server.url, 1)
            request = _rows()
            _sleeps(server.url)
            assert stub.ModelReady(name="total").ready
            assert stub.ServerReady().ready
            hurried = m.ModelInferRequest.FromString(request.SerializeToString())
            hurried.parameters["timeout"].int64_param = 100  # microseconds, in which nobody wakes
            assert "being loaded" in refused("UNAVAILABLE", lambda: stub.ModelInfer(hurried))
            _sleeps(server.url)
            total = stub.ModelInfer(request).raw_output_contents[0]
            assert memoryview(total).cast("f").tolist() == [10.0]


def _asks(place, over, found):
    """Ask until it is over, each way in turn; what came is the version, or what went wrong."""
    stub = Stub(place)
    with contextlib.closing(stub.channel):
        while not over.is_set():
            try:
                found[stub.ModelInfer(_rows()).model_version] += 1
                for answer in stub.stream(_rows() for _ in range(20)):
                    found[answer.error_message or answer.infer_response.model_version] += 1
            except grpc.RpcError as error:
                found[f"{error.code().name}: {error.details()}"] += 1


def test_calls_and_streams_survive_changes(tmp_path):
    folder, port = make_yard(tmp_path, ["total"]), _free_port()
    found, over = Counter(), threading.Event()
    with open_yard(folder) as yard, ThreadPoolExecutor(4) as pool:
        shares = [Share(model="total", revision=str(number)) for number in (1, 2)]
        wish = partial(DeploymentSpec, name="total")
        yard.deployments.apply(wish(shares=(shares[0],)))
        with running(folder, accounts=False, grpc_port=port) as server:
            _wait(server.url, 1)
            asking = [pool.submit(_asks, f"127.0.0.1:{port}", over, found) for _ in range(4)]
            for change in range(1, 11):
                time.sleep(0.3)
                canary = (replace(shares[change % 2], percent=70),
                          replace(shares[1 - change % 2], percent=30))  # fmt: skip
                split = change % 3 == 0
                yard.deployments.apply(wish(shares=canary if split else (shares[change % 2],)))
            over.set()
            for each in asking:
                each.result(30)
    assert set(found) == {"1", "2"}, found
    assert found.total() > 500
