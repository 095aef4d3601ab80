"""Rounds: in each, every tool stores every case in a fresh store and brings each back, verified.

A tool's five pushes and five pulls stay together (with all tools at once the files would not stay
in memory); the order of the tools turns from round to round, and every time is a median of rounds.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.store import data, venvs
from tests.benchmarks.store.measure import empty, flushed, quiet, same, settle, warm
from tests.benchmarks.store.peers import PEERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.store.measure import Cost
    from tests.benchmarks.store.peers import Peer

__all__ = ["Sample", "Summary", "files_of", "run", "summarize"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One tool, one case, one round."""

    round: int
    peer: str
    dtype: str
    case: str
    size: int
    added: int
    push: Cost
    pull: Cost
    flush: float
    """Seconds that `sync` took right after the push: what a tool that does not fsync left open."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Medians over the rounds of one tool and case."""

    size: int
    added: int
    push: float
    push_cpu: float
    push_inside: float | None
    flush: float
    pull: float
    pull_cpu: float
    pull_inside: float | None

    @property
    def share(self) -> float:
        return self.added / self.size


def files_of(
    work: Path, dtype: data.Dtype, megabytes: int, cases: Sequence[str]
) -> dict[str, Path]:
    """The files of the cases, made now if they are not there yet."""
    folder = work / "data" / f"{dtype}-{megabytes}"
    plan = data.Plan(dtype, megabytes)
    files = {case: data.make(plan, case, folder) for case in cases if case != "e"}
    if "e" in cases:
        base = data.make(plan, "a", folder)
        saved = folder / "e" / data.file_name("e")
        if not saved.exists():
            saved.parent.mkdir(parents=True, exist_ok=True)
            program = str(Path(__file__).with_name("programs") / "save_torch.py")
            torch = str(venvs.python(work, "torch"))
            env = quiet(work.absolute() / "home")
            subprocess.run([torch, program, str(base), str(saved)], check=True, env=env)
        files["e"] = saved
    return files


def run(
    work: Path, dtype: str, files: dict[str, Path], peers: Sequence[str], rounds: int
) -> list[Sample]:
    """All rounds of one dtype."""
    samples: list[Sample] = []
    for number in range(1, rounds + 1):
        turn = (number - 1) % len(peers)
        for name in [*peers[turn:], *peers[:turn]]:
            warm(*files.values())
            found = _one_tool(work, name, dtype, files, number)
            samples += found
            _tell(number, rounds, name, dtype, found)
    return samples


def _one_tool(
    work: Path, name: str, dtype: str, files: dict[str, Path], number: int
) -> list[Sample]:
    peer = PEERS[name](work, work / "stores" / f"{name}-{dtype.split()[0]}", dtype)
    pushed: dict[str, tuple[int, Cost, float]] = {}
    for case, file in files.items():
        peer.ready(case, file)
        before = peer.stored()
        settle(peer.place, file.stat().st_size)
        cost = peer.push(case, file)
        flush = flushed()
        pushed[case] = peer.stored() - before, cost, flush
    samples = []
    for case, file in files.items():
        added, push, flush = pushed[case]
        pull = _pull(peer, case, file)
        size = file.stat().st_size
        samples.append(Sample(number, name, dtype, case, size, added, push, pull, flush))
    shutil.rmtree(peer.place)
    return samples


def _pull(peer: Peer, case: str, file: Path) -> Cost:
    dest = empty(peer.place / "pulled")
    peer.forget(case)
    warm(peer.store)
    settle(peer.place, file.stat().st_size)
    cost = peer.pull(case, file.name, dest)
    if not same(file, dest / file.name):
        raise RuntimeError(f"{peer.name} brought back other bytes for case {case}")
    return cost


def summarize(samples: Sequence[Sample]) -> dict[tuple[str, str, str], Summary]:
    """Medians by (dtype, case, tool)."""
    groups: dict[tuple[str, str, str], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.dtype, sample.case, sample.peer), []).append(sample)
    return {key: _medians(group) for key, group in groups.items()}


def _medians(group: Sequence[Sample]) -> Summary:
    def middle(step: str, part: str) -> Any:
        values = [getattr(getattr(sample, step), part) for sample in group]
        return None if None in values else statistics.median(values)

    return Summary(
        size=group[0].size,
        added=int(statistics.median(sample.added for sample in group)),
        push=middle("push", "wall"),
        push_cpu=middle("push", "cpu"),
        push_inside=middle("push", "inside"),
        flush=statistics.median(sample.flush for sample in group),
        pull=middle("pull", "wall"),
        pull_cpu=middle("pull", "cpu"),
        pull_inside=middle("pull", "inside"),
    )


def _tell(number: int, rounds: int, name: str, dtype: str, found: Sequence[Sample]) -> None:
    push = " ".join(f"{sample.push.wall:.2f}" for sample in found)
    pull = " ".join(f"{sample.pull.wall:.2f}" for sample in found)
    share = " ".join(f"{sample.added / sample.size:.4f}" for sample in found)
    line = f"round {number}/{rounds} {dtype} {name:18} push {push} | pull {pull} | stored {share}"
    print(line, file=sys.stderr, flush=True)
