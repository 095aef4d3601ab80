"""Who looks on while versions are evaluated: what makes their reference for monitoring, for one.

`registry` knows nothing of what is above it; that is wired up by whoever opens a yard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.core.evaluation import Evaluation
    from modelyard.core.table import Table
    from modelyard.registry.answers import Array
    from modelyard.registry.desk import Desk
    from modelyard.runtimes import Prediction

__all__ = ["Onlooker", "look_on", "onlookers"]


class Onlooker(Protocol):
    """Of one evaluation. What goes wrong in it must not harm the evaluation."""

    def __call__(self, asked: Table, prediction: Prediction, truth: Array) -> None:
        """The next rows, what was answered, and what was true."""

    def done(self, evaluation: Evaluation) -> None:
        """The evaluation was kept."""


_makers: dict[str, Callable[[Desk], Onlooker | None]] = {}


def look_on(name: str, make: Callable[[Desk], Onlooker | None]) -> None:
    """Have every evaluation of this process looked on from now on; once by each name."""
    _makers[name] = make


def onlookers(desk: Desk) -> list[Onlooker]:
    """Those of the evaluation that begins now."""
    return [made for make in _makers.values() if (made := make(desk)) is not None]
