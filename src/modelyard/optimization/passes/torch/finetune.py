"""`finetune`: trains a network on, and keeps its best epoch."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

from modelyard.optimization.passes.interface import Made, Option, Range
from modelyard.optimization.passes.torch import networks
from modelyard.optimization.passes.torch.precision import widened
from modelyard.optimization.passes.torch.results import made_of, why_nothing_learns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.lineage import LineageKind
    from modelyard.optimization.state import Model, Subject, Work

__all__ = ["PASS"]

Json = Any


class Finetune:
    """Options beyond those that trials choose: `patience` (5 epochs), `batch` (64), `decay` (0)."""

    NAME = "finetune"
    KIND: Literal["algorithm"] = "algorithm"
    LINEAGE: LineageKind = "tuned-from"
    SUMMARY = "Trains a network on, stops early and keeps the best epoch"

    def why_not(self, subject: Subject) -> str | None:
        """It takes modules of torch, rows and a target."""
        return networks.why_no_lesson(subject)

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`rate` of learning and `epochs` at most."""
        return {
            "rate": Range(3e-5, 3e-3, 3e-4, log=True),
            "epochs": Range(2, 40, 10, log=True, whole=True),
        }

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        """Train the module on; zeros of pruning stay zero.

        Raises:
            InvalidInput: `bad-pass-option`, `bad-target`, `bad-inputs`.
            Unsupported: `no-extra`, `not-improvable`.
        """
        from modelyard.optimization.passes.torch.masks import zeros_of
        from modelyard.optimization.passes.torch.training import Schooling, train

        if work.train is None or work.train.target is None or not len(work.train):
            return Made(model=None, why="there is no target to learn from")
        module = networks.module_in(model)
        why = why_nothing_learns(module)
        if why is not None:
            return Made(model=None, why=why)
        dtypes = widened(module)
        before = copy.deepcopy(module)
        how = Schooling(
            epochs=networks.whole(params, "epochs", 10, 1, 10_000),
            rate=networks.number(params, "rate", 3e-4, 1e-8, 1.0),
            batch=networks.whole(params, "batch", 64, 1, 4096),
            decay=networks.number(params, "decay", 0.0, 0.0, 1.0),
            patience=networks.whole(params, "patience", 5, 1, 1000),
        )
        with networks.repeatable(work):
            lesson = networks.lesson_of(module, model, work.train, work.task)
            valid = None
            if work.valid is not None and len(work.valid):
                valid = networks.lesson_of(module, model, work.valid, work.task)
            train(
                module, lesson, how, valid=valid, keeper=zeros_of(module), tell=work.tell,
                what="fine-tuning",
            )  # fmt: skip
        changed = networks.kept(before, module)
        if not any(entry.get("change") for entry in changed):
            return Made(model=None, why="no epoch was better than the weights that were there")
        return made_of(module, model, work, dtypes, changed=changed)


PASS = Finetune()
