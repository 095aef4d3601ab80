"""What was exported runs: the steps of the Dockerfile, and what pods of KServe run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.serving.engines.running import running, yard_up
from tests.serving.engines.zoo import fill

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving.engines.zoo import Zoo

pytestmark = pytest.mark.slow

TOKEN = "0123456789abcdef0123456789abcdef"
ROWS = {"rows": [[1, 2, 3, 4], [0, 0, 0, 1]]}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return fill(tmp_path_factory.mktemp("zoo"))


@pytest.fixture
def token(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text(TOKEN)
    return tmp_path / "token"


def test_the_steps_of_a_dockerfile_give_a_service_that_knows_no_yard(
    zoo: Zoo, tmp_path: Path, token: Path
) -> None:
    made, place = tmp_path / "made", tmp_path / "container"
    _yard("--yard", str(zoo.folder), "export-service", "zoo/foreign@1", str(made), "--to", "docker")
    place.mkdir()
    dockerfile = (made / "Dockerfile").read_text()
    inside = {"/yard": str(place / "yard"), "/tmp/versions": str(made / "versions"),
              "/run/secrets/token": str(token)}  # fmt: skip
    build = re.search(r"^RUN (yard init .*?)\n\n", dockerfile, re.MULTILINE | re.DOTALL)
    assert build is not None
    for step in build[1].replace("\\\n", " ").split("&&"):
        _yard(*(_outside(word, inside) for word in shlex.split(step)[1:]))
    line = next(each for each in dockerfile.splitlines() if each.startswith("ENTRYPOINT "))
    words = [_outside(word, inside) for word in json.loads(line.removeprefix("ENTRYPOINT "))][1:]
    words[words.index("--host") + 1] = "127.0.0.1"
    words[words.index("--port") + 1] = words[words.index("--grpc-port") + 1] = "0"
    with running(*words, errors=tmp_path / "errors") as (_, told):
        url = told["url"]
        assert told["token"] is None, "no account is made, whose token would be in the log"
        assert _get(f"{url}/v2/health/ready", shown=None)[0] == 200
        assert _get(f"{url}/predict/foreign", ROWS, shown=None)[0] == 401
        assert _get(f"{url}/predict/foreign", ROWS, shown="another-token-than-this")[0] == 401
        status, found = _get(f"{url}/predict/foreign", ROWS, shown=TOKEN)
        assert status == 200
        assert len(found["predictions"]) == 2
        assert _get(f"{url}/v2/repository/models/foreign/unload", {}, shown=TOKEN)[0] == 403


def test_what_pods_run_serves_a_version_of_the_yards_server(
    zoo: Zoo, tmp_path: Path, token: Path
) -> None:
    made = tmp_path / "made"
    with yard_up(zoo.folder, tmp_path) as (_, server):
        _yard(
            "--yard", server, "export-service", "zoo/linear@2", str(made), "--to", "kserve",
            "--server", server,
        )  # fmt: skip
        runtime = yaml.safe_load((made / "1-runtime.yaml").read_text())
        service = yaml.safe_load((made / "2-service.yaml").read_text())
        (container,) = runtime["spec"]["containers"]
        env = {each["name"]: each["value"] for each in container["env"] if "value" in each}
        model = service["spec"]["predictor"]["model"]
        env |= {each["name"]: each["value"] for each in model["env"]}
        words = [
            re.sub(r"\$\((\w+)\)", lambda match: env[match[1]], word)
            for word in [*container["args"], *model.get("args", ())]
        ]
        words[words.index("--host") + 1] = "127.0.0.1"
        words[words.index("--port") + 1] = words[words.index("--grpc-port") + 1] = "0"
        words[words.index("--token-file") + 1] = str(token)
        environment = {**os.environ, **env, "YARD_TOKEN": TOKEN}
        with running(*words, errors=tmp_path / "errors", environment=environment) as (_, told):
            status, found = _get(f"{told['url']}/predict/linear", ROWS, shown=TOKEN)
            assert status == 200
            assert (found["model"], found["version"]) == ("zoo/linear", 2)


def test_the_storage_initializer_writes_the_files_of_a_version(zoo: Zoo, tmp_path: Path) -> None:
    target = tmp_path / "models"
    with yard_up(zoo.folder, tmp_path) as (_, server):
        uri = f"yard://{server.partition('://')[2]}/zoo/linear@2"
        done = subprocess.run(
            [sys.executable, "-m", "modelyard.cli.storage_initializer", uri, str(target)],
            env={**os.environ, "YARD": server, "YARD_TOKEN": TOKEN}, capture_output=True,
            text=True, check=True, timeout=60,
        )  # fmt: skip
    assert done.stdout.startswith("zoo/linear@2 ")
    assert (target / "model.onnx").stat().st_size > 100


def test_a_folder_that_holds_other_things_is_left_alone(zoo: Zoo, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    done = subprocess.run(
        [sys.executable, "-m", "modelyard", "--yard", str(zoo.folder), "export-service",
         "zoo/linear@2", str(tmp_path), "--to", "docker"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "is there already" in done.stderr


def _yard(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "modelyard", *arguments], check=True, timeout=120)


def _outside(word: str, inside: dict[str, str]) -> str:
    for place, real in inside.items():
        if word == place or word.startswith(f"{place}/"):
            return real + word.removeprefix(place)
    return word


def _get(url: str, body: Any = None, *, shown: str | None) -> tuple[int, Any]:
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode())
    if shown is not None:
        request.add_header("Authorization", f"Bearer {shown}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
