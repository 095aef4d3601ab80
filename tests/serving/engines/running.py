"""Commands that run until they are stopped, and tell first where they answer."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["running", "yard_up"]


@contextmanager
def yard_up(folder: Path, scratch: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server of a yard without accounts, and its URL."""
    with running(
        "--yard", str(folder), "up", "--no-browser", "--port", "0", "--no-accounts",
        errors=scratch / "server.err",
    ) as (process, told):  # fmt: skip
        yield process, told["url"]


@contextmanager
def running(
    *arguments: str, errors: Path, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """`yard` with these arguments, and the document that it tells."""
    command = [sys.executable, "-m", "modelyard", "--json", *arguments]
    with errors.open("w") as stream:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stream, text=True, env=environment
        )
    assert process.stdout is not None
    try:
        told = ""
        while True:
            line = process.stdout.readline()
            assert line, errors.read_text()
            told += line
            try:
                content = json.loads(told)
                break
            except ValueError:
                continue
        yield process, content
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)
        process.stdout.close()
