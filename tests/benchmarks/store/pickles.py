"""10,000 versions of a small pickle: 40 trained models, each then changed in two doubles a version.

`drift` adds to the changes of the version before, `apart` changes the trained model afresh.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["RUN", "make", "versions"]

RUN = 250
"""Versions that descend from one trained model."""


def make(work: Path) -> Path:
    """The folder with the trained models, made now if it is not there."""
    from tests.benchmarks.store import venvs
    from tests.benchmarks.store.measure import quiet

    folder = work.absolute() / "data" / "pickles"
    if not (folder / "doubles.json").exists():
        print("training 40 models", file=sys.stderr)
        program = str(Path(__file__).with_name("programs") / "make_pickles.py")
        argv = [str(venvs.python(work, "sklearn")), program, str(folder)]
        subprocess.run(argv, check=True, env=quiet(work.absolute() / "home"))
    return folder


def versions(folder: Path, count: int, way: str) -> Iterator[bytes]:
    """The bytes of `count` versions, the same every time."""
    places = json.loads((folder / "doubles.json").read_text())
    names = sorted(places)
    rng = np.random.default_rng(7)
    for number in range(count):
        name = names[number // RUN % len(names)]
        if number % RUN == 0 or way == "apart":
            content = bytearray((folder / f"{name}.pkl").read_bytes())
        if number % RUN:
            for at in rng.choice(places[name], 2, replace=False):
                value = np.frombuffer(content, np.float64, 1, at) * (1 + 1e-3 * rng.normal())
                content[at : at + 8] = value.tobytes()
        yield bytes(content)
