"""The one loop by which passes train modules: small, repeatable, and with early stopping."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from modelyard.errors import InvalidInput, ModelyardError
from modelyard.formats.reading import printable
from modelyard.frameworks.torch.calls import quiet
from modelyard.optimization.passes.torch.losses import loss_of, score_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modelyard.optimization.passes.torch.networks import Lesson

__all__ = ["Keeper", "Schooling", "is_frozen", "train"]

Tensor = Any


class Keeper(Protocol):
    """What goes along with training and holds weights to something: masks of pruning."""

    def before_forward(self, progress: float) -> None:
        """Before each batch; progress goes from 0 to 1."""

    def before_step(self) -> None:
        """Gradients are there, weights are not yet moved."""

    def after_step(self) -> None:
        """Weights have moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schooling:
    """How a module is trained: Adam, whose rate falls along half a cosine."""

    epochs: int
    rate: float = 1e-3
    batch: int = 64
    decay: float = 0.0
    """Weight decay, apart from the gradient (AdamW)."""
    soft: float = 0.0
    """How much the teacher counts."""
    temperature: float = 2.0
    patience: int | None = None
    """Epochs without gain after which it ends; None: it goes on to the last."""
    choose: bool = True
    """Whether the weights of the best epoch are taken, by the rows for validation."""
    mix: float = 0.0
    """Share of batches whose rows are mixed with each other, for the teacher to tell what they are
    (Beyer et al.: Knowledge distillation, a good teacher is patient and consistent, 2022)."""


def train(
    module: Any,
    lesson: Lesson,
    how: Schooling,
    *,
    valid: Lesson | None = None,
    keeper: Keeper | None = None,
    teacher: Callable[[Tensor], Tensor] | None = None,
    tell: Callable[[str, float | None], None] = lambda _what, _score: None,
    what: str = "training",
) -> float | None:
    """Train a module in place, with torch's own chance: set the seed before.

    Norms keep their statistics where rows come one by one: a single row has none.

    Args:
        valid: By which the best epoch is chosen, and training stops early. The weights that it came
            with count as an epoch too.
        teacher: Says what mixed rows are.

    Returns:
        The best score on `valid` (see `score_of`).

    Raises:
        InvalidInput: `bad-inputs`, `bad-target`.
        Unsupported: `not-improvable`.
    """
    import torch

    parameters = [p for p in module.parameters() if p.requires_grad]
    if not parameters or not len(lesson):
        return None
    optimizer = torch.optim.AdamW(parameters, lr=how.rate, weight_decay=how.decay)
    modes = [(part, part.training) for part in module.modules()]
    alone = how.batch == 1 or len(lesson) == 1
    frozen = [
        part for part, training in modes
        if (not training and is_frozen(part)) or (alone and _is_norm_of_rows(part))
    ]  # fmt: skip
    best = score_of(module, valid) if valid is not None else None
    kept = _state(module) if best is not None and how.choose else None
    since = 0
    steps = how.epochs * -(-len(lesson) // how.batch)
    done = 0
    try:
        for epoch in range(how.epochs):
            module.train()
            for part in frozen:
                part.eval()
            for rows in torch.split(torch.randperm(len(lesson)), how.batch):
                if keeper is not None:
                    keeper.before_forward(done / steps)
                for group in optimizer.param_groups:
                    group["lr"] = how.rate * _cosine(done / steps)
                if len(rows) > 1 or alone:  # batch norm takes no last single row
                    _step(module, lesson.take(rows), how, optimizer, keeper, teacher)
                done += 1
            if keeper is not None:
                keeper.before_forward(done / steps)
            score = None
            if valid is not None:
                score = score_of(module, valid)
                if best is None or score > best:
                    best, since = score, 0
                    kept = _state(module) if how.choose else None
                else:
                    since += 1
            good = score[0] if score and math.isfinite(score[0]) else None
            tell(f"{what}: epoch {epoch + 1} of {how.epochs}", good)
            if how.patience is not None and since >= how.patience:
                break
        if kept is not None:
            module.load_state_dict(kept)
    finally:
        for part, training in modes:
            part.training = training
        for parameter in parameters:
            parameter.grad = None
    return None if best is None else best[0]


def _step(
    module: Any, batch: Lesson, how: Schooling, optimizer: Any, keeper: Keeper | None,
    teacher: Callable[[Tensor], Tensor] | None,
) -> None:  # fmt: skip
    import torch

    soft = how.soft
    if teacher is not None and how.mix > 0 and float(torch.rand(())) < how.mix:
        batch, soft = _mixed(batch, teacher), 1.0
    optimizer.zero_grad()
    try:
        with quiet():
            output = module(batch.inputs)
            loss = loss_of(module, batch, output, soft=soft, temperature=how.temperature)
            loss.backward()
    except (ModelyardError, MemoryError):
        raise
    except Exception as error:
        reason = printable((str(error) or type(error).__name__).splitlines()[0])
        raise InvalidInput(
            "bad-inputs", f"the module can't be trained on these rows: {reason}"
        ) from error
    _fill_gradients(optimizer)
    if keeper is not None:
        keeper.before_step()
    optimizer.step()
    if keeper is not None:
        keeper.after_step()


def _mixed(batch: Lesson, teacher: Callable[[Tensor], Tensor]) -> Lesson:
    """Rows that lie between others; their truth is what the teacher says."""
    import torch

    other = batch.inputs[torch.randperm(len(batch))]
    share = torch.rand(len(batch)).reshape(-1, *(1,) * (batch.inputs.ndim - 1))
    inputs = torch.lerp(batch.inputs, other, share.to(batch.inputs.dtype))
    mixed = type(batch)(inputs, batch.target, None, None)
    return mixed.taught(teacher(inputs), scale=batch.scale)


def _fill_gradients(optimizer: Any) -> None:
    """Embeddings may give sparse ones, which neither Adam nor masks take."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None and parameter.grad.is_sparse:
                parameter.grad = parameter.grad.to_dense()


def _cosine(progress: float) -> float:
    """From 1 down to 0.02."""
    return 0.02 + 0.98 * (1 + math.cos(math.pi * min(progress, 1.0))) / 2


def is_frozen(part: Any) -> bool:
    """Whether a part has weights, and none may learn: a frozen norm keeps its statistics too."""
    own = list(part.parameters(recurse=False))
    return bool(own) and not any(parameter.requires_grad for parameter in own)


def _is_norm_of_rows(part: Any) -> bool:
    from torch.nn.modules.batchnorm import _BatchNorm

    return isinstance(part, _BatchNorm)


def _state(module: Any) -> Mapping[str, Tensor]:
    return copy.deepcopy(module.state_dict())
