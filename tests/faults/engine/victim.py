"""The process that is hurt, and how its like are warmed up."""

from __future__ import annotations

import random
import tempfile
import traceback
from pathlib import Path

from modelyard.core import chunks
from modelyard.errors import ModelyardError

__all__ = ["build_yard", "suffer", "warm"]

SMALL_PACK = 256 << 10
"""Packs are full at this size instead of 64 MiB, so that they are sealed in small yards too."""


def warm() -> None:
    """Import everything, and do every operation once."""
    chunks.PACK_LIMIT = SMALL_PACK  # before `store` and `catalog` take it
    from tests.faults.engine.operations import OPERATIONS, Work, prepare
    from tests.faults.engine.yards import build

    for name, operation in OPERATIONS.items():
        with tempfile.TemporaryDirectory() as place:
            folder, desk = Path(place) / "yard", Path(place) / "desk"
            build(str(folder), desk, sealed=name == "checkout")
            prepare(name, folder)
            operation(Work(str(folder), desk, lambda _: None, random.Random(0)))


def build_yard(folder: str, desk: Path, sealed: bool) -> object:
    from tests.faults.engine.yards import build

    return build(folder, desk, sealed=sealed)


def suffer(send, operation: str, folder: str, desk: Path, seed: int, injury) -> tuple:
    """Do an operation while hurt; then, healed, one more command in the same process.

    Gives how it went, and the places where it could have been hurt.
    """
    from tests.faults.engine.operations import OPERATIONS, REBUILDS, Work
    from tests.faults.engine.places import Places
    from tests.faults.engine.yards import noise

    places = Places(injury, send, (folder, str(desk / "out-")))
    work = Work(folder, desk, send, random.Random(seed))
    places.begin()
    outcome = _tried(lambda: OPERATIONS[operation](work))
    places.heal()
    if outcome[0] != "finished" and work.yard is not None:
        after = _tried(lambda: work.commit(work.yard, "after", noise(seed, 3000)))
        lost = operation in REBUILDS and after[1:2] == ("Corrupt catalog-lost",)
        if after[0] != "finished" and not lost:
            outcome = ("broken", f"the next command: {after}, after {outcome}")
        work.yard.close()
    return outcome, places.seen


def _tried(act) -> tuple:
    try:
        act()
    except ModelyardError as error:
        return "refused", f"{type(error).__name__} {error.kind}", str(error)
    except BaseException:
        return "broken", traceback.format_exc()
    return ("finished",)
