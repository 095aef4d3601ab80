"""Metrics of what is served, of all processes of a server together.

Each process writes its own down now and then; whichever is asked adds them up. What processes
counted that are gone stays counted, so that no counter goes back; their gauges are gone with them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from modelyard.core.exposition import added_up, only_counted

__all__ = ["all_metrics", "write_down"]

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
        pid = place.stem.removeprefix("served-")
        if pid.isdigit() and int(pid) != os.getpid():
            with suppress(OSError):
                text = place.read_text()
                texts.append(text if _lives(int(pid)) else only_counted(text))
    return added_up(texts)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it does, and is not ours
        return True
    return True
