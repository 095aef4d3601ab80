"""Trials as they are told once their optimization is over: none of them runs any more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from modelyard.core.optimization import Trial

__all__ = ["OVER", "settled"]

OVER: Final = ("done", "failed", "cancelled")
_WHY: Final = {
    "done": "it ended before", "failed": "it failed", "cancelled": "it was cancelled",
}  # fmt: skip


def settled(trial: Trial, state: str) -> Trial:
    """The trial; given up, if it was under way when its optimization ended in this state.

    It is kept as it was: one that has failed may be taken up again, and goes on with it then.
    """
    if trial.state != "running" or state not in OVER:
        return trial
    return replace(trial, state="pruned", reason=_WHY[state])
