"""Metrics of what is served, of all processes of a server together.

Each process writes its own down now and then; whichever is asked adds them up. What processes
counted that are gone stays counted, so that no counter goes back.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["added_up", "all_metrics", "write_down"]

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Set where there are several processes, for those of the control plane too."""


def write_down(text: str) -> None:
    """Leave this process's metrics for the others."""
    folder = os.environ.get(_FOLDER)
    if folder is None:
        return
    place = Path(folder) / f"served-{os.getpid()}.prom"
    part = place.with_suffix(".part")
    with suppress(OSError):
        part.write_text(text)
        part.rename(place)


def all_metrics(own: str) -> str:
    """This process's metrics, with those that the others left."""
    folder = os.environ.get(_FOLDER)
    if folder is None:
        return own
    texts = [own]
    for place in sorted(Path(folder).glob("served-*.prom")):
        if place.name != f"served-{os.getpid()}.prom":
            with suppress(OSError):
                texts.append(place.read_text())
    return added_up(texts)


def added_up(texts: Sequence[str]) -> str:
    """Several expositions as one: samples of one name and the same labels are added.

    What is said of a name (`# HELP`, `# TYPE`) is taken from whoever says it first.
    """
    order: dict[str, dict[str, float]] = {}
    heads: dict[str, list[str]] = {}
    for text in texts:
        name = ""
        for line in text.splitlines():
            if line.startswith("#"):
                name = line.split(" ", 3)[2]
                order.setdefault(name, {})
                told = heads.setdefault(name, [])
                if line.split(" ", 3)[1] not in {each.split(" ", 3)[1] for each in told}:
                    told.append(line)
            elif line:
                key, _, value = line.rpartition(" ")
                samples = order.setdefault(name, {})
                samples[key] = samples.get(key, 0.0) + float(value)
    lines = []
    for name, samples in order.items():
        lines += heads.get(name, [])
        lines += [f"{key} {_number(value)}" for key, value in samples.items()]
    return "\n".join(lines) + "\n" if lines else ""


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
