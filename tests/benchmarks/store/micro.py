"""The single numbers beside the table: commits again, one tensor, small files, search, start."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.store import data, pickles, rounds
from tests.benchmarks.store.checks import Check
from tests.benchmarks.store.measure import command, disk, empty, quiet, report, settle, warm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["PARTS", "Micro", "run"]

PROGRAMS = Path(__file__).with_name("programs")
TIMES = 11


@dataclass(frozen=True, slots=True)
class Micro:
    """Where, and how much of everything."""

    work: Path
    model_mb: int = 685
    again_mb: int = 1000
    small_versions: int = 10_000
    searched_versions: int = 100_000

    def place(self, name: str) -> Path:
        return empty(self.work.absolute() / "stores" / f"micro-{name}")

    def program(self, script: str, *arguments: object) -> tuple[Any, dict[str, Any]]:
        argv = [sys.executable, str(PROGRAMS / script), *map(str, arguments)]
        return report(argv, env=quiet(self.work.absolute() / "home"), cwd=self.work)


def run(micro: Micro, parts: list[str]) -> list[Check]:
    """The chosen parts, each in its own yard that is removed afterwards."""
    found: list[Check] = []
    for part in parts:
        for check in PARTS[part](micro):
            limit = "" if check.limit is None else f" (limit {check.limit:g})"
            line = f"{check.group}: {check.what} {check.value:.4g} {check.unit}{limit} {check.note}"
            print(line, file=sys.stderr, flush=True)
            found.append(check)
    shutil.rmtree(micro.work / "stores", ignore_errors=True)
    return found


def again(micro: Micro) -> Iterator[Check]:
    """A file committed again: read because its time changed, and not read."""
    place = micro.place("again")
    base = rounds.files_of(micro.work, "fp32", micro.again_mb, "a")["a"]
    file = place / base.name
    shutil.copyfile(base, file)
    micro.program("run_yard.py", "init", place / "yard")
    micro.program("run_yard.py", "push", place / "yard", file)
    read, whole, summed, known, second = [], [], [], [], []
    for turn in range(5):
        warm(file)
        settle(place)
        env = quiet(place / "home")
        summed.append(command(["sha256sum", str(file)], env=env)[0].wall)
        earlier = time.time_ns() - 3_600_000_000_000 + turn
        os.utime(file, ns=(earlier, earlier))  # not now: a file changed this moment is not trusted
        cost, said = micro.program("time_yard.py", "recommit", place / "yard", file)
        read.append(said["inside"])
        whole.append(cost.wall)
        _, said = micro.program("time_yard.py", "recommit", place / "yard", file)
        known.append(said["inside"])
        second.append(said["second"])
    sha, size = statistics.median(summed), f"{micro.again_mb} MB"
    speed = sha / statistics.median(read)
    note = f"commit {statistics.median(read):.3f} s, sha256sum {sha:.3f} s, {size}"
    yield Check("again", "speed against sha256sum, read", speed, 0.85, "x", True, note)
    note = "with the start of Python"
    yield Check("again", "the same", sha / statistics.median(whole), None, "x", note=note)
    unread = statistics.median(known) * 1000
    note = f"{size}; the next in the same process {statistics.median(second) * 1000:.1f} ms"
    yield Check("again", "same size, time and inode", unread, 50, "ms", note=note)
    shutil.rmtree(place)


def one_tensor(micro: Micro) -> Iterator[Check]:
    """A 4 MiB tensor out of the base version, in fresh processes with an open yard."""
    yard = micro.place("tensor") / "yard"
    base = rounds.files_of(micro.work, "fp32", micro.model_mb, "a")["a"]
    micro.program("run_yard.py", "init", yard)
    micro.program("run_yard.py", "push", yard, base)
    last = data.Plan("fp32", micro.model_mb).specs()[-4][0].split(".")[1]
    names = [f"layers.{number:02d}.q.weight" for number in range(int(last) + 1)]
    warm(yard)
    said = [
        micro.program("time_yard.py", "tensor", yard, names[turn % len(names)])[1]
        for turn in range(TIMES)
    ]
    took = statistics.median(one["inside"] for one in said) * 1000
    note = f"{said[0]['bytes'] / 2**20:.3g} MiB of {micro.model_mb} MB"
    yield Check("tensor", "one tensor by range read", took, 15, "ms", note=note)
    shutil.rmtree(yard.parent)


def small(micro: Micro) -> Iterator[Check]:
    """Thousands of versions of a small pickle, one by one in one process."""
    folder = pickles.make(micro.work)
    kinds = [("drift", "scan", 8.0), ("drift", "noscan", 4.0), ("apart", "noscan", None)]
    for way, scan, limit in kinds:
        place = micro.place("small")
        micro.program("run_yard.py", "init", place / "yard")
        count = micro.small_versions
        arguments = (place / "yard", folder, count, way, scan)
        _, said = micro.program("time_yard.py", "many", *arguments)
        title = f"{count} versions, {'scanned' if scan == 'scan' else 'not scanned'}, {way}"
        note = f"{said['wall'] * 1000:.2f} ms by the clock"
        yield Check("small", f"{title}: CPU a commit", said["cpu"] * 1000, limit, "ms", note=note)
        share = disk(place / "yard") / said["raw"]
        note = f"{said['raw'] / count / 1000:.1f} kB each, catalog included"
        limit = 0.02 if way == "drift" else None
        yield Check("small", f"{title}: stored, of raw", share, limit, note=note)
        shutil.rmtree(place)


def differences(micro: Micro) -> Iterator[Check]:
    """Diffs of the base with the other versions, values compared where chunks differ."""
    yard = micro.place("diff") / "yard"
    files = rounds.files_of(micro.work, "fp32", micro.model_mb, "abcd")
    micro.program("run_yard.py", "init", yard)
    for file in files.values():
        micro.program("run_yard.py", "push", yard, file)
    for number, case in enumerate("bcd", 2):
        said = [micro.program("time_yard.py", "diff", yard, 1, number)[1] for _ in range(3)]
        took = statistics.median(one["inside"] for one in said)
        note = said[0]["summary"]
        yield Check("diff", f"base and: {data.CASES[case]}", took, None, "s", note=note)
    shutil.rmtree(yard.parent)


def search(micro: Micro) -> Iterator[Check]:
    """First pages of many kinds of query over many versions."""
    place = micro.place("search")
    count = micro.searched_versions
    micro.program("time_yard.py", "populate", place / "yard", count)
    _, said = micro.program("time_yard.py", "search", place / "yard", 10)
    took = sorted(one for times in said["took"].values() for one in times)
    slowest = max(said["took"], key=lambda query: statistics.median(said["took"][query]))
    note = f"median {statistics.median(took) * 1000:.1f} ms, slowest query: {slowest or '(all)'}"
    p95 = took[int(len(took) * 0.95)] * 1000
    yield Check("search", f"{count} versions, p95 of a first page", p95, 30, "ms", note=note)
    shutil.rmtree(place)


def start(micro: Micro) -> Iterator[Check]:
    """What it costs to begin: processor seconds of whole processes."""
    env = quiet(micro.work.absolute() / "home")

    def median(argv: list[str]) -> float:
        command(argv, env=env)
        return statistics.median(command(argv, env=env)[0].cpu for _ in range(TIMES)) * 1000

    bare = median([sys.executable, "-c", "pass"])
    imported = median([sys.executable, "-c", "import modelyard"])
    note = f"of which {bare:.0f} ms are Python's own"
    yield Check("start", "import modelyard, CPU", imported, 100, "ms", note=note)
    shown = median([str(Path(sys.executable).with_name("yard")), "--help"])
    yield Check("start", "yard --help, CPU", shown, 250, "ms", note=note)


def install(micro: Micro) -> Iterator[Check]:
    """The wheel and all it needs, installed into an empty environment."""
    place = micro.place("install")
    root = Path(__file__).parents[3]
    uv = str(Path(sys.executable).with_name("uv"))
    quietly = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([uv, "build", "--wheel", "-o", str(place / "dist"), str(root)], **quietly)
    subprocess.run([uv, "venv", "-p", sys.executable, str(place / "venv")], **quietly)
    (wheel,) = (place / "dist").glob("*.whl")
    python = str(place / "venv/bin/python")
    subprocess.run([uv, "pip", "install", "-p", python, str(wheel)], **quietly, cwd=root)
    size = disk(place / "venv") / 1e6
    note = f"the wheel itself {wheel.stat().st_size / 1e6:.2f} MB"
    yield Check("install", "core install", size, 150, "MB", note=note)
    shutil.rmtree(place)


PARTS: dict[str, Callable[[Micro], Iterator[Check]]] = {
    "start": start,
    "install": install,
    "again": again,
    "tensor": one_tensor,
    "diff": differences,
    "small": small,
    "search": search,
}
