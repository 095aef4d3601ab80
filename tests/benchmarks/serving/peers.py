"""The servers that are compared: how each is started, and how it is asked for the same row."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
from tests.benchmarks.serving import environments
from tests.benchmarks.serving.environments import HOME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.benchmarks.serving.models import Models

__all__ = ["PEERS", "Asked", "Up", "echo", "free_port", "served"]

PROGRAMS = Path(__file__).with_name("programs")
_PATIENCE = 180.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One question."""

    port: int
    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def answer(self) -> httpx2.Response:
        headers = {"content-type": "application/json", **self.headers}
        url = f"http://127.0.0.1:{self.port}{self.path}"
        return httpx2.post(url, content=self.body, headers=headers, timeout=60)


@dataclass(frozen=True, slots=True)
class Up:
    """A server that answers."""

    name: str
    pids: tuple[int, ...]
    questions: Mapping[str, Asked]
    """By the model: `onx`, `sk`."""
    ready_after: float
    port: int = 0


@contextlib.contextmanager
def served(name: str, models: Models) -> Iterator[Up]:
    """A peer with both models, as long as the block lasts."""
    with PEERS[name](models) as up:
        yield up


def _v2(models: Models, port: int, tensor: str = "X") -> dict[str, Asked]:
    one = {"name": tensor, "shape": [1, 64], "datatype": "FP32", "data": models.row}
    body = json.dumps({"inputs": [one]}).encode()
    return {name: Asked(port, f"/v2/models/{name}/infer", body) for name in ("onx", "sk")}


def _plain(models: Models, port: int) -> dict[str, Asked]:
    body = json.dumps({"rows": [models.row]}).encode()
    return {name: Asked(port, f"/{name}", body) for name in ("onx", "sk")}


@contextlib.contextmanager
def _mlserver(models: Models) -> Iterator[Up]:
    folder, port = _folder("mlserver"), free_port()
    settings = {
        "host": "127.0.0.1", "http_port": port, "grpc_port": free_port(),
        "metrics_port": free_port(), "parallel_workers": 1,
    }  # fmt: skip
    (folder / "settings.json").write_text(json.dumps(settings))
    shutil.copy(PROGRAMS / "served_mlserver.py", folder)
    kinds = {
        "onx": ("served_mlserver.Onx", models.onnx("onx")),
        "sk": ("mlserver_sklearn.SKLearnModel", models.joblib),
    }
    for name, (kind, path) in kinds.items():
        (folder / name).mkdir()
        said = {"name": name, "implementation": kind, "parameters": {"uri": str(path)}}
        (folder / name / "model-settings.json").write_text(json.dumps(said))
    command = environments.python("mlserver").with_name("mlserver")
    env = {"PYTHONPATH": str(folder)}
    with _running("mlserver", [str(command), "start", str(folder)], folder, env) as process:
        yield _ready("mlserver", process, _v2(models, port))


@contextlib.contextmanager
def _kserve(models: Models) -> Iterator[Up]:
    with _program("kserve", models, _v2) as up:
        yield up


@contextlib.contextmanager
def _bentoml(models: Models) -> Iterator[Up]:
    folder, port = _folder("bentoml"), free_port()
    command = environments.python("bentoml").with_name("bentoml")
    argv = [
        str(command), "serve", "served_bentoml:Digits", "--working-dir", str(PROGRAMS),
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    env = {"BENCH_MODELS": str(models.folder), "BENTOML_HOME": str(folder)}
    with _running("bentoml", argv, folder, env) as process:
        yield _ready("bentoml", process, _plain(models, port))


@contextlib.contextmanager
def _mlflow(models: Models) -> Iterator[Up]:
    folder, python = _folder("mlflow"), environments.python("mlflow")
    saved = HOME / "models-mlflow"
    save = [str(python), str(PROGRAMS / "save_mlflow.py"), str(models.folder), str(saved)]
    subprocess.run(save, check=True, capture_output=True)
    body = json.dumps({"inputs": [models.row]}).encode()
    with contextlib.ExitStack() as stack:
        started, questions = [], {}
        for name in ("onx", "sk"):  # one model a server
            port = free_port()
            argv = [
                str(python.with_name("mlflow")), "models", "serve", "-m", str(saved / name),
                "--env-manager", "local", "-h", "127.0.0.1", "-p", str(port), "-w", "1",
            ]  # fmt: skip
            env = {"PATH": f"{python.parent}:{os.environ['PATH']}"}
            started.append(stack.enter_context(_running(f"mlflow-{name}", argv, folder, env)))
            questions[name] = Asked(port, "/invocations", body)
        ups = [_ready("mlflow", process, questions) for process in started]
        yield Up("mlflow", tuple(p.pid for p in started), questions, ups[0].ready_after)


@contextlib.contextmanager
def _ray(models: Models) -> Iterator[Up]:
    with _program("ray", models, _plain) as up:
        yield up


@contextlib.contextmanager
def _litserve(models: Models) -> Iterator[Up]:
    with _program("litserve", models, _plain) as up:
        yield up


@contextlib.contextmanager
def echo(models: Models) -> Iterator[Up]:
    """Bare raw ASGI on uvicorn that reads the same body: what no Python server is above."""
    port = free_port()
    argv = [sys.executable, str(PROGRAMS / "served_echo.py"), str(port)]
    with _running("echo", argv, _folder("echo"), {}) as process:
        yield _ready("echo", process, {"onx": _v2(models, port)["onx"]})


PEERS: dict[str, Callable[[Models], contextlib.AbstractContextManager[Up]]] = {
    "mlserver": _mlserver,
    "kserve": _kserve,
    "bentoml": _bentoml,
    "mlflow": _mlflow,
    "litserve": _litserve,
    "ray": _ray,
}


@contextlib.contextmanager
def _program(
    name: str, models: Models, questions: Callable[[Models, int], dict[str, Asked]]
) -> Iterator[Up]:
    port, folder = free_port(), _folder(name)
    argv = [
        str(environments.python(name)), str(PROGRAMS / f"served_{name}.py"),
        str(models.folder), str(port),
    ]  # fmt: skip
    with _running(name, argv, folder, {}) as process:
        yield _ready(name, process, questions(models, port))


def _folder(name: str) -> Path:
    folder = HOME / "run" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@contextlib.contextmanager
def _running(
    name: str, argv: list[str], folder: Path, env: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, all of which ends with the block."""
    log = HOME / "run" / f"{name}.log"
    quiet = {"DO_NOT_TRACK": "1", "BENTOML_DO_NOT_TRACK": "True", "HOME": str(folder), **env}
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv, cwd=folder, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
            env={**os.environ, **quiet}, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        family = [process.pid, *descendants(process.pid)]
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        for pid in family:  # those that it left behind: they are ours
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def _ready(name: str, process: subprocess.Popen[bytes], questions: Mapping[str, Asked]) -> Up:
    """When all questions have their right answers."""
    began = time.monotonic()
    for asked in questions.values():
        while True:
            if process.poll() is not None or time.monotonic() - began > _PATIENCE:
                told = (HOME / "run" / f"{name}.log").read_text(errors="replace")
                raise RuntimeError(f"{name} does not answer: {told[-3000:]}")
            with contextlib.suppress(httpx2.TransportError):
                if asked.answer().status_code == 200:
                    break
            time.sleep(0.05)
    return Up(name, (process.pid,), questions, time.monotonic() - began)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def descendants(pid: int) -> list[int]:
    """All processes that a process started, and those that they started."""
    found = []
    for place in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, place.read_text().split()):
                found += [child, *descendants(child)]
    return found
