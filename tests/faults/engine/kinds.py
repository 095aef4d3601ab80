"""Every kind of fault: what it is, and one function that inflicts one."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.engine.bits import REGIONS, check_damage, flip, repair
from tests.faults.engine.crowd import check_line, write_many
from tests.faults.engine.disks import fail_call, grow_disk, small_disk
from tests.faults.engine.lab import Lab, Row, follow, judged
from tests.faults.engine.operations import OPERATIONS, REBUILDS
from tests.faults.engine.places import WRITES, Injury
from tests.faults.engine.services import break_requests, restart_database
from tests.faults.engine.victim import suffer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["KINDS", "Kind"]

_YEAR = 365 * 86_400.0
_CLOCKS = (-10 * _YEAR, -86_400.0, -3600.0, -5.0, 5.0, 3600.0, 86_400.0, 10 * _YEAR)
_CUT = (
    ("create",), ("commit", "merge", "refs"), ("gc",), ("mix", "commit"), ("migrate",),
    ("lost catalog",), ("delete", "gc"), ("checkout", "commit"),
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """One kind of fault."""

    name: str
    told: str
    """What is done, for the table."""
    share: int
    """How many of 200."""
    inflict: Callable[[Lab, int], list[Row]]
    """Inflict so many."""


def _each(one: Callable[[Lab], Row]) -> Callable[[Lab, int], list[Row]]:
    return lambda lab, count: [one(lab) for _ in range(count)]


def _at_a_place(
    lab: Lab,
    name: str,
    what: str,
    *,
    only: tuple[str, ...] = (),
    rebuild: float = 0.25,
    **injury: object,
) -> Row:
    """Hurt an operation at one of its places, each operation as often as the others."""
    while True:
        operation, seed = lab.rng.choice(list(OPERATIONS)), lab.rng.randrange(4)
        places = lab.places_of(operation, seed)
        fit = [n for n, place in enumerate(places, 1) if not only or place.startswith(only)]
        if not fit:
            continue
        hurt = Injury(what, lab.rng.choice(fit), **injury)
        row = lab.hurt(name, operation, hurt, seed=seed, rebuild=rebuild)
        if row.place != "nowhere":  # threads take turns differently from run to run
            return row
        lab.rows.remove(row)


def _kill_at_a_call(lab: Lab) -> Row:
    what = lab.rng.choice(("kill-before", "kill-after", "kill-half"))
    return _at_a_place(lab, "kill at a call", what)


def _kill_at_any_time(lab: Lab) -> Row:
    operation, life = lab.rng.choice(list(OPERATIONS)), lab.rng.uniform(0.002, 0.2)
    while True:
        row = lab.hurt("kill at any time", operation, None, life=life)
        if row.outcome != "acknowledged":  # it was done before the kill
            return row
        lab.rows.remove(row)
        life /= 2


def _error(name: str, what: str, *, lasting: bool) -> Callable[[Lab], Row]:
    return lambda lab: _at_a_place(lab, name, what, lasting=lasting)


def _short(lab: Lab) -> Row:
    return _at_a_place(lab, "short write", "short", only=tuple(f"{w} " for w in WRITES))


def _lie(lab: Lab) -> Row:
    """Verify is to name what the lie destroyed."""
    operation = lab.rng.choice(("commit", "merge", "mix", "gc"))
    places = lab.places_of(operation)
    fit = [n for n, p in enumerate(places, 1) if p.split()[0] in WRITES and p.endswith("pack")]
    place, wanted = lab.place(), lab.wanted.copy()
    folder = lab.yard(place, operation)
    worker = lab.nursery.start()
    injury = Injury("lie", lab.rng.choice(fit))
    worker.begin(suffer, operation, str(folder), place / "desk", 0, injury)
    outcome, where = follow(worker, wanted, 60)
    row = Row("lying write", operation, where, outcome, wanted.acknowledged)
    if row.fine:
        row.outcome, row.findings = check_damage(folder, place / "desk", wanted, must_see=False)
    return lab.keep(row, place)


def _flipped_bit(lab: Lab) -> Row:
    place, wanted = lab.place(), lab.wanted.copy()
    folder = lab.yard(place)
    where = flip(folder, lab.rng.choice(REGIONS), lab.rng)
    row = Row("flipped bit", "read", where, "", 0)
    row.outcome, row.findings = check_damage(folder, place / "desk", wanted, must_see=True)
    if not row.findings and lab.rng.random() < 0.5:
        row.findings = repair(folder, lab.base, place / "desk", wanted)
        row.outcome += ", repaired from a copy"
    return lab.keep(row, place)


def _clock(lab: Lab) -> Row:
    """A step at a place; or a clock that is wrong all the time, and a kill."""
    ahead = lab.rng.choice(_CLOCKS)
    if lab.rng.random() < 0.5:
        return _at_a_place(lab, "clock steps", "clock", ahead=ahead)
    what = lab.rng.choice(("kill-before", "kill-after"))
    return _at_a_place(lab, "clock steps", what, ahead=ahead, rebuild=1.0)


def _full_disk(lab: Lab) -> Row:
    operation = lab.rng.choice([n for n in OPERATIONS if n not in (*REBUILDS, "checkout")])
    room = lab.rng.randint(40, 800)
    while True:
        row = _on_a_disk_with(lab, operation, room)
        if row.outcome != "acknowledged":  # there was room for all of it
            return row
        lab.rows.remove(row)
        room //= 2


def _on_a_disk_with(lab: Lab, operation: str, room: int) -> Row:
    """Room in kilobytes."""
    place, wanted = lab.place(), lab.wanted.copy()
    taken = sum(-(-path.stat().st_size // 4096) * 4 for path in lab.base.rglob("*"))
    with small_disk(place / "disk", taken + room) as disk:
        folder = disk / "yard"
        shutil.move(lab.yard(place, operation), folder)
        worker = lab.nursery.start()
        worker.begin(suffer, operation, str(folder), place / "desk", 0, None)
        outcome, _ = follow(worker, wanted, 60)
        grow_disk(disk)
        row = Row("small disk full", operation, "the disk", outcome, wanted.acknowledged)
        if row.outcome.startswith("broken: the next command"):  # there still is no room for it
            row.outcome = "refused: again, for there was no room yet"
        row.findings = judged(folder, place / "desk", wanted, lab.rng)
    return lab.keep(row, place)


def _system_call(lab: Lab) -> Row:
    while True:
        place, wanted = lab.place(), lab.wanted.copy()
        operation = lab.rng.choice(list(OPERATIONS))
        folder = lab.yard(place, operation)
        where, outcome = fail_call(folder, place / "desk", operation, wanted, lab.rng)
        if not where:
            shutil.rmtree(place)
            continue
        row = Row("call failed by strace", operation, where, outcome, wanted.acknowledged)
        row.findings = judged(
            folder, place / "desk", wanted, lab.rng, may_be_lost=operation in REBUILDS
        )
        return lab.keep(row, place)


def _writers(lab: Lab) -> Row:
    place, wanted = lab.place(), lab.wanted.copy()
    folder = lab.yard(place)
    processes, threads = lab.rng.randint(1, 4), lab.rng.randint(1, 2)
    processes = max(processes, 2 if threads == 1 else 1)
    killed = processes > 1 and lab.rng.random() < 0.5
    workers = [lab.nursery.start() for _ in range(processes)]
    for number, worker in enumerate(workers):
        worker.begin(write_many, str(folder), place / "desk", number + 1, threads, 3)
    outcome = "all acknowledged"
    if killed:
        follow(workers[0], wanted, lab.rng.uniform(0.05, 0.3))
        outcome = "all acknowledged, one killed"
    refused: list[str] = []
    for worker in workers[killed:]:
        for kind, value in worker.told():
            if kind == "result":
                refused += value[1]
            else:
                wanted.note(value)
        worker.stop()
    if refused:
        outcome = f"broken: refused {refused}"
    who = f"{processes} processes of {threads} threads"
    row = Row("several writers", who, "one branch", outcome, wanted.acknowledged)
    row.findings = judged(folder, place / "desk", wanted.copy(), lab.rng)
    if not row.findings:
        check_line(folder, wanted, row.findings, killed=killed)
    return lab.keep(row, place)


def _power(lab: Lab, count: int) -> list[Row]:
    """Some cuts of each run."""
    rows: list[Row] = []
    runs = lab.rng.sample(_CUT, len(_CUT))
    each = max(-(-count // len(runs)), 8)
    for operations in runs:
        if len(rows) < count:
            rows += lab.cut_power(operations, min(each, count - len(rows)))
    return rows


_ALL = (
    Kind("kill at a call", "SIGKILL before, after or halfway through the n-th change of disk or"
         " catalog", 32, _each(_kill_at_a_call)),
    Kind("kill at any time", "SIGKILL by the clock", 12, _each(_kill_at_any_time)),
    Kind("disk full", "ENOSPC from the n-th change on", 16,
         _each(_error("disk full", "ENOSPC", lasting=True))),
    Kind("quota reached", "EDQUOT from the n-th change on", 8,
         _each(_error("quota reached", "EDQUOT", lasting=True))),
    Kind("I/O error", "EIO once; a failed fsync loses what it was to make durable", 16,
         _each(_error("I/O error", "EIO", lasting=False))),
    Kind("short write", "half of the bytes are taken", 8, _each(_short)),
    Kind("lying write", "a write says that it is done, and zeros are there", 6, _each(_lie)),
    Kind("small disk full", "a real file system of a few hundred KB", 6, _each(_full_disk)),
    Kind("call failed by strace", "the n-th call of ours or of SQLite's fails in the kernel", 8,
         _each(_system_call)),
    Kind("power cut", "what no fsync covered is gone, torn, mixed or zero", 44, _power),
    Kind("several writers", "2 to 8 on one branch, one of them killed or not", 4,
         _each(_writers)),
    Kind("clock steps", "5 seconds to 10 years, back or forward", 12, _each(_clock)),
    Kind("flipped bit", "one bit of a pack: header, record, payload, trailer, footer", 12,
         _each(_flipped_bit)),
    Kind("service errors", "S3 answers 500, 503, late, half, or does it and loses the reply", 10,
         break_requests),
    Kind("database restarted", "PostgreSQL is restarted, or crashed, in the middle", 6,
         restart_database),
)  # fmt: skip

KINDS = {kind.name: kind for kind in _ALL}
