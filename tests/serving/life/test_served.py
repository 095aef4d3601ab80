"""Real servers: deployments at the port of the pages, for who may read them, whatever dies."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from tests.server.running import Running, running
from tests.serving.life.here import plus

from modelyard.registry import create

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

ROW = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [0.5]}]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("served")
    with create(place / "yard") as yard:
        for number in (1, 2, 3):
            yard.commit("m", plus(place / f"m{number}", number))
    return place / "yard"


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Running]:
    with running(folder) as one:
        yield one


@pytest.fixture
def api(server: Running) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


def deploy(api: httpx2.Client, name: str, *shares: dict[str, Any], **options: Any) -> None:
    made = api.put(f"/api/v1/deployments/{name}", json={"shares": list(shares), **options})
    assert made.status_code == 200, made.text
    limit = time.monotonic() + 30
    while api.get(f"/v2/models/{name}/ready").status_code != 200:
        assert time.monotonic() < limit
        time.sleep(0.01)


def ask(api: httpx2.Client, name: str, **options: Any) -> httpx2.Response:
    return api.post(f"/v2/models/{name}/infer", json=ROW, **options)


def version(api: httpx2.Client, name: str) -> str:
    answer = ask(api, name)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["model_version"])


def until(what: Callable[[], bool], seconds: float = 10.0) -> float:
    """Wait for something; how long it took."""
    begun = time.monotonic()
    while not what():
        assert time.monotonic() - begun < seconds, "it did not come"
        time.sleep(0.01)
    return time.monotonic() - begun


def of(revision: str, model: str = "m") -> dict[str, Any]:
    return {"model": model, "revision": revision}


def test_a_deployment_answers_at_the_port_of_the_pages(api: httpx2.Client) -> None:
    deploy(api, "own", of("1"))
    answer = ask(api, "own")
    assert answer.json()["outputs"][0]["data"] == [1.5]
    assert answer.headers["x-request-id"]
    until(lambda: api.get("/api/v1/deployments/own").json()["state"] == "ready")


def test_the_last_requests_are_told(api: httpx2.Client) -> None:
    deploy(api, "logged", of("1"), sample=1.0)
    ask(api, "logged", headers={"x-request-id": "mine"})
    told = api.get("/api/v1/deployments/logged/requests?limit=5").json()
    assert told["requests"][0]["request"] == "mine"
    assert told["requests"][0]["outputs"]["y"]["data"] == [1.5]


def test_a_rollback_holds_when_the_call_returns(api: httpx2.Client) -> None:
    deploy(api, "back", of("1"))
    deploy(api, "back", of("2"))
    limit = time.monotonic() + 5
    while version(api, "back") != "2":
        assert time.monotonic() < limit
    assert api.post("/api/v1/deployments/back/rollback", json={}).status_code == 200
    assert version(api, "back") == "1"


def test_only_who_may_read_the_model_may_ask(server: Running, api: httpx2.Client) -> None:
    deploy(api, "mine", of("1"))
    with httpx2.Client(base_url=server.url) as stranger:
        assert ask(stranger, "mine").status_code == 401
        wrong = {"authorization": "Bearer yard_1_wrong"}
        assert ask(stranger, "mine", headers=wrong).status_code == 401
    assert api.post("/api/v1/accounts", json={"name": "ann"}).status_code == 201
    asked = {"name": "t", "account": "ann", "role": "writer"}
    made = api.post("/api/v1/tokens", json=asked).json()
    with server.client(made["secret"]) as ann:
        assert ask(ann, "mine").status_code == 404
        role = {"account": "ann", "pattern": "m", "role": "reader"}
        assert api.put("/api/v1/roles", json=role).status_code == 200
        assert until(lambda: ask(ann, "mine").status_code == 200) < 1.5
        told = ann.post("/v2/repository/models/mine/unload")
        assert told.status_code == 403
        assert "writer" in told.json()["error"]
        assert ask(ann, "mine").status_code == 200
        assert api.delete(f"/api/v1/tokens/{made['token']['id']}").status_code == 200
        assert until(lambda: ask(ann, "mine").status_code == 401) < 1.5


def test_a_page_of_another_site_may_not_ask(server: Running, api: httpx2.Client) -> None:
    deploy(api, "site", of("1"))
    told = ask(api, "site", headers={"origin": "https://evil.example"})
    assert told.status_code == 403
    assert told.json()["kind"] == "cross-site"
    assert ask(api, "site", headers={"host": "evil.example"}).status_code == 421


def test_deployments_are_served_again_after_a_restart(tmp_path: Path, folder: Path) -> None:
    with create(tmp_path / "yard") as yard:
        yard.commit("m", plus(tmp_path / "m", 7))
    with running(tmp_path / "yard", accounts=False) as one, one.client() as client:
        deploy(client, "own", of("main"))
    with running(tmp_path / "yard", accounts=False) as two, two.client() as client:
        assert ask(client, "own").json()["outputs"][0]["data"] == [7.5]


def test_a_server_speaks_grpc_too(tmp_path: Path) -> None:
    import grpc

    from modelyard.serving.grpc.stubs import messages

    with create(tmp_path / "yard") as yard:
        yard.commit("m", plus(tmp_path / "m", 7))
    port = _free_port()
    with running(tmp_path / "yard", grpc_port=port) as one, one.client() as client:
        deploy(client, "own", of("main"))
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            ready = channel.unary_unary(
                "/inference.GRPCInferenceService/ModelReady",
                request_serializer=messages.ModelReadyRequest.SerializeToString,
                response_deserializer=messages.ModelReadyResponse.FromString,
            )
            asked = messages.ModelReadyRequest(name="own")
            shown = (("authorization", f"Bearer {one.token}"),)
            assert ready(asked, metadata=shown, timeout=10).ready


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_all_processes_follow_within_a_second(tmp_path: Path) -> None:
    with create(tmp_path / "yard") as yard:
        for number in (1, 2):
            yard.commit("m", plus(tmp_path / f"m{number}", number))
    with running(tmp_path / "yard", accounts=False, workers=2) as one:
        with one.client() as client:
            deploy(client, "own", of("1"))
            deploy(client, "own", of("2"))
            time.sleep(1.5)
            begun = time.monotonic()
            assert client.post("/api/v1/deployments/own/rollback", json={}).status_code == 200
        last_old, seen = begun, set()
        while time.monotonic() - begun < 2.5:
            with one.client() as other:  # each connection may go to another process
                found = version(other, "own")
            seen.add(found)
            if found == "2":
                last_old = time.monotonic()
        assert last_old - begun < 1.0
        assert "1" in seen


def test_a_killed_worker_fails_its_requests_at_once_and_comes_back(tmp_path: Path) -> None:
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    with create(tmp_path / "yard") as yard:
        rows = np.random.default_rng(0).normal(size=(50, 4))
        made = LogisticRegression().fit(rows, (rows.sum(axis=1) > 0).astype(int))
        yard.commit("sk", made, example=rows[:4])
    body = {"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP64", "data": [0.0] * 4}]}
    with running(tmp_path / "yard", accounts=False) as one, one.client() as client:
        deploy(client, "own", of("main", "sk"), placement="process")
        inputs = client.get("/v2/models/own").json()["inputs"]
        body["inputs"][0]["name"] = inputs[0]["name"]
        assert client.post("/v2/models/own/infer", json=body).status_code == 200
        answers: list[tuple[float, float, int]] = []
        ended = threading.Event()

        def keep_asking() -> None:
            with one.client() as own:
                while not ended.is_set():
                    begun = time.monotonic()
                    status = own.post("/v2/models/own/infer", json=body).status_code
                    answers.append((begun, time.monotonic(), status))

        clients = [threading.Thread(target=keep_asking) for _ in range(4)]
        for each in clients:
            each.start()
        time.sleep(0.3)
        (worker,) = _children(one.process.pid)
        killed = time.monotonic()
        os.kill(worker, signal.SIGKILL)
        while not any(begun > killed and status == 200 for begun, _, status in list(answers)):
            assert time.monotonic() - killed < 20
            time.sleep(0.01)
        ended.set()
        for each in clients:
            each.join()
    assert {status for _, _, status in answers} <= {200, 503}
    failed = [end - killed for _, end, status in answers if status == 503]
    assert len(failed) <= len(clients)
    assert max(failed, default=0) < 1.0  # much less where nothing else runs


def _children(pid: int) -> list[int]:
    told = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=True
    )
    return [int(line) for line in told.stdout.split()]
