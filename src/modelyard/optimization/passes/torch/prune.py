"""`prune`: weights that matter least go, and the others learn to do without them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

from modelyard.optimization.passes.interface import Choice, Made, Option, Range
from modelyard.optimization.passes.torch import networks
from modelyard.optimization.passes.torch.lessons import STEPS, epochs_for, lessons_of
from modelyard.optimization.passes.torch.masks import SCOPES, Masks, masks_of, prunable, sparsity_of
from modelyard.optimization.passes.torch.precision import widened
from modelyard.optimization.passes.torch.results import made_of, why_nothing_learns
from modelyard.optimization.passes.torch.structured import prune_channels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.lineage import LineageKind
    from modelyard.optimization.passes.torch.networks import Lesson
    from modelyard.optimization.state import Model, Subject, Work

__all__ = ["PASS"]

Json = Any

KINDS = ("magnitude", "structured", "movement")


class Prune:
    """Options beyond those that trials choose: `rounds` (3), `epochs` of each round, `batch` (64),
    `scope` (`global`, `adaptive` or `layer`), `teach` (0.5: how much the module as it was counts
    as a teacher; 0 to 1)."""

    NAME = "prune"
    KIND: Literal["model"] = "model"
    LINEAGE: LineageKind = "pruned-from"
    SUMMARY = "Removes the weights or channels of a network that matter least, and trains it on"

    def why_not(self, subject: Subject) -> str | None:
        """It takes modules of torch; without rows it prunes by magnitude and trains nothing."""
        return networks.why_no_module(subject, rows=False)

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`kind`, `sparsity` (share of weights that go) and `rate` of learning."""
        if not subject.rows:
            return {"kind": Choice(("magnitude",)), "sparsity": Range(0.2, 0.8, 0.4)}
        has_own_code = networks.why_no_module(subject, layers=True) is not None
        return {
            "kind": Choice(("magnitude", "movement") if has_own_code else KINDS),
            "sparsity": Range(0.5, 0.97, 0.8),
            "rate": Range(3e-4, 3e-3, 1e-3, log=True),
        }

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        """Prune the module.

        Raises:
            InvalidInput: `bad-pass-option`, `bad-target`, `bad-inputs`.
            Unsupported: `no-extra`; `not-improvable`: no module, or for `structured` none whose
                channels can be followed.
        """
        kind = networks.option(params, "kind", KINDS)
        sparsity = networks.number(params, "sparsity", 0.8, 0.0, 0.999)
        module = networks.module_in(model)
        why = _why_not(module, kind, learns=work.train is not None and len(work.train) > 0)
        if why is not None:
            return Made(model=None, why=why)
        dtypes = widened(module)
        before = copy.deepcopy(module)
        with networks.repeatable(work):
            lesson, valid = lessons_of(module, model, work)
            if kind == "structured":
                module, notes = prune_channels(module, sparsity, lesson, valid, params, work)
                return made_of(module, model, work, dtypes, notes=notes)
            if lesson is None:
                Masks(prunable(module), _masks(module, sparsity, params))
            elif kind == "movement":
                _by_movement(module, sparsity, lesson, valid, params, work)
            else:
                _by_magnitude(module, sparsity, lesson, valid, params, work)
        share = sparsity_of(module)
        if not share:
            why = "none of its weights became zero: give it more epochs, or a higher sparsity"
            return Made(model=None, why=why)
        note = f"{share:.1%} of the weights are zero: files are smaller compressed, not faster"
        changed = networks.kept(before, module)
        return made_of(module, model, work, dtypes, notes=(note,), changed=changed)


def _why_not(module: Any, kind: str, *, learns: bool) -> str | None:
    """Why a module can't be pruned; without rows frozen channels may go, for nothing learns."""
    why = why_nothing_learns(module)
    if why is not None and (learns or kind != "structured"):
        return why
    if kind != "structured" and not prunable(module):
        return "none of its weights can be pruned: they are frozen, or biases and norms"
    return None


def _masks(module: Any, sparsity: float, params: Mapping[str, Json]) -> dict[str, Any]:
    return masks_of(prunable(module), sparsity, networks.option(params, "scope", SCOPES))


def _by_magnitude(
    module: Any, sparsity: float, lesson: Lesson, valid: Lesson | None, params: Mapping[str, Json],
    work: Work,
) -> None:  # fmt: skip
    """In rounds, each a little sparser than the one before (Zhu and Gupta: To prune, or not to
    prune, 2017)."""
    from modelyard.optimization.passes.torch.training import Schooling, train

    rounds = networks.whole(params, "rounds", 3, 1, 20)
    batch = networks.whole(params, "batch", 64, 1, 4096)
    epochs = networks.whole(
        params, "epochs", epochs_for(len(lesson), batch, 8, steps=STEPS // rounds), 0, 1000
    )
    for place in range(1, rounds + 1):
        share = sparsity * (1 - (1 - place / rounds) ** 3)
        keeper = Masks(prunable(module), _masks(module, share, params))
        how = Schooling(
            epochs=epochs if place < rounds else 2 * epochs, batch=batch,
            rate=networks.number(params, "rate", 1e-3, 1e-7, 1.0),
            soft=networks.number(params, "teach", 0.5, 0.0, 1.0), choose=place == rounds,
        )  # fmt: skip
        train(
            module, lesson, how, valid=valid if place == rounds else None, keeper=keeper,
            tell=work.tell, what=f"{share:.0%} pruned",
        )  # fmt: skip


def _by_movement(
    module: Any, sparsity: float, lesson: Lesson, valid: Lesson | None, params: Mapping[str, Json],
    work: Work,
) -> None:  # fmt: skip
    """Learning and pruning at once, then a while of learning with what is left."""
    from modelyard.optimization.passes.torch.movement import Movement
    from modelyard.optimization.passes.torch.training import Schooling, train

    batch = networks.whole(params, "batch", 64, 1, 4096)
    epochs = networks.whole(
        params, "epochs", epochs_for(len(lesson), batch, 8, steps=STEPS // 4), 0, 1000
    )
    rate = networks.number(params, "rate", 1e-3, 1e-7, 1.0)
    soft = networks.number(params, "teach", 0.5, 0.0, 1.0)
    moving = Movement(prunable(module), sparsity)
    how = Schooling(epochs=3 * epochs, rate=rate, batch=batch, soft=soft, choose=False)
    train(module, lesson, how, keeper=moving, tell=work.tell, what="moving")
    keeper = Masks(prunable(module), moving.masks)
    how = Schooling(epochs=epochs, rate=rate / 3, batch=batch, soft=soft)
    train(module, lesson, how, valid=valid, keeper=keeper, tell=work.tell, what="settling")


PASS = Prune()
