"""Copies beside a yard: what is looked at after one was made, or was not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.engine.yards import KEY

from modelyard.registry.transfer.restoring import restore
from modelyard.testing.victim import open_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.engine.check import Findings
    from tests.faults.engine.yards import Wanted

    Look = Callable[[object, Path, Wanted, Findings], None]
    """Compares a yard with what is wanted, and notes what differs."""

__all__ = ["BACKUP", "MIRROR", "RESTORED", "beside", "check_copies", "restored"]

MIRROR, BACKUP, RESTORED = "mirror", "backup.tar", "restored"


def beside(folder: Path | str, name: str) -> Path:
    """Where a yard's copy is."""
    return Path(f"{folder}-{name}")


def restored(yard, file: Path, folder: Path) -> None:
    """Make a yard of a backup."""
    key = KEY if yard.house.vault is not None else None
    restore(file, folder, author="ann", store=None, catalog=None, key=key, report=None)


def check_copies(folder: Path, desk: Path, wanted: Wanted, found: Findings, look: Look) -> None:
    """What was told to be in a copy is there, and the same again finishes it."""
    yard = open_folder(str(folder))
    try:
        if beside(folder, MIRROR).exists():
            _check_mirror(yard, beside(folder, MIRROR), desk, wanted, found, look)
        if _is_backed_up(folder):
            _check_backup(yard, folder, desk, wanted, found, look)
    finally:
        yard.close()


def _is_backed_up(folder: Path) -> bool:
    file = beside(folder, BACKUP)
    return file.exists() or file.with_name(f"{file.name}.part").exists()


def _check_mirror(
    yard, place: Path, desk: Path, wanted: Wanted, found: Findings, look: Look
) -> None:
    target = open_folder(str(place))
    try:
        for where, then in wanted.kept.items():
            look(target, desk, then if where == MIRROR else then.of_model(where), found)
        yard.mirror_to(target)
        look(target, desk, wanted, found)
        target.verify(rebuild=True)
        look(target, desk, wanted, found)
        target.gc()
        if left := [path.name for path in place.rglob("*.part")]:
            found.wrong.append(f"left over in the mirror: {left}")
    finally:
        target.close()


def _check_backup(
    yard, folder: Path, desk: Path, wanted: Wanted, found: Findings, look: Look
) -> None:
    file = beside(folder, BACKUP)
    if RESTORED in wanted.kept:
        _look_into(beside(folder, RESTORED), desk, wanted.kept[RESTORED], found, look)
    if file.exists():
        restored(yard, file, desk / "first")
        _look_into(desk / "first", desk, wanted.kept.get(BACKUP, wanted.of_model("none")),
                   found, look)  # fmt: skip
        file.unlink()
    elif BACKUP in wanted.kept:
        found.lost.append("the backup is gone")
    yard.backup(file)
    if file.with_name(f"{file.name}.part").exists():
        found.wrong.append("left over: a part of a backup")
    restored(yard, file, desk / "second")
    _look_into(desk / "second", desk, wanted, found, look)


def _look_into(folder: Path, desk: Path, wanted: Wanted, found: Findings, look: Look) -> None:
    copy = open_folder(str(folder))
    try:
        look(copy, desk, wanted, found)
    finally:
        copy.close()
    shutil.rmtree(folder)
