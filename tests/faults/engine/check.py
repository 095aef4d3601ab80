"""After a fault: is all there that was acknowledged, and does the yard go on working?"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa
from tests.faults.engine.pairs import check_copies
from tests.faults.engine.yards import Wanted, commit_files, noise

from modelyard.catalog.schema import lease, pack
from modelyard.errors import Corrupt
from modelyard.testing.models import read_tree, tree_digest
from modelyard.testing.victim import open_folder

if TYPE_CHECKING:
    import random
    from pathlib import Path

__all__ = ["Findings", "check", "leftovers", "read_back"]

_LONG_AGO = 7200 * 1_000_000
"""Microseconds."""


@dataclass
class Findings:
    """What is not as promised; nothing, if all is well."""

    lost: list[str] = field(default_factory=list)
    """Acknowledged versions that are gone or altered."""
    wrong: list[str] = field(default_factory=list)
    """Everything else."""

    def __bool__(self) -> bool:
        return bool(self.lost or self.wrong)


def check(
    folder: Path,
    desk: Path,
    wanted: Wanted,
    rng: random.Random,
    *,
    rebuild: bool = False,
    may_be_lost: bool = False,
) -> Findings:
    """Look at a yard after its victim is gone.

    Args:
        rebuild: Look once more, after the catalog was deleted and rebuilt.
        may_be_lost: Whether the yard may say that its catalog must be rebuilt.
    """
    found = Findings()
    yard = open_folder(str(folder))
    try:
        if may_be_lost:
            _rebuild_if_asked(yard)
        _look(yard, desk, wanted, found)
        _go_on(yard, folder, desk, wanted, rng, found)
    finally:
        yard.close()
    check_copies(folder, desk, wanted, found, _look)
    if not rebuild:
        return found
    for path in folder.glob("catalog.db*"):
        path.unlink()
    yard = open_folder(str(folder))
    try:
        yard.verify(rebuild=True)
        _look(yard, desk, wanted, found)
    finally:
        yard.close()
    return found


def _rebuild_if_asked(yard) -> None:
    try:
        yard.refs("net")
    except Corrupt as error:
        if error.kind != "catalog-lost":
            raise
        yard.verify(rebuild=True)


def _look(yard, desk: Path, wanted: Wanted, found: Findings) -> None:
    report = yard.verify()
    if not report.ok:
        found.wrong.append(f"verify: {report.damage}")
    read_back(yard, desk, wanted, found)
    for (model, name), number in wanted.refs.items():
        refs = {ref.name: ref for ref in yard.refs(model)}
        if name not in refs:
            found.wrong.append(f"the ref {model}@{name} is gone")
        elif refs[name].number < number and refs[name].kind == "branch":
            found.wrong.append(f"{model}@{name} went back from {number}")
        elif refs[name].number != number and refs[name].kind == "tag":
            found.wrong.append(f"the tag {model}@{name} moved")
        elif number not in {move.new for move in yard.reflog(model, name)}:
            found.wrong.append(f"{model}@{name} was at {number}, says nobody")
    for info in yard.models():
        for ref in yard.refs(info.name):
            if yard.resolve(info.name, ref.number).commit != ref.commit:
                found.wrong.append(f"{info.name}@{ref.name} points at nothing")


def read_back(yard, desk: Path, wanted: Wanted, found: Findings) -> None:
    """Compare the bytes of every version that was acknowledged."""
    out = desk / "out"
    for (model, number), digest in wanted.versions.items():
        shutil.rmtree(out, ignore_errors=True)
        try:
            yard.checkout(model, number, out)
        except Exception as error:
            found.lost.append(f"{model}@{number}: {type(error).__name__} {error}")
            continue
        if tree_digest(read_tree(out)) != digest:
            found.lost.append(f"{model}@{number} is altered")


def _go_on(
    yard, folder: Path, desk: Path, wanted: Wanted, rng: random.Random, found: Findings
) -> None:
    """The next commands work, and clean up."""
    wanted.note(commit_files(yard, desk, "next", noise(rng.getrandbits(30), 20_000), "main"))
    yard.gc()
    age(yard)
    yard.gc()
    with yard.house.catalog.read() as connection:
        late = yard.house.catalog.now(connection) + _LONG_AGO
        stuck = connection.execute(sa.select(lease.c.pack_id).where(lease.c.expires > late)).all()
    if stuck:
        found.wrong.append(f"{len(stuck)} leases last longer than two hours")
    if left := leftovers(folder):
        found.wrong.append(f"left over: {left}")
    with yard.house.catalog.read() as connection:
        named = sa.select(pack.c.name).where(pack.c.state.in_(("open", "live")))
        known = set(connection.execute(named).scalars())
    stray = [key for key in yard.house.backend.keys("packs/") if key not in known]
    if stray:
        found.wrong.append(f"gc left stray packs: {stray}")
    if not (report := yard.verify()).ok:
        found.wrong.append(f"verify after gc: {report.damage}")
    last = max(number for model, number in wanted.versions if model == "next")
    read_back(yard, desk, Wanted({("next", last): wanted.versions["next", last]}), found)


def age(yard) -> None:
    """As if all packs had changed two hours ago: gc leaves young strays alone."""
    then = pack.c.changed - _LONG_AGO
    yard.house.catalog.write(lambda c: c.execute(sa.update(pack).values(changed=then)))


def leftovers(folder: Path) -> list[str]:
    """Files that only an interrupted command leaves behind."""
    return [
        path.name
        for path in folder.rglob("*")
        if path.suffix in (".part", ".tmp", ".new") or ".tmp." in path.name
        or ".new-" in path.name
    ]  # fmt: skip
