"""What a service is."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.services.state import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Service", "as_user", "ours", "run"]

_BIN = ROOT / ".venv" / "bin"


@dataclass(frozen=True)
class Service:
    """One server."""

    name: str
    program: Callable[[], str | None]
    """The path of what is run; None if it is not installed."""
    command: Callable[[str, Path, int], list[str]]
    """From program, folder and port."""
    url: str
    healthy: Callable[[int], bool]
    prepare: Callable[[Service, str, Path], None] = lambda service, program, folder: None
    """Fills a new folder."""
    user: str | None = None
    """Who runs it where we are root, because it refuses to run as root."""
    environ: dict[str, str] = field(default_factory=dict)
    """What its clients find in the environment; fixed words of test servers, no secrets."""
    stop_signal: str = "SIGTERM"
    pid_file: str | None = None
    """What a killed server leaves behind and would stumble over: below its folder."""

    def address(self, port: int) -> str:
        return self.url.format(port=port)


def as_user(service: Service) -> dict[str, object]:
    """The arguments of `subprocess` that give up root for a service that wants it."""
    if service.user is None or os.getuid() != 0:
        return {}
    return {"user": service.user, "group": service.user, "extra_groups": []}


def run(service: Service, *command: str) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", **as_user(service)
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout.decode(errors='replace')[-800:]}")


def ours(name: str) -> Callable[[], str | None]:
    """A program of our own environment."""
    return lambda: str(_BIN / name) if (_BIN / name).exists() else None
