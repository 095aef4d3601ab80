"""What there is to learn for a module, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from modelyard.optimization.passes.torch import networks
from modelyard.optimization.passes.torch.losses import outputs_of

if TYPE_CHECKING:
    from modelyard.optimization.passes.torch.networks import Lesson
    from modelyard.optimization.state import Model, Work

__all__ = ["STEPS", "epochs_for", "lessons_of"]

STEPS: Final = 4_000
"""Batches that a pass may take, all its rounds together, if nobody says how many epochs."""


def lessons_of(module: Any, model: Model, work: Work) -> tuple[Lesson | None, Lesson | None]:
    """What there is to learn, and to choose by, with what the module says as it is."""
    found: list[Lesson | None] = []
    for rows in (work.train, work.valid):
        if rows is None or not len(rows):
            found.append(None)
            continue
        lesson = networks.lesson_of(module, model, rows, work.task)
        found.append(lesson.taught(outputs_of(module, lesson.inputs)))
    return found[0], found[1]


def epochs_for(rows: int, batch: int, most: int, *, steps: int = STEPS) -> int:
    """Epochs if nobody says how many: no more than so many batches, however many rows."""
    return max(1, min(most, steps // max(1, -(-rows // batch))))
