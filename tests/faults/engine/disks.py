"""Faults of the real system: a small disk that is full, and calls that strace lets fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.engine.yards import Wanted

__all__ = ["FAILING", "fail_call", "grow_disk", "small_disk"]

FAILING = {
    "writev": ("ENOSPC", "EIO", "EDQUOT"),
    "pwrite64": ("ENOSPC", "EIO", "EDQUOT"),
    "fdatasync": ("EIO", "ENOSPC"),
    "fsync": ("EIO", "ENOSPC"),
    "ftruncate": ("EIO",),
}
"""System calls of ours and of SQLite's, and what they may answer."""


@contextmanager
def small_disk(place: Path, kilobytes: int) -> Iterator[Path]:
    """A file system of its own in memory. Needs root."""
    place.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "faults", str(place)], check=True
    )
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def grow_disk(place: Path) -> None:
    """Room again."""
    subprocess.run(["mount", "-o", "remount,size=256m", str(place)], check=True)


def fail_call(
    folder: Path, desk: Path, operation: str, wanted: Wanted, rng: random.Random
) -> tuple[str, str]:
    """Run an operation while the system lets one call fail; gives (where, outcome)."""
    call = rng.choice(list(FAILING))
    error = rng.choice(FAILING[call])
    at = rng.randint(1, 8)
    log = desk / "strace.log"
    words = [
        "strace", "--seccomp-bpf", "-f", "-e", f"trace={call}", "-e", "signal=none",
        "-e", f"inject={call}:error={error}:when={at}", "-o", str(log),
        sys.executable, "-m", "tests.faults.engine.recorded", str(folder), str(desk), "0",
        operation,
    ]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    outcome = "acknowledged"
    for line in (desk / "acks").read_text().splitlines():
        message = tuple(json.loads(line))
        if message[0] == "refused":
            outcome = f"refused: {message[1]}"
        else:
            wanted.note(message)
    if done.returncode != 0:
        outcome = f"broken: {done.stderr[-1500:]}"
    was_hit = "(INJECTED)" in log.read_text()
    os.unlink(log)
    return (f"{call} number {at}: {error}" if was_hit else ""), outcome
