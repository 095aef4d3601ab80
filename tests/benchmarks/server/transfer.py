"""Commit and checkout of 1 GB, in a folder and through a server on loopback; and interrupted ones.

The server's disk, the client's disk and both processes are those of one machine: what a network
would take is not in these numbers, what both sides compute is.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from tests.benchmarks.store.checks import Check
from tests.server.running import running

from modelyard.client.remote import RemoteYard
from modelyard.registry import create
from modelyard.testing.models import safetensors_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelyard.core.yard import Yard

__all__ = ["transfer"]

_BYTES = 1 << 30
_ROUNDS = 3


def transfer(work: Path, size: int = _BYTES) -> Iterator[Check]:
    """Seconds here and far, and the share of the local speed that is reached far."""
    with tempfile.TemporaryDirectory(dir=work) as place:
        root = Path(place)
        source = _source(root / "source", size)
        here, far = [], []
        for number in range(_ROUNDS):
            with create(root / f"local-{number}") as yard:
                here.append(_measured(yard, source, root / "out"))
            shutil.rmtree(root / f"local-{number}")
            with running(root / f"yard-{number}", accounts=False) as server:
                around = {"XDG_CACHE_HOME": str(root / "cache"), "HOME": str(root)}
                with RemoteYard.at(server.url, environment=around) as yard:
                    list(yard.models())
                    far.append(_measured(yard, source, root / "out"))
            shutil.rmtree(root / f"yard-{number}")
    for i, what in enumerate(("commit", "checkout")):
        local, remote = median(each[i] for each in here), median(each[i] for each in far)
        yield Check("transfer", f"{what} of {size >> 20} MiB, here", local, None, "s")
        yield Check("transfer", f"{what}, through the server", remote, None, "s")
        yield Check("transfer", f"{what}, share of local speed", 100 * local / remote, 60, "%",
                    at_least=True)  # fmt: skip


def _source(folder: Path, size: int) -> Path:
    """Weights as they are after training: floats that hardly compress."""
    rng = np.random.default_rng(1)
    folder.mkdir()
    rows = 16 << 20
    tensors = {
        f"layer{i}.weight": rng.standard_normal((4096, rows // 4096), dtype=np.float32)
        for i in range(size // (4 * rows))
    }
    (folder / "model.safetensors").write_bytes(safetensors_bytes(tensors))
    return folder


def _measured(yard: Yard, source: Path, out: Path) -> tuple[float, float]:
    committed = _seconds(lambda: yard.commit("m", source))
    checked_out = _seconds(lambda: yard.checkout("m", None, out))
    shutil.rmtree(out)
    return committed, checked_out


def _seconds(work: Callable[[], object]) -> float:
    os.sync()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
