"""Bodies of many megabytes: whole, slow, broken off, and with another request right behind."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.benchmarks.serving.deployed import Site, served_yard

import modelyard

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2
    from tests.benchmarks.serving.models import Models

ROWS, COLUMNS = 3000, 1000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, made: Models) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("large") / "yard"
    with modelyard.create(folder) as yard:
        yard.commit("bench/peek", made.onnx("peek"))
    with served_yard(folder, patience=1.5) as running:
        running.deploy("peek", "bench/peek")
        yield running


def tensor() -> np.ndarray:
    return np.arange(ROWS * COLUMNS, dtype="<f4").reshape(ROWS, COLUMNS)


def asked(name: str = "") -> tuple[dict[str, str], bytes]:
    """Headers and body of a request with 12 MB; a longer name moves what is behind the JSON."""
    one = {
        "name": "x", "shape": [ROWS, COLUMNS], "datatype": "FP32",
        "parameters": {"binary_data_size": ROWS * COLUMNS * 4},
    }  # fmt: skip
    wanted = [{"name": "y", "parameters": {"binary_data": True}}]
    head = json.dumps({"id": f"a{name}", "inputs": [one], "outputs": wanted}).encode()
    return {"inference-header-content-length": str(len(head))}, head + tensor().tobytes()


def answered(response: httpx2.Response) -> np.ndarray:
    assert response.status_code == 200, response.text
    length = int(response.headers["inference-header-content-length"])
    return np.frombuffer(response.content[length:], "<f4").reshape(ROWS, 4)


def raw(site: Site, headers: dict[str, str], length: int) -> bytes:
    said = {
        "host": f"127.0.0.1:{site.port}", "authorization": f"Bearer {site.server.token}",
        "content-length": str(length), **headers,
    }  # fmt: skip
    lines = [f"{name}: {value}" for name, value in said.items()]
    return "\r\n".join(["POST /v2/models/peek/infer HTTP/1.1", *lines, "", ""]).encode()


@pytest.mark.parametrize("name", ["", "b", "bc", "bcd"])
def test_every_number_arrives_wherever_the_tensor_begins(site: Site, name: str):
    headers, body = asked(name)
    with site.server.client() as client:
        found = answered(client.post("/v2/models/peek/infer", content=body, headers=headers))
    assert np.array_equal(found, tensor()[:, :4])


def test_numbers_in_json_may_be_many_too(site: Site):
    values = tensor()
    one = {"name": "x", "shape": [ROWS, COLUMNS], "datatype": "FP32", "data": values.tolist()}
    with site.server.client() as client:
        answer = client.post("/v2/models/peek/infer", json={"inputs": [one]})
    assert answer.status_code == 200, answer.text
    (output,) = answer.json()["outputs"]
    assert output["data"] == values[:, :4].ravel().tolist()


def test_one_connection_carries_many_of_them(site: Site):
    headers, body = asked()
    with site.server.client() as client:
        for _ in range(4):
            found = answered(client.post("/v2/models/peek/infer", content=body, headers=headers))
            assert np.array_equal(found, tensor()[:, :4])
            assert client.get("/v2/health/live").json() == {"live": True}


def test_a_request_right_behind_a_large_one_is_answered(site: Site):
    headers, body = asked()
    host = f"host: 127.0.0.1:{site.port}\r\n"
    last = f"GET /v2/health/live HTTP/1.1\r\n{host}connection: close\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as plug:
        plug.sendall(raw(site, headers, len(body)) + body + last)
        got = b""
        while more := plug.recv(1 << 16):
            got += more
    assert got.count(b"HTTP/1.1 200 OK") == 2
    assert got.endswith(b'{"live":true}')


def test_who_stops_in_the_middle_is_told_and_cut_off(site: Site):
    headers, body = asked()
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as plug:
        plug.sendall(raw(site, headers, len(body)) + body[: len(body) // 2])
        got = b""
        while more := plug.recv(1 << 16):
            got += more
    assert got.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive in time" in got
    assert b"connection: close" in got.lower()


def test_who_hangs_up_in_the_middle_harms_nobody(site: Site):
    headers, body = asked()
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", site.port), timeout=20) as plug:
            plug.sendall(raw(site, headers, len(body)) + body[: len(body) // 3])
    with site.server.client() as client:
        found = answered(client.post("/v2/models/peek/infer", content=body, headers=headers))
    assert np.array_equal(found, tensor()[:, :4])
    assert "Traceback" not in site.server.log_text()


def test_a_body_that_is_too_large_is_refused_before_it_is_read(site: Site):
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as plug:
        plug.sendall(raw(site, {}, 1 << 40) + b"x" * 1000)
        assert b" 413 " in plug.recv(1 << 16)[:20]
