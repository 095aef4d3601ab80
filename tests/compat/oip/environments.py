"""Other people's clients, each in an environment of its own: never in ours, and never in git."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CLIENTS", "checks", "environment", "outcomes"]

CLIENTS = {
    "triton": ("tritonclient[grpc,http]==2.73.0", "numpy==2.3.5"),
    "kserve": ("kserve==0.21.0",),
    "mlserver": ("mlserver==1.7.1", "tritonclient[grpc,http]==2.73.0", "uvloop<0.22"),
}
"""What each is made of. MLServer does not start with a newer uvloop (its issue 2286)."""
SCRIPTS = Path(__file__).parent / "clients"
_PATIENCE = 600


def environment(name: str) -> Path:
    """The Python of a client's environment, made when it is asked for the first time.

    Raises RuntimeError where the packages can't be had, with what uv said.
    """
    wanted = CLIENTS[name]
    digest = hashlib.sha256("\n".join((sys.version, *wanted)).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = cache / "modelyard-tests" / f"{name}-{digest}"
    if not (place / "made").exists():
        _make(place, wanted)
    return place / "bin/python"


def _make(place: Path, wanted: Sequence[str]) -> None:
    """One process makes it; others wait by uv's own lock, and find it made."""
    import fcntl

    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (place / "made").exists():
            return
        shutil.rmtree(place, ignore_errors=True)
        _uv("venv", "-q", "--python", sys.executable, str(place))
        _uv("pip", "install", "-q", "--python", str(place / "bin/python"), *wanted)
        (place / "made").touch()


def _uv(*words: str) -> None:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if uv is None:
        raise RuntimeError("uv is not here")
    done = subprocess.run([uv, *words], capture_output=True, text=True, timeout=_PATIENCE)
    if done.returncode:
        raise RuntimeError(f"uv {words[0]}: {done.stderr[-600:]}")


def checks(script: str) -> list[str]:
    """Names of a script's checks: its functions that begin with `check_`."""
    lines = (SCRIPTS / f"{script}.py").read_text().splitlines()
    return [
        line.partition("def check_")[2].partition("(")[0]
        for line in lines
        if line.startswith(("def check_", "async def check_"))
    ]


def outcomes(client: str, script: str, *words: str) -> dict[str, str | None]:
    """What became of each check of a script: None where it held, else what went wrong."""
    done = subprocess.run(
        [environment(client), SCRIPTS / f"{script}.py", *words],
        capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    try:
        found: dict[str, str | None] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise RuntimeError(f"{script}: {done.stdout[-1000:]}{done.stderr[-3000:]}") from None
    return found
