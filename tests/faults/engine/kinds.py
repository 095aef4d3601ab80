"""Every kind of fault: what it is, and one function that inflicts one."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.engine.bits import REGIONS, SEALED_REGIONS, check_damage, flip, repair
from tests.faults.engine.crowd import check_line, write_many
from tests.faults.engine.disks import fail_call, grow_disk, small_disk
from tests.faults.engine.lab import Lab, Row, follow, judged
from tests.faults.engine.operations import REBUILDS
from tests.faults.engine.places import WRITES, Injury
from tests.faults.engine.services import (
    break_requests,
    new_database,
    refuse_all,
    restart_database,
    running,
)
from tests.faults.engine.victim import suffer
from tests.faults.engine.yards import Wanted, begin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["KINDS", "Kind"]

_YEAR = 365 * 86_400.0
_CLOCKS = (-10 * _YEAR, -86_400.0, -3600.0, -5.0, 5.0, 3600.0, 86_400.0, 10 * _YEAR)
_CUT = (
    ("create",), ("commit", "merge", "refs"), ("gc",), ("mix", "commit"), ("migrate",),
    ("lost catalog",), ("delete", "gc"), ("checkout", "commit"), ("mirror",), ("backup",),
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
    needs: str = ""
    """The service without which it can't be."""


def _each(one: Callable[[Lab], Row]) -> Callable[[Lab, int], list[Row]]:
    """One after another, one in four of them on an encrypted yard."""

    def inflict(lab: Lab, count: int) -> list[Row]:
        rows = []
        for _ in range(count):
            lab.sealed = lab.rng.random() < 0.25
            rows.append(one(lab))
        return rows

    return inflict


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
        operation, seed = lab.operation(), lab.rng.randrange(4)
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
    operation, life = lab.operation(), lab.rng.uniform(0.002, 0.2)
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


def _flipped_bit(lab: Lab, *, sealed: bool) -> Row:
    lab.sealed = sealed
    place, wanted = lab.place(), lab.wanted.copy()
    folder = lab.yard(place)
    where = flip(folder, lab.rng.choice(SEALED_REGIONS if sealed else REGIONS), lab.rng)
    row = Row("flipped bit, sealed" if sealed else "flipped bit", "read", where, "", 0)
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
    operation = lab.operation(*REBUILDS, "checkout")
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
    lab.yard(place, operation)
    taken = sum(-(-path.stat().st_size // 4096) * 4 for path in place.rglob("*"))
    with small_disk(place / "disk", taken + room) as disk:
        folder = disk / "yard"
        for each in place.glob("yard*"):
            shutil.move(each, disk / each.name)
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
        operation = lab.operation()
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
    place = lab.place()
    return _write_together(lab, "several writers", place, lab.yard(place), lab.wanted.copy())


def _writers_on_postgresql(lab: Lab, count: int) -> list[Row]:
    """Each time in a new database, one in four yards encrypted."""
    rows = []
    with running(lab.place(), "postgres") as address:
        for _ in range(count):
            place, lab.sealed = lab.place(), lab.rng.random() < 0.25
            begin(place / "yard", sealed=lab.sealed, catalog=new_database(address))
            kind = "writers on PostgreSQL"
            rows.append(_write_together(lab, kind, place, place / "yard", Wanted()))
    return rows


def _write_together(lab: Lab, kind: str, place: Path, folder: Path, wanted: Wanted) -> Row:
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
        for what, value in worker.told():
            if what == "result":
                refused += value[1]
            else:
                wanted.note(value)
        worker.stop()
    if refused:
        outcome = f"broken: refused {refused}"
    who = f"{processes} processes of {threads} threads"
    row = Row(kind, who, "one branch", outcome, wanted.acknowledged)
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
            plain = operations[0] in ("create", "migrate")
            lab.sealed = not plain and lab.rng.random() < 0.25
            rows += lab.cut_power(operations, min(each, count - len(rows)))
    return rows


_ALL = (
    Kind("kill at a call", "SIGKILL before, after or halfway through the n-th change of disk or"
         " catalog", 32, _each(_kill_at_a_call)),
    Kind("kill at any time", "SIGKILL by the clock", 12, _each(_kill_at_any_time)),
    Kind("disk full", "ENOSPC from the n-th change on", 14,
         _each(_error("disk full", "ENOSPC", lasting=True))),
    Kind("quota reached", "EDQUOT from the n-th change on", 6,
         _each(_error("quota reached", "EDQUOT", lasting=True))),
    Kind("I/O error", "EIO once; a failed fsync loses what it was to make durable", 14,
         _each(_error("I/O error", "EIO", lasting=False))),
    Kind("short write", "half of the bytes are taken", 6, _each(_short)),
    Kind("lying write", "a write says that it is done, and zeros are there", 6, _each(_lie)),
    Kind("small disk full", "a real file system of a few hundred KB", 6, _each(_full_disk)),
    Kind("call failed by strace", "the n-th call of ours or of SQLite's fails in the kernel", 6,
         _each(_system_call)),
    Kind("power cut", "what no fsync covered is gone, torn, mixed or zero", 40, _power),
    Kind("several writers", "2 to 8 on one branch, one of them killed or not", 4,
         _each(_writers)),
    Kind("writers on PostgreSQL", "the same, with the catalog on a server", 4,
         _writers_on_postgresql, "postgres"),
    Kind("clock steps", "5 seconds to 10 years, back or forward", 10, _each(_clock)),
    Kind("flipped bit", "one bit of a pack: header, record, payload, trailer, footer", 8,
         _each(lambda lab: _flipped_bit(lab, sealed=False))),
    Kind("flipped bit, sealed", "one bit of an encrypted pack: header, key, record, payload,"
         " trailer, footer", 8, _each(lambda lab: _flipped_bit(lab, sealed=True))),
    Kind("S3 errors", "500, 503, late, half, or done and the reply is lost", 6,
         break_requests("s3", "S3 errors"), "s3"),
    Kind("Azure errors", "the same of Azure Blob", 4, break_requests("azurite", "Azure errors"),
         "azurite"),
    Kind("store away", "S3 fails for longer than anybody waits", 6, refuse_all, "s3"),
    Kind("PostgreSQL restarted", "or crashed, in the middle", 4,
         restart_database("postgres", "PostgreSQL restarted"), "postgres"),
    Kind("MariaDB restarted", "or crashed, in the middle", 4,
         restart_database("mariadb", "MariaDB restarted"), "mariadb"),
)  # fmt: skip

KINDS = {kind.name: kind for kind in _ALL}
