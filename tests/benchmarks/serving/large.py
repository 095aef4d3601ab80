"""Bodies of 10 MB by the binary extension, beside an echo that reads as much."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from tests.benchmarks.serving.generator import Records, load
from tests.benchmarks.serving.ours import alone
from tests.benchmarks.serving.peers import Asked, echo

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.serving.models import Models

__all__ = ["Large", "ten_megabytes"]

_BYTES, _COLUMNS = 10_000_000, 1000


@dataclass(frozen=True, slots=True)
class Large:
    """The same requests to both, in turns."""

    ours: Records
    echo: Records
    growth: float
    """Of the server's memory at its highest, in bodies."""

    @property
    def added(self) -> float:
        """Seconds beyond reading the socket, by the medians."""
        return self.ours.within(0.5) - self.echo.within(0.5)


def ten_megabytes(yard: Path, models: Models, *, rounds: int = 5, count: int = 20) -> Large:
    """Ask a model that takes a few numbers out of what it gets."""
    rows = _BYTES // 4 // _COLUMNS
    tensor = np.zeros((rows, _COLUMNS), "<f4")
    one = {
        "name": "x", "shape": [rows, _COLUMNS], "datatype": "FP32",
        "parameters": {"binary_data_size": tensor.nbytes},
    }  # fmt: skip
    wanted = [{"name": "y", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": [one], "outputs": wanted}).encode()
    body = head + tensor.tobytes()
    with alone(yard, ["peek"]) as (up, token), echo(models) as floor:
        headers = {
            "authorization": f"Bearer {token}", "inference-header-content-length": str(len(head)),
            "content-type": "application/octet-stream",
        }  # fmt: skip
        ours = Asked(up.port, "/v2/models/peek/infer", body, headers)
        bare = replace(floor.questions["onx"], body=body)
        found: dict[str, list[Records]] = {"ours": [], "echo": []}
        before = _highest(up.pids[0])
        for _ in range(rounds):
            for name, asked, text in (("ours", ours, '"y"'), ("echo", bare, '"label"')):
                found[name].append(load([asked], connections=1, count=count, expected=(text,)))
        growth = (_highest(up.pids[0]) - before) / len(body)
    both = {name: Records(np.concatenate([r.rows for r in some])) for name, some in found.items()}
    if any(records.failed for records in both.values()):
        raise RuntimeError(f"{ {name: records.counts() for name, records in both.items()} }")
    return Large(both["ours"], both["echo"], growth if math.isfinite(growth) else 0.0)


def _highest(pid: int) -> int:
    """Bytes that a process had resident at most."""
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
