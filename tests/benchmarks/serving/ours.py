"""modelyard as people run it: accounts, log of requests and metrics are on."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import joblib
import numpy as np
from tests.benchmarks.serving.environments import HOME
from tests.benchmarks.serving.machine import processor
from tests.benchmarks.serving.peers import Asked, Up, descendants, free_port

import modelyard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.benchmarks.serving.models import Models

__all__ = ["SERVED", "alone", "ask_infer", "new_yard", "processor", "stop"]

SERVED = {"onx": "X", "sk": "input", "peek": "x", "busy": "x", "medium": "x"}
"""Our models, and what their input is called."""


def new_yard(place: Path, models: Models) -> Path:
    """A yard with all models as `bench/NAME`."""
    folder = place / "yard"
    shutil.rmtree(folder, ignore_errors=True)
    with modelyard.create(folder) as yard:
        for name in ("onx", "peek", "busy", "medium", "small0", "small1", "small2"):
            yard.commit(f"bench/{name}", models.onnx(name))
        pipeline = joblib.load(models.joblib)
        yard.commit("bench/sk", pipeline, example=np.array([models.row], "float32"))
    return folder


@contextlib.contextmanager
def alone(
    yard: Path, names: Sequence[str], *words: str, models: Models | None = None, token: str = ""
) -> Iterator[tuple[Up, str]]:
    """`yard serve` of some models with a token; what answers, and the token.

    Args:
        token: What was shown when the yard was served for the first time.
    """
    port = free_port()
    argv = [
        sys.executable, "-m", "modelyard", "serve", *(f"bench/{name}" for name in names),
        "--yard", str(yard), "--port", str(port), *words,
    ]  # fmt: skip
    log = HOME / "run" / "ours.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with log.open("wb") as errors:
        process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, text=True
        )
    try:
        token = _token(process, log) or token
        ready = time.monotonic() - began
        questions = {
            name: ask_infer(port, name, models.row, token)
            for name in names
            if models is not None and name in ("onx", "sk")
        }
        for asked in questions.values():
            answer = asked.answer()
            if answer.status_code != 200:
                raise RuntimeError(f"{answer.text}\n{log.read_text()[-3000:]}")
        yield Up("modelyard", (process.pid,), questions, ready, port), token
    finally:
        stop(process)


def stop(process: subprocess.Popen[str]) -> None:
    """In peace, and then for sure."""
    family = descendants(process.pid)
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
    if process.stdout is not None:
        process.stdout.close()


def _token(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    token = ""
    for line in process.stdout:
        if line.startswith("token: "):
            token = line.split()[1]
            break
        if line.startswith("  "):
            break
    if process.poll() is not None:
        raise RuntimeError(f"nothing serves: {log.read_text()[-3000:]}")
    return token


def ask_infer(
    port: int,
    name: str,
    values: Sequence[float],
    token: str,
    *,
    path: str | None = None,
    tensor: str | None = None,
) -> Asked:
    """One row, as the Open Inference Protocol says it."""
    tensor = tensor or SERVED[name]
    one = {"name": tensor, "shape": [1, len(values)], "datatype": "FP32", "data": list(values)}
    said = {"inputs": [one]}
    if name in ("onx", "sk"):
        said["outputs"] = [{"name": "label"}]  # that is all the peers answer
    body = json.dumps(said).encode()
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return Asked(port, path or f"/v2/models/{name}/infer", body, headers)
