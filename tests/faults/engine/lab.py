"""One fault after another: a yard is copied, an operation hurt, and what is left looked at."""

from __future__ import annotations

import random
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.faults.engine.check import Findings, check
from tests.faults.engine.operations import OPERATIONS, REBUILDS, prepare
from tests.faults.engine.power import CUTS, Disk
from tests.faults.engine.recording import record, told
from tests.faults.engine.victim import build_yard, suffer
from tests.faults.engine.yards import Wanted

from modelyard.testing.process import Nursery, Worker

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.engine.places import Injury

__all__ = ["Lab", "Row"]

_PATIENCE = 60.0
"""Seconds that a hurt operation may take."""


@dataclass
class Row:
    """One fault and what came of it."""

    kind: str
    operation: str
    place: str
    outcome: str
    """`acknowledged`, `refused: KIND`, `killed`, `broken`."""
    acknowledged: int
    findings: Findings = field(default_factory=Findings)
    sealed: bool = False
    """Whether the yard is encrypted."""

    @property
    def fine(self) -> bool:
        return not self.findings and not self.outcome.startswith("broken")

    def __str__(self) -> str:
        words = [self.kind, self.operation, self.place, self.outcome]
        words += ["sealed"] * self.sealed
        if self.findings:
            words.append(f"LOST {self.findings.lost} WRONG {self.findings.wrong}")
        return " | ".join(words)


class Lab:
    """A place to hurt yards. Use it as a context.

    Args:
        room: A folder of its own; what went wrong stays in it.
        seed: Of everything that chance decides.
    """

    def __init__(self, room: Path, seed: int) -> None:
        self.room = room
        self.rng = random.Random(seed)
        self.nursery = Nursery("tests.faults.engine.victim:warm")
        self.rows: list[Row] = []
        self.sealed = False
        """Whether the yards that are hurt now are encrypted."""
        self._bases: dict[bool, tuple[Path, Wanted]] = {}
        self._places: dict[tuple[str, int, bool], list[str]] = {}
        self._number = 0

    def __enter__(self) -> Lab:
        self.room.mkdir(parents=True, exist_ok=True)
        self.nursery.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.nursery.__exit__(*error)

    @property
    def base(self) -> Path:
        """The yard that is copied for each fault."""
        return self._base()[0]

    @property
    def wanted(self) -> Wanted:
        """What is in it."""
        return self._base()[1]

    def _base(self) -> tuple[Path, Wanted]:
        if self.sealed not in self._bases:
            folder = self.room / ("sealed-base" if self.sealed else "base")
            nurse = self.nursery.start()
            desk = self.room / f"{folder.name}-desk"
            wanted = nurse.call(build_yard, str(folder), desk, self.sealed)
            nurse.stop()
            self._bases[self.sealed] = folder, wanted
        return self._bases[self.sealed]

    def operation(self, *but: str) -> str:
        """Any of the operations that can be done to such a yard."""
        but = (*but, "migrate") if self.sealed else but  # the first schema knew no encryption
        return self.rng.choice([name for name in OPERATIONS if name not in but])

    def place(self) -> Path:
        """A new folder for one fault."""
        self._number += 1
        folder = self.room / str(self._number)
        (folder / "desk").mkdir(parents=True)
        return folder

    def yard(self, place: Path, operation: str = "") -> Path:
        """A copy of the yard, ready for an operation."""
        folder = place / "yard"
        shutil.copytree(self.base, folder)
        prepare(operation, folder, sealed=self.sealed)
        return folder

    def keep(self, row: Row, place: Path) -> Row:
        """Take a row into the count; the folder goes if all is well."""
        row.sealed = self.sealed
        self.rows.append(row)
        if row.fine:
            shutil.rmtree(place, ignore_errors=True)
        return row

    def places_of(self, operation: str, seed: int = 0) -> list[str]:
        """Where an operation can be hurt, in order."""
        key = operation, seed, self.sealed
        if key not in self._places:
            place = self.place()
            folder = self.yard(place, operation)
            worker = self.nursery.start()
            worker.begin(suffer, operation, str(folder), place / "desk", seed, None)
            (result,) = [value for kind, value in worker.told() if kind == "result"]
            worker.stop()
            assert result[0] == ("finished",), result
            self._places[key] = result[1]
            shutil.rmtree(place)
        return self._places[key]

    def cut_power(
        self, operations: tuple[str, ...], count: int, *, fsync: bool = True
    ) -> list[Row]:
        """Cut the power at many moments of one run of some operations."""
        place = self.place()
        top = place / "top"
        top.mkdir()
        desk = place / "desk"
        wanted = Wanted()
        if operations[0] != "create":
            wanted = self.wanted.copy()
            shutil.copytree(self.base, top / "yard")
            prepare(operations[0], top / "yard", sealed=self.sealed)
        disk = Disk(top)
        words = ["-m", "tests.faults.engine.recorded", str(top / "yard"), str(desk), "0"]
        environment = {} if fsync else {"FAULTS_NO_FSYNC": "1"}
        events = record([*words, *operations], place / "trace", top, **environment)
        shutil.rmtree(top)
        moments = sorted(self.rng.sample(range(len(events)), min(count, len(events))))
        rows = []
        for at, event in enumerate(events):
            if at in moments:
                how = self.rng.choice(CUTS)
                where = f"{how} kept, before {event}"
                row = Row("power cut", "+".join(operations), where, "cut", wanted.acknowledged)
                cut = self.place()
                disk.cut(cut / "top", how, self.rng)
                row.findings = judged(
                    cut / "top" / "yard", cut / "desk", wanted.copy(), self.rng,
                    rebuild=self.rng.random() < 0.25, may_be_lost=operations[0] in REBUILDS,
                )  # fmt: skip
                rows.append(self.keep(row, cut))
            disk.follow(event)
            if event.what == "tell":
                wanted.note(told(event))
        shutil.rmtree(place, ignore_errors=True)
        return rows

    def hurt(
        self,
        kind: str,
        operation: str,
        injury: Injury | None,
        *,
        seed: int = 0,
        life: float = 0,
        rebuild: float = 0.25,
    ) -> Row:
        """One operation with one injury, or, without one, a life of some seconds.

        Args:
            rebuild: How likely the catalog is rebuilt afterwards.
        """
        place = self.place()
        folder = self.yard(place, operation)
        wanted = self.wanted.copy()
        worker = self.nursery.start()
        worker.begin(suffer, operation, str(folder), place / "desk", seed, injury)
        outcome, where = follow(worker, wanted, life or _PATIENCE)
        if outcome == "late" and not life:
            outcome = f"broken: nothing came of it in {_PATIENCE} s"
        elif outcome == "late":
            outcome, where = "killed", f"after {life * 1000:.0f} ms"
        row = Row(kind, operation, where, outcome, wanted.acknowledged)
        row.findings = judged(
            folder, place / "desk", wanted, self.rng,
            rebuild=self.rng.random() < rebuild, may_be_lost=operation in REBUILDS,
        )  # fmt: skip
        return self.keep(row, place)


