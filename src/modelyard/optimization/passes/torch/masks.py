"""Which weights go: by their size, for all layers together or for each alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "SCOPES", "Masks", "Scope", "all_but_lowest", "masks_of", "prunable", "sparsity_of",
    "without_lowest", "zeros_of",
]  # fmt: skip

Tensor = Any
Scope = Literal["global", "adaptive", "layer"]
SCOPES: tuple[str, ...] = get_args(Scope)

_SPARSE = 0.2
"""From here on, zeros are taken for those of pruning."""


class Masks:
    """Holds weights at zero while others learn."""

    def __init__(self, parameters: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> None:
        self._pairs = [(parameters[name], mask) for name, mask in masks.items()]
        self.after_step()

    def before_forward(self, progress: float) -> None: ...

    def before_step(self) -> None:
        """What is zero has no gradient, so that no momentum gathers there."""
        for parameter, mask in self._pairs:
            if parameter.grad is not None:
                parameter.grad.mul_(mask)

    def after_step(self) -> None:
        """Zeros again."""
        import torch

        with torch.no_grad():
            for parameter, mask in self._pairs:
                parameter.mul_(mask)


def prunable(module: Any) -> dict[str, Tensor]:
    """Weights with two axes or more; biases and norms are few and matter much, and so does a layer
    of one weight."""
    return {
        name: parameter for name, parameter in module.named_parameters()
        if parameter.ndim > 1 and parameter.numel() > 1
        and parameter.is_floating_point() and parameter.requires_grad
    }  # fmt: skip


def masks_of(weights: Mapping[str, Tensor], sparsity: float, scope: str) -> dict[str, Tensor]:
    """Masks of zeros and ones that leave out a share of all weights, the smallest.

    Args:
        scope: `global`: those that are smallest of all; `layer`: the same share of each layer;
            `adaptive`: each weight by what stands above it in its layer (Lee et al.:
            Layer-adaptive sparsity for the magnitude-based pruning, 2021), which empties none.
    """
    import torch

    with torch.no_grad():
        if scope == "layer":
            return {name: _above(w.detach().abs(), sparsity) for name, w in weights.items()}
        scores = {
            name: _adaptive(w.detach()) if scope == "adaptive" else w.detach().abs().float()
            for name, w in weights.items()
        }
        return without_lowest(weights, scores, sparsity)


def without_lowest(
    weights: Mapping[str, Tensor], scores: Mapping[str, Tensor], sparsity: float
) -> dict[str, Tensor]:
    """Masks of zeros and ones that leave out a share of all weights: those of lowest scores."""
    import torch

    together = torch.cat([scores[name].flatten() for name in weights])
    stays = all_but_lowest(together, round(sparsity * len(together)))
    parts = stays.split([weight.numel() for weight in weights.values()])
    return {
        name: part.reshape(weight.shape).to(weight.dtype)
        for (name, weight), part in zip(weights.items(), parts, strict=True)
    }


def all_but_lowest(scores: Tensor, count: int) -> Tensor:
    """Which of a row of scores are left without so many of the lowest; of a tie the first go.

    As a stable sort would have it, and faster.
    """
    import torch

    stays = torch.ones_like(scores, dtype=torch.bool)
    if count:
        limit = torch.kthvalue(scores, count).values
        stays[scores < limit] = False
        ties = (scores == limit).nonzero().flatten()
        stays[ties[: count - int((~stays).sum())]] = False
    return stays


def zeros_of(module: Any) -> Masks | None:
    """What holds the zeros of a module that was pruned; None if it was not.

    Not those of a layer that is all zero, nor of words that are: nobody has taught them yet.
    """
    import torch

    tables = {
        id(part.weight) for part in module.modules()
        if isinstance(part, torch.nn.Embedding | torch.nn.EmbeddingBag)
    }  # fmt: skip
    weights = prunable(module)
    found = {}
    for name, weight in weights.items():
        zero = weight.detach() == 0
        taught = ~zero.all(1) if id(weight) in tables else ~zero.all().expand(len(zero))
        if bool(taught.any()) and float(zero[taught].float().mean()) > _SPARSE:
            zero[~taught] = False
            found[name] = (~zero).to(weight.dtype)
    return Masks(weights, found) if found else None


def sparsity_of(module: Any) -> float:
    """Share of zeros among the weights that can be pruned."""
    weights = prunable(module).values()
    count = sum(w.numel() for w in weights)
    return sum(int((w == 0).sum()) for w in weights) / count if count else 0.0


def _above(size: Tensor, sparsity: float) -> Tensor:
    stays = all_but_lowest(size.flatten(), round(sparsity * size.numel()))
    return stays.reshape(size.shape).to(size.dtype)


def _adaptive(weight: Tensor) -> Tensor:
    """Each square by the sum of all that are not smaller."""
    import torch

    squares = weight.double().square().flatten()
    ordered, places = torch.sort(squares, stable=True)
    left = ordered.flip(0).cumsum(0).flip(0)
    scores = torch.empty_like(squares)
    scores[places] = ordered / left.clamp_min(1e-300)
    return scores.reshape(weight.shape)
