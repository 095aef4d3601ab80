"""What must be reached: the limits of the table, and how a run stands to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.store.data import FRONT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.benchmarks.store.rounds import Summary

    Summaries = Mapping[tuple[str, str, str], Summary]

__all__ = ["OURS", "Check", "Limits", "of_rounds"]

OURS = "modelyard"


@dataclass(frozen=True, slots=True)
class Check:
    """A measured number and its limit; without one it is only told."""

    group: str
    what: str
    value: float
    limit: float | None = None
    unit: str = ""
    at_least: bool = False
    note: str = ""

    @property
    def passed(self) -> bool | None:
        if self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass(frozen=True, slots=True)
class Limits:
    """One row of the table: shares of raw by dtype, then times as parts of the peers'."""

    stored: Mapping[str, float]
    push_xet: float
    pull_xet: float
    pull_cp: float


LIMITS: dict[str, Limits] = {
    "a": Limits({"fp32": 0.84, "bf16": 0.67}, 1 / 3, 1 / 2, 1.5),
    "b": Limits({"fp32": 0.06, "bf16": 0.02}, 1 / 2, 1 / 2, 1.7),
    "c": Limits({"fp32": 0.50, "bf16": 0.02}, 1 / 3, 3 / 4, 2.5),
    "d": Limits({"fp32": 0.0003, "bf16": 0.0003}, 1 / 2, 1 / 2, 1.7),
    "e": Limits({"fp32": 0.0005, "bf16": 0.0005}, 2 / 3, 1 / 2, 1.7),
}
TUNED = {"minilm-fp32": 0.31, "minilm-bf16": 0.09}
OTHERS = {"dvc": 1 / 5, "lfs": 1 / 2}


def of_rounds(summaries: Summaries) -> list[Check]:
    """All checks that the measured tools and cases allow."""
    found: list[Check] = []
    for dtype, case, peer in summaries:
        if peer == OURS:
            found += _stored(summaries, dtype, case)
            found += _times(summaries, dtype, case)
    return found


def _stored(summaries: Summaries, dtype: str, case: str) -> Iterator[Check]:
    ours = summaries[dtype, case, OURS]
    group = f"{case} {dtype}"
    if case == "tuned":
        yield Check(group, "stored, of raw", ours.share, TUNED[dtype])
    elif case == "d":
        front = FRONT[1][0] * FRONT[1][1] * (4 if dtype.startswith("fp32") else 2)
        beyond = (ours.added - front) / ours.size
        note = f"all that was added: {ours.share:.5f} of raw"
        limit = LIMITS[case].stored[dtype.split()[0]]
        yield Check(group, "stored beyond the tensor, of raw", beyond, limit, note=note)
    elif case in LIMITS:
        yield Check(group, "stored, of raw", ours.share, LIMITS[case].stored[dtype.split()[0]])


def _times(summaries: Summaries, dtype: str, case: str) -> Iterator[Check]:
    if case not in LIMITS:
        return
    limits = LIMITS[case]
    wanted = [("push", "xet", limits.push_xet), ("pull", "xet", limits.pull_xet)]
    wanted += [("pull", "cp", limits.pull_cp)]
    wanted += [(step, peer, limit) for peer, limit in OTHERS.items() for step in ("push", "pull")]
    if case == "a":
        wanted.append(("push", "cp+sync+sha256sum", 1.0))
    for step, peer, limit in wanted:
        if (dtype, case, peer) in summaries:
            yield _ratio(summaries, (dtype, case, peer), step, limit)


def _ratio(summaries: Summaries, key: tuple[str, str, str], step: str, limit: float) -> Check:
    """Call against call where the peer is a library or a bare copy, else process against process.

    `xet` is measured inside its Python as we are; `cp` has no start to speak of.
    """
    dtype, case, peer = key
    ours, theirs = summaries[dtype, case, OURS], summaries[key]
    mine, other = getattr(ours, step), getattr(theirs, step)
    called, theirs_called = getattr(ours, f"{step}_inside"), getattr(theirs, f"{step}_inside")
    cpu = getattr(ours, f"{step}_cpu"), getattr(theirs, f"{step}_cpu")
    word = {"push": "commit", "pull": "checkout"}[step]
    whole = mine / other
    note = f"whole processes {mine:.2f} / {other:.2f} s = {whole:.2f}"
    note += f", CPU {cpu[0]:.2f} / {cpu[1]:.2f} s"
    if called and (theirs_called or peer.startswith("cp")):
        mine, other = called, theirs_called or other
        note = f"calls {mine:.2f} / {other:.2f} s; {note}"
    if step == "push":
        durable = (mine + ours.flush) / (other + theirs.flush)
        note += f"; with a sync of both {durable:.2f}"
    return Check(f"{case} {dtype}", f"{word} against {peer}", mine / other, limit, note=note)
