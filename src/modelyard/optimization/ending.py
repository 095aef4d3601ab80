"""How an optimization is left that does not come to its end, and what it leaves on this machine."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from modelyard.errors import ModelyardError
from modelyard.optimization.workplace import workplace_of

if TYPE_CHECKING:
    from modelyard.core.optimization import Optimization
    from modelyard.core.optimizing import Optimizations
    from modelyard.optimization.beating import Beat

__all__ = ["clear", "fail", "stop"]

_OVER = ("done", "failed", "cancelled")


class Keeping(Protocol):
    """A yard that keeps optimizations, in a place."""

    url: str

    @property
    def optimizations(self) -> Optimizations: ...


def stop(beat: Beat, why: ModelyardError | None = None) -> None:
    """Say that it can be gone on with; all that its trials have made stays.

    Args:
        why: What keeps it from going on.
    """
    reasons = beat.last.reasons if why is None else (str(why),)
    beat.say(replace(beat.last, state="stopped", reasons=reasons))


def fail(yard: Keeping, beat: Beat, why: ModelyardError) -> None:
    """Say that it has failed, and remove what its trials have made."""
    beat.say(replace(beat.last, state="failed", sentence=str(why), reasons=(str(why),)))
    clear(yard, beat.last)


def clear(yard: Keeping, found: Optimization) -> None:
    """Remove what trials have made once it is over.

    It stays where somebody else has taken the optimization up, perhaps on this machine: it is
    theirs then. So it does where nobody can tell.
    """
    with suppress(ModelyardError):
        now = yard.optimizations.get(found.id)
        if now.claims == found.claims and now.state in _OVER:
            workplace_of(yard.url, now).clear()
