"""Whole channels and neurons removed: the network is smaller and faster wherever it runs."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from modelyard.errors import Unsupported
from modelyard.optimization.passes.torch import networks
from modelyard.optimization.passes.torch.chains import channels_in, narrowed, parameters_left
from modelyard.optimization.passes.torch.losses import loss_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from modelyard.optimization.passes.torch.chains import Group
    from modelyard.optimization.passes.torch.networks import Lesson
    from modelyard.optimization.state import Work

__all__ = ["groups_of", "importance_of", "prune_channels", "strongest"]

Json = Any
Tensor = Any

_LOOKED_AT = 2_048
"""Rows by which importance is estimated."""
_LEAST = 0.05
"""Share of each group's channels that stays, whatever they are worth."""


def prune_channels(
    module: Any, sparsity: float, lesson: Lesson | None, valid: Lesson | None,
    params: Mapping[str, Json], work: Work,
) -> tuple[Any, tuple[str, ...]]:  # fmt: skip
    """A smaller module, trained on between rounds, and what is to be said of it.

    Args:
        sparsity: Share of all parameters that goes at least, if so many can: each group keeps a
            channel, and some layers are in no group.
        params: `rounds` (2), `epochs` of each round, `rate`, `batch`, `teach`.
    """
    from modelyard.optimization.passes.torch.lessons import STEPS, epochs_for
    from modelyard.optimization.passes.torch.training import Schooling, train

    module = copy.deepcopy(module)
    full = _parameters(module)
    before = [(g.producer, g.channels) for g in groups_of(module)]
    rounds = networks.whole(params, "rounds", 2, 1, 20) if lesson is not None else 1
    batch = networks.whole(params, "batch", 64, 1, 4096)
    for place in range(1, rounds + 1):
        goal = full * (1 - sparsity * (1 - (1 - place / rounds) ** 3))
        groups = channels_in(module)
        if groups:
            scores = importance_of(module, groups, lesson)
            narrowed(module, groups, _chosen(module, groups, scores, goal))
        if lesson is None:
            continue
        epochs = networks.whole(
            params, "epochs", epochs_for(len(lesson), batch, 12, steps=STEPS // rounds), 0, 1000
        )
        last = place == rounds
        how = Schooling(
            epochs=2 * epochs if last else epochs, batch=batch,
            rate=networks.number(params, "rate", 1e-3, 1e-7, 1.0),
            soft=networks.number(params, "teach", 0.5, 0.0, 1.0), choose=last,
        )  # fmt: skip
        train(
            module, lesson, how, valid=valid if last else None, tell=work.tell,
            what=f"round {place} of {rounds}",
        )  # fmt: skip
    after = {g.producer: g.channels for g in channels_in(module)}
    told = ", ".join(f"{name} {count} to {after.get(name, 1)}" for name, count in before[:6])
    left = _parameters(module)
    notes = [f"{1 - left / full:.1%} of the parameters are gone: {told}"]
    if left > goal:
        notes.append(f"{sparsity:.1%} were to go, but no more of its channels can")
    return module, tuple(notes)


def groups_of(module: Any) -> tuple[Group, ...]:
    """The channels that can go. Unsupported: `not-improvable`: there are none."""
    groups = channels_in(module)
    if not groups:
        raise Unsupported(
            "not-improvable", "no channels of this module can be followed from layer to layer",
            hint="they can in nn.Sequential and in transformer layers; kind: magnitude takes any",
        )  # fmt: skip
    return groups


def importance_of(module: Any, groups: Sequence[Group], lesson: Lesson | None) -> list[Tensor]:
    """How much the loss would change without each channel, scaled by its group's mean; without a
    target, how much the outputs would.

    Estimated from gradients (Molchanov et al.: Importance Estimation for Neural Network Pruning,
    2019); without rows, the product of what makes a channel and what takes it.
    """
    import torch

    layers = dict(module.named_modules())
    found = []
    if lesson is None:
        for group in groups:
            made = layers[group.producer].weight.detach().flatten(1).norm(dim=1)
            taken = layers[group.consumer].weight.detach().transpose(0, 1).flatten(1).norm(dim=1)
            found.append(made * taken.reshape(group.channels, -1).norm(dim=1))
    else:
        found = [torch.zeros(group.channels) for group in groups]
        makers = [layers[group.producer] for group in groups]
        rows = torch.randperm(len(lesson))[:_LOOKED_AT]
        with _looked_at(module, makers):
            for batch in torch.split(rows, 64):
                some = lesson.take(batch)
                module.zero_grad()
                output = module(some.inputs)
                if some.target is None:  # it says what it says: that has no slope
                    output.square().mean().backward()
                else:
                    loss_of(module, some, output).backward()
                for layer, score in zip(makers, found, strict=True):
                    effect = (layer.weight.grad * layer.weight.detach()).flatten(1).sum(1)
                    if layer.bias is not None:
                        effect = effect + layer.bias.grad * layer.bias.detach()
                    score += effect.square()
        found = [score.sqrt() for score in found]
    return [score / score.mean().clamp_min(1e-30) for score in found]


@contextmanager
def _looked_at(module: Any, makers: Sequence[Any]) -> Iterator[None]:
    """In evaluation mode, with gradients of some layers, though they be frozen; then as it was."""
    modes = [(part, part.training) for part in module.modules()]
    frozen = [
        parameter for layer in makers for parameter in layer.parameters(recurse=False)
        if not parameter.requires_grad
    ]  # fmt: skip
    try:
        module.eval()
        for parameter in frozen:
            parameter.requires_grad_(requires_grad=True)
        yield
    finally:
        module.zero_grad()
        for parameter in frozen:
            parameter.requires_grad_(requires_grad=False)
        for part, training in modes:
            part.training = training


def strongest(scores: Tensor, count: int) -> Tensor:
    """Places of the most important channels, in their order; ties go to the first."""
    import torch

    order = torch.sort(scores, descending=True, stable=True).indices
    return order[:count].sort().values


def _chosen(
    module: Any, groups: Sequence[Group], scores: Sequence[Tensor], goal: float
) -> list[Tensor]:
    """What stays so that no more than `goal` parameters do: the weakest of all groups go first."""
    import torch

    ordered = torch.sort(torch.cat(list(scores)), stable=True).values
    low, high = 0, len(ordered) - 1
    while low < high:
        middle = (low + high) // 2
        if parameters_left(module, groups, _counts(groups, scores, ordered[middle])) > goal:
            low = middle + 1
        else:
            high = middle
    counts = _counts(groups, scores, ordered[low])
    return [strongest(score, count) for score, count in zip(scores, counts, strict=True)]


def _counts(groups: Sequence[Group], scores: Sequence[Tensor], limit: Tensor) -> list[int]:
    """How many channels of each group are above a limit; in families, as many of each."""
    counts = [
        max(1, round(_LEAST * group.channels), int((score > limit).sum()))
        for group, score in zip(groups, scores, strict=True)
    ]
    for family in {group.family for group in groups if group.family}:
        places = [i for i, group in enumerate(groups) if group.family == family]
        mean = max(1, round(sum(counts[i] for i in places) / len(places)))
        for place in places:
            counts[place] = mean
    return counts


def _parameters(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
