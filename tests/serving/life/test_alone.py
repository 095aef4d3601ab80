"""`yard serve`: versions by themselves, fast to start, small, and without pages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from tests.server.running import running
from tests.serving.life.here import broken, plus

from modelyard.registry import create

pytestmark = pytest.mark.slow

NOT_NEEDED = ("fastapi", "starlette", "jinja2", "pydantic", "onnx")
ROW = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [0.5]}]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("alone")
    with create(place / "yard") as yard:
        for number in (1, 2):
            yard.commit("team/Own_Net", plus(place / f"m{number}", number))
        yard.commit("b", plus(place / "b", 3))
        yard.commit("other/b", plus(place / "c", 4))
        yard.commit("bad", broken(place / "bad"))
    return place / "yard"


def refused(folder: Path, *words: str) -> str:
    told = subprocess.run(
        [sys.executable, "-m", "modelyard", "serve", "--yard", str(folder), "--port", "0", *words],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert told.returncode != 0
    assert "Traceback" not in told.stderr
    return told.stderr


def test_versions_answer_by_the_last_part_of_their_models_name(folder: Path) -> None:
    with (
        running(folder, "team/Own_Net", "team/Own_Net@1", "b", "--open", command="serve") as one,
        one.client() as client,
    ):
        answer = client.post("/v2/models/Own_Net/infer", json=ROW).json()
        assert (answer["model_version"], answer["outputs"][0]["data"]) == ("2", [2.5])
        answer = client.post("/v2/models/Own_Net/versions/1/infer", json=ROW).json()
        assert answer["outputs"][0]["data"] == [1.5]
        assert client.post("/v2/models/b/infer", json=ROW).json()["model_name"] == "b"
        names = {each["name"] for each in client.post("/v2/repository/index").json()}
        assert names == {"Own_Net", "b"}
        assert client.get("/pages").status_code == 404
        assert "modelyard" in client.get("/metrics").text
        assert client.get("/v2", headers={"host": "evil.example"}).status_code == 421


def test_it_is_small_and_has_no_pages(folder: Path) -> None:
    with running(folder, "team/Own_Net", "b", "--open", command="serve") as one:
        status = Path(f"/proc/{one.process.pid}/status").read_text()
        assert int(status.partition("VmRSS:")[2].split()[0]) < 120 * 1024
    text = (
        "import sys, modelyard.cli.serve, modelyard.server.alone\n"
        f"print([name for name in {NOT_NEEDED} if name in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.strip() == "[]"


def test_without_open_a_token_is_asked_for(folder: Path) -> None:
    with running(folder, "b", command="serve") as one:
        assert one.token
        with one.client() as client:
            assert client.post("/v2/models/b/infer", json=ROW).status_code == 200
        with httpx2.Client(base_url=one.url) as stranger:
            assert stranger.post("/v2/models/b/infer", json=ROW).status_code == 401
            assert stranger.get("/metrics").status_code == 401
            assert stranger.get("/v2/health/live").status_code == 200


def test_it_speaks_grpc_too(folder: Path) -> None:
    with running(folder, "b", "--open", "--grpc-port", "0", command="serve") as one:
        assert any(line.startswith("grpc: 127.0.0.1:") for line in one.lines)


def test_what_cannot_be_served_is_told_in_a_sentence(folder: Path) -> None:
    assert "NoSuch" in refused(folder, "bad", "--open")
    assert "no model named nothing" in refused(folder, "nothing", "--open")
    assert "would both be served as b" in refused(folder, "b", "other/b", "--open")
    assert "everybody who reaches" in refused(folder, "b", "--open", "--host", "0.0.0.0")
