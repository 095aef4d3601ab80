"""`distil`: a narrower network of the same kind learns what the network says."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

from modelyard.optimization.passes.interface import Choice, Made, Option, Range
from modelyard.optimization.passes.torch import networks
from modelyard.optimization.passes.torch.precision import widened
from modelyard.optimization.passes.torch.results import made_of, why_nothing_learns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.lineage import LineageKind
    from modelyard.optimization.passes.torch.networks import Lesson
    from modelyard.optimization.state import Model, Subject, Work

__all__ = ["PASS"]

Json = Any

_STARTS = ("pruned", "new")
_STEPS = 12_000


class Distil:
    """Options beyond those that trials choose: `epochs`, `batch` (64), `temperature` (2), `soft`
    (0.7: how much the teacher counts), `mix` (0.5: share of batches of rows that lie between
    others)."""

    NAME = "distil"
    KIND: Literal["model"] = "model"
    LINEAGE: LineageKind = "distilled-from"
    SUMMARY = "Teaches a narrower network of the same kind what the network says"

    def why_not(self, subject: Subject) -> str | None:
        """It takes modules of torch, and rows."""
        return networks.why_no_module(subject, layers=True)

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`width` by the width of the network, `start` (from its strongest channels, or `new`)."""
        return {
            "width": Range(0.1, 0.75, 0.25, log=True),
            "rate": Range(5e-4, 5e-3, 2e-3, log=True),
            "start": Choice(_STARTS),
        }

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        """Make a student and teach it.

        Hinton, Vinyals and Dean: Distilling the Knowledge in a Neural Network, 2015.

        Raises:
            InvalidInput: `bad-pass-option`, `bad-target`, `bad-inputs`.
            Unsupported: `no-extra`; `not-improvable`: no module whose channels can be followed.
        """
        from modelyard.optimization.passes.torch.lessons import epochs_for, lessons_of
        from modelyard.optimization.passes.torch.losses import outputs_of
        from modelyard.optimization.passes.torch.training import Schooling, train

        if work.train is None or not len(work.train):
            return Made(model=None, why="there are no rows to learn from")
        width = networks.number(params, "width", 0.25, 0.01, 1.0)
        start = networks.option(params, "start", _STARTS)
        teacher = networks.module_in(model)
        why = why_nothing_learns(teacher)
        if why is not None:
            return Made(model=None, why=why)
        dtypes = widened(teacher)
        batch = networks.whole(params, "batch", 64, 1, 4096)
        with networks.repeatable(work):
            lesson, valid = lessons_of(teacher, model, work)
            assert lesson is not None
            student = _student(teacher, width, lesson, fresh=start == "new")
            mix = networks.number(params, "mix", 0.5, 0.0, 1.0)
            if not lesson.inputs.is_floating_point():
                mix = 0.0  # there is nothing between two words
            usual = epochs_for(len(lesson), batch, 120, steps=_STEPS)
            how = Schooling(
                epochs=networks.whole(params, "epochs", usual, 1, 10_000),
                rate=networks.number(params, "rate", 2e-3, 1e-7, 1.0), batch=batch,
                soft=networks.number(params, "soft", 0.7, 0.0, 1.0), mix=mix,
                temperature=networks.number(params, "temperature", 2.0, 0.5, 50.0),
            )  # fmt: skip
            train(
                student, lesson, how, valid=valid, tell=work.tell, what="teaching",
                teacher=lambda rows: outputs_of(teacher, rows),
            )  # fmt: skip
        old, new = _parameters(teacher), _parameters(student)
        note = f"{new:,} parameters instead of {old:,}: {old / new:.1f}x fewer"
        return made_of(student, model, work, dtypes, notes=(note,))


def _student(teacher: Any, width: float, lesson: Lesson, *, fresh: bool) -> Any:
    """The teacher with its strongest channels only, or one as narrow that knows nothing but what
    is frozen: it could never learn that."""
    from modelyard.optimization.passes.torch.chains import narrowed
    from modelyard.optimization.passes.torch.structured import groups_of, importance_of, strongest
    from modelyard.optimization.passes.torch.training import is_frozen

    student = copy.deepcopy(teacher)
    groups = groups_of(student)
    scores = importance_of(student, groups, lesson)
    counts = [max(1, round(width * group.channels)) for group in groups]
    keep = [strongest(score, count) for score, count in zip(scores, counts, strict=True)]
    narrowed(student, groups, keep)
    if fresh:
        for part in student.modules():
            if hasattr(part, "reset_parameters") and not is_frozen(part):
                part.reset_parameters()
    return student


def _parameters(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


PASS = Distil()
