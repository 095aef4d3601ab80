"""Signs of life go on beside what is said, and never take back what was said meanwhile."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from modelyard.core.optimization import Goal, Optimization, Recipe, Step, Trial
from modelyard.errors import Unavailable
from modelyard.optimization.beating import Beat

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BEGUN = Optimization(
    id=1, model="m", number=1, state="running", who="w", created=NOW, changed=NOW,
    recipe=Recipe(name="r", steps=(Step("tune", {}),), goals=(Goal("accuracy", "max"),)),
)  # fmt: skip


class SlowYard:
    """Keeps nothing before it is let go; is away where it is told so."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.away = False
        self.cancelled = False
        self.kept: list[tuple[Optimization, tuple[Trial, ...]]] = []

    @property
    def optimizations(self) -> Any:
        return self

    def keep(self, found: Optimization, trials: Sequence[Trial]) -> bool:
        assert self.free.wait(20)
        if self.away:
            raise Unavailable("server", "away")
        self.kept.append((found, tuple(trials)))
        return not self.cancelled


def later(call: Any) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    time.sleep(0.1)  # until it waits
    return thread


def test_a_sign_of_life_that_waits_does_not_bring_back_what_was_before() -> None:
    yard = SlowYard()
    beat = Beat(yard, BEGUN)
    yard.free.clear()
    newer = replace(BEGUN, done=7)
    waiting = [later(beat.again), later(lambda: beat.say(newer)), later(beat.again)]
    yard.free.set()
    for thread in waiting:
        thread.join(20)
    assert beat.last == newer
    assert yard.kept[-1][0] == newer


def test_trials_that_could_not_be_kept_are_kept_with_what_is_said_next() -> None:
    yard = SlowYard()
    beat = Beat(yard, BEGUN)
    yard.away = True
    beat.say(BEGUN, [Trial(number=0, params={})])
    yard.away = False
    beat.say(BEGUN, [Trial(number=1, params={})])
    assert [trial.number for trial in yard.kept[-1][1]] == [0, 1]


def test_who_is_cancelled_learns_it_from_a_sign_of_life() -> None:
    yard = SlowYard()
    beat = Beat(yard, BEGUN)
    yard.cancelled = True
    assert not beat.cancelled()
    beat.again()
    assert beat.cancelled()
