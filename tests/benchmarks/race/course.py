"""The race itself: servers in processes of their own, then a look at what is left."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.race.server import content

from modelyard.registry import create, open_yard
from modelyard.testing.models import read_tree

__all__ = ["Outcome", "race"]

_SERVERS = 2
_LONGEST_END = 120.0


@dataclass
class Outcome:
    """How it went."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    """Everything that is not as promised; nothing, if all is well."""

    def lines(self) -> list[str]:
        return [f"{name:24}{number:10,}" for name, number in sorted(self.counts.items())]


def race(
    seconds: float, *, store: str | None = None, catalog: str | None = None, grace: float = 0.02
) -> Outcome:
    """Let two servers work on one yard for so long.

    Args:
        store: URL of an empty store; a folder if not given.
        catalog: URL of an empty database; SQLite in the folder if not given.
        grace: Minutes that gc leaves bytes for readers.
    """
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="race-") as name:
        place = Path(name)
        shared = catalog is None
        folders = [_folder(place / "a", store, catalog, grace)]
        folders.append(folders[0] if shared else _folder(place / "b", store, catalog, grace))
        kept = _run(place, folders, seconds, outcome)
        if not outcome.wrong:
            _look(folders[0], place, kept, outcome)
    return outcome


def _folder(place: Path, store: str | None, catalog: str | None, grace: float) -> Path:
    create(place, store=store, catalog=catalog).close()
    config = place / "yard.toml"
    lines = ["version = 1"]
    lines += [f'[store]\nurl = "{store}"'] if store else []
    lines += [f'[catalog]\nurl = "{catalog}"'] if catalog else []
    lines += [f"[gc]\nkeep_deleted_days = 0\ngrace_minutes = {grace}"]
    config.write_text("\n".join(lines) + "\n")
    return place


def _run(
    place: Path, folders: list[Path], seconds: float, outcome: Outcome
) -> dict[tuple[str, int], int]:
    outs = [place / f"server{number}.json" for number in range(_SERVERS)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.race.server",
             str(folder), str(number), str(seconds), str(out)],
            stderr=subprocess.PIPE, text=True,
        )
        for number, (folder, out) in enumerate(zip(folders, outs, strict=True))
    ]  # fmt: skip
    until = time.monotonic() + seconds + _LONGEST_END
    kept: dict[tuple[str, int], int] = {}
    for process, out in zip(processes, outs, strict=True):
        try:
            _, errors = process.communicate(timeout=max(until - time.monotonic(), 1))
        except subprocess.TimeoutExpired:
            process.send_signal(6)  # faulthandler tells where it hangs
            _, errors = process.communicate()
            outcome.wrong.append(f"a server did not end: {errors[-3000:]}")
            continue
        if process.returncode or not out.exists():
            outcome.wrong.append(f"a server died of {process.returncode}: {errors[-3000:]}")
            continue
        told = json.loads(out.read_text())
        outcome.counts.update(told["counts"])
        outcome.wrong += told["wrong"]
        kept |= {(model, number): seed for model, number, seed in told["kept"]}
    return kept


def _look(folder: Path, place: Path, kept: dict[tuple[str, int], int], outcome: Outcome) -> None:
    yard = open_yard(folder)
    try:
        for round_ in ("before", "after"):
            report = yard.verify()
            if not report.ok:
                outcome.wrong.append(f"verify {round_} the last gc: {report.damage}")
            for (model, number), seed in kept.items():
                out = place / "out" / round_ / model / str(number)
                yard.checkout(model, number, out)
                if read_tree(out) != content(seed):
                    outcome.wrong.append(f"{model}@{number} is not content {seed}")
            yard.gc()
        outcome.counts["read back at the end"] = len(kept)
    finally:
        yard.close()
