"""What a module is taught by: the truth, a teacher, or both. And how good it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput, Unsupported
from modelyard.frameworks.torch.calls import last_layer

if TYPE_CHECKING:
    from modelyard.optimization.passes.torch.networks import Lesson

__all__ = ["loss_of", "outputs_of", "score_of"]

Tensor = Any

_BATCH = 256
_WORST = (-math.inf, -math.inf)


def loss_of(
    module: Any, lesson: Lesson, output: Tensor, *, soft: float = 0.0, temperature: float = 2.0
) -> Tensor:
    """Mean loss of a batch.

    Args:
        soft: How much the teacher counts, 0 to 1; 1 where there is no truth. Its outputs are
            softened by `temperature` (Hinton, Vinyals and Dean: Distilling the Knowledge in a
            Neural Network, 2015). What a module says that is no class is compared by its square.

    Raises:
        InvalidInput: `bad-target`: the truth does not fit what the module gives.
        Unsupported: `not-improvable`: the module gives several outputs.
    """
    output = _single(output)
    rows: Tensor = 0.0
    if lesson.target is None or lesson.soft is None:
        soft = 1.0 if lesson.target is None else 0.0
    if soft < 1:
        rows = (1 - soft) * _by_truth(module, output, lesson.target)
    if soft > 0:
        classes = lesson.target is not None and not lesson.target.is_floating_point()
        rows = rows + soft * _by_teacher(module, output, lesson, classes, temperature)
    if lesson.weights is not None:
        return (rows * lesson.weights).sum() / lesson.weights.sum().clamp_min(1e-12)
    return rows.mean()


def outputs_of(module: Any, inputs: Tensor) -> Tensor:
    """What a module says of all rows, in evaluation mode; it is left as it was."""
    import torch

    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            return torch.cat([_single(module(rows)).float() for rows in inputs.split(_BATCH)])
    finally:
        for part, training in modes:
            part.training = training


def score_of(module: Any, lesson: Lesson) -> tuple[float, float]:
    """How good a module is on rows, higher is better, and the same more finely, for ties.

    The share of right classes and minus the loss; minus the root of the mean squared error; mean
    cosine to what the teacher says. Minus infinity if it says what is no number.
    """
    found = _score(module, lesson)
    return found if all(map(math.isfinite, found)) else _WORST


def _score(module: Any, lesson: Lesson) -> tuple[float, float]:
    import torch

    output = outputs_of(module, lesson.inputs)
    with torch.no_grad():
        if lesson.target is None:
            ours, theirs = output.flatten(1), lesson.soft.flatten(1)
            if ours.shape[1] == 1:
                return -float(((ours - theirs) ** 2).mean()), 0.0
            cosine = float(torch.nn.functional.cosine_similarity(ours, theirs).mean())
            return cosine, -float(((ours - theirs) ** 2).mean())
        loss = float(_by_truth(module, output, lesson.target).mean())
        if lesson.target.is_floating_point():
            return -(loss**0.5), 0.0
        right = _logs(module, output).argmax(1) == lesson.target
        return float(right.float().mean()), -loss


def _by_truth(module: Any, output: Tensor, target: Tensor) -> Tensor:
    """Of each row: the squared error, or the cross entropy."""
    import torch.nn.functional as F

    if target.is_floating_point():
        if output.numel() != target.numel():
            raise InvalidInput(
                "bad-target",
                f"the module gives {list(output.shape)}, the target is {list(target.shape)}",
            )
        return ((output.reshape(len(target), -1) - target.reshape(len(target), -1)) ** 2).mean(1)
    logs = _logs(module, output)
    if int(target.max()) >= logs.shape[1]:
        raise InvalidInput(
            "bad-target", f"class {int(target.max())}, but the module knows {logs.shape[1]}",
            hint="give classes as whole numbers from 0",
        )  # fmt: skip
    return F.nll_loss(logs, target, reduction="none")


def _by_teacher(
    module: Any, output: Tensor, lesson: Lesson, classes: bool, temperature: float
) -> Tensor:
    """Of each row: how far it is from what the teacher says."""
    import torch.nn.functional as F

    said = lesson.soft
    if output.shape != said.shape:
        raise Unsupported("not-improvable", "teacher and student do not give the same outputs")
    if classes:
        ours = F.log_softmax(_logs(module, output) / temperature, 1)
        theirs = F.log_softmax(_logs(module, said) / temperature, 1)
        return temperature**2 * F.kl_div(ours, theirs, reduction="none", log_target=True).sum(1)
    return ((output - said) ** 2).flatten(1).mean(1) / lesson.scale


def _logs(module: Any, output: Tensor) -> Tensor:
    """Logarithms of what a module says of each class, up to a number for each row."""
    import torch
    import torch.nn.functional as F

    last = last_layer(module)
    if output.ndim == 1 or output.shape[1:] == (1,):
        one = output.reshape(-1)
        if last == "Sigmoid":
            one = torch.logit(one, eps=1e-7)
        return torch.stack([F.logsigmoid(-one), F.logsigmoid(one)], 1)
    if output.ndim != 2:
        raise Unsupported(
            "not-improvable", f"the module gives {list(output.shape)}, not a score for each class"
        )
    if last == "LogSoftmax":
        return output
    return output.clamp_min(1e-12).log() if last == "Softmax" else F.log_softmax(output, 1)


def _single(output: Any) -> Tensor:
    import torch

    if not isinstance(output, torch.Tensor):
        raise Unsupported(
            "not-improvable", "only a module with one output can be trained here",
            hint="train it with your own loop, and commit it again",
        )  # fmt: skip
    return output