def follow(worker: Worker, wanted: Wanted, patience: float) -> tuple[str, str]:
    """Listen to a victim to its end; gives the outcome and the place where it was hurt."""
    outcome, where = "late", "nowhere"
    deadline = time.monotonic() + patience
    try:
        for kind, value in _all_told(worker, deadline):
            if kind == "result":
                outcome = _outcome(value[0])
            elif kind == "gone":
                outcome = "killed"
            elif value[0] == "hurt":
                where = value[1]
            else:
                wanted.note(value)
    finally:
        worker.kill()
    return outcome, where


def _all_told(worker: Worker, deadline: float):
    done = False
    for kind, value in worker.told(deadline):
        done = done or kind == "result"
        yield kind, value
    if done:
        return
    if time.monotonic() < deadline:
        yield "gone", None
        return
    worker.kill()
    yield from worker.drain()


def _outcome(told: tuple) -> str:
    if told[0] == "finished":
        return "acknowledged"
    if told[0] == "refused":
        return f"refused: {told[1]}"
    return f"broken: {told[1]}"


def judged(
    folder: Path, desk: Path, wanted: Wanted, rng: random.Random, **options: bool
) -> Findings:
    """What `check` finds; that it can't even look is a finding too."""
    try:
        return check(folder, desk, wanted, rng, **options)
    except Exception as error:
        return Findings(wrong=[f"{type(error).__name__}: {error}"])
