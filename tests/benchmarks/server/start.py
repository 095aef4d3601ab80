"""How long a server takes until it answers, and what it takes of the memory when nobody asks."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.server.load import bytes_of
from tests.benchmarks.store.checks import Check
from tests.server.running import running

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["start"]

_ROUNDS = 5


def start(work: Path) -> Iterator[Check]:
    """Seconds to the first 200 of /health, of a new yard and of one that is there; idle memory."""
    new, again, sizes = [], [], []
    with tempfile.TemporaryDirectory(dir=work) as place:
        for turn in range(_ROUNDS):
            folder = Path(place) / str(turn)
            for took in (new, again):
                began = time.perf_counter()
                with running(folder) as server:
                    took.append(time.perf_counter() - began)
                    time.sleep(1.0)
                    sizes.append(bytes_of(server.process.pid))
    yield Check("start", "a new yard, ready after", median(new), 2.0, "s")
    yield Check("start", "a yard that is there, ready after", median(again), 2.0, "s")
    yield Check("start", "memory when idle", median(sizes) / 1e6, 150, "MB")
