"""A real `yard serve` with the models of `models.py`, for tests of the protocol."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.compat.oip.models import MODELS, save

from modelyard.registry import create

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Serving", "make_yard", "serving"]

_TWICE = ("total",)
"""Models of two versions."""


@dataclass(frozen=True, slots=True)
class Serving:
    """One server: where it answers over HTTP (`host:port`) and over gRPC."""

    http: str
    grpc: str
    token: str | None
    folder: Path
    pid: int = 0

    @property
    def url(self) -> str:
        return f"http://{self.http}"


def make_yard(folder: Path, names: Sequence[str] = tuple(MODELS)) -> Path:
    """A yard with these models; those of `_TWICE` have two versions."""
    with create(folder / "yard") as yard:
        for name in names:
            place = save(name, folder / "files")
            yard.commit(name, place)
            if name in _TWICE:
                (place / "notes.txt").write_text("the same once more\n")
                yard.commit(name, place)
    return folder / "yard"


@contextlib.contextmanager
def serving(yard: Path, *targets: str, words: Sequence[str] = ("--open",)) -> Iterator[Serving]:
    """Serve versions as long as the block lasts."""
    command = [
        sys.executable, "-m", "modelyard", "serve", "--yard", str(yard), *targets,
        "--port", "0", "--grpc-port", "0", *words,
    ]  # fmt: skip
    log = yard.parent / f"serve-{len(list(yard.parent.glob('serve-*')))}.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
            env={**os.environ, "NO_COLOR": "1"},
        )  # fmt: skip
    assert process.stdout is not None
    told: dict[str, str] = {}
    try:
        for line in process.stdout:
            first, _, rest = line.strip().partition(" ")
            told[first.rstrip(":")] = rest
            if len(told) > 2 and line.startswith("  "):  # models come last
                break
        else:
            raise RuntimeError(f"no server: {log.read_text()[-2000:]}")
        http = told["serving"].removeprefix("http://")
        yield Serving(http, told["grpc"], told.get("token"), yard, process.pid)
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()
    assert "Traceback" not in log.read_text(), log.read_text()
