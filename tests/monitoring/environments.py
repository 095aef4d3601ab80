"""Other people's libraries, each in an environment of its own: never in ours, and never in git."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["cache", "environment", "told"]

_PATIENCE = 600
QUIET = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1", "WHYLOGS_NO_ANALYTICS": "True"}
"""Some of them tell their makers that they are used."""


def cache() -> Path:
    """Where what tests fetched is kept from run to run."""
    place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelyard-tests"
    place.mkdir(parents=True, exist_ok=True)
    return place


def environment(name: str, *packages: str) -> Path:
    """The Python of an environment with these packages, made when it is asked for first.

    Raises RuntimeError where the packages can't be had, with what uv said.
    """
    import fcntl

    digest = hashlib.sha256("\n".join((sys.version, *packages)).encode()).hexdigest()[:12]
    place = cache() / f"{name}-{digest}"
    with (place.parent / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # others wait, and find it made
        if not (place / "made").exists():
            shutil.rmtree(place, ignore_errors=True)
            _uv("venv", "-q", "--python", sys.executable, str(place))
            _uv("pip", "install", "-q", "--python", str(place / "bin/python"), *packages)
            (place / "made").touch()
    return place / "bin/python"


def _uv(*words: str) -> None:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if uv is None:
        raise RuntimeError("uv is not here")
    done = subprocess.run([uv, *words], capture_output=True, text=True, timeout=_PATIENCE)
    if done.returncode:
        raise RuntimeError(f"uv {words[0]}: {done.stderr[-600:]}")


def told(python: Path, script: Path, *words: str, seconds: float = 300) -> Any:
    """The JSON in the last line that a script says, run by another Python."""
    done = subprocess.run(
        [python, script, *words], capture_output=True, text=True, timeout=seconds,
        env={**os.environ, **QUIET, "PYTHONPATH": ""},
    )  # fmt: skip
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise RuntimeError(f"{script.name}: {done.stdout[-1000:]}{done.stderr[-3000:]}") from None
