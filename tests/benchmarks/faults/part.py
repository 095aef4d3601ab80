"""Some faults of one kind, in a process of their own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.engine.kinds import KINDS
from tests.faults.engine.lab import Lab

if TYPE_CHECKING:
    from tests.faults.engine.lab import Row

__all__ = ["run"]


def run(part: tuple[str, int, int]) -> list[Row]:
    name, count, seed = part
    with tempfile.TemporaryDirectory(prefix="faults") as room, Lab(Path(room), seed) as lab:
        return KINDS[name].inflict(lab, count)
