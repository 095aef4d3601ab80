"""Movement pruning: weights go that learning moves towards zero, not those that are small.

Sanh, Wolf and Rush: Movement Pruning: Adaptive Sparsity by Fine-Tuning, 2020. Hard top-k over all
layers, with the cubic schedule of Zhu and Gupta: To prune, or not to prune, 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.optimization.passes.torch.masks import without_lowest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Movement"]

Tensor = Any

_FROM, _TO = 0.05, 0.7
"""Between these shares of training sparsity grows; after them, weights settle."""


class Movement:
    """Keeps dense weights beside the masked ones, and a score for each of them."""

    def __init__(self, weights: Mapping[str, Tensor], sparsity: float) -> None:
        import torch

        self._weights = dict(weights)
        self._sparsity = sparsity
        self._dense = {name: w.detach().clone() for name, w in weights.items()}
        self._scores = {name: torch.zeros_like(w) for name, w in self._dense.items()}
        self.masks = {name: torch.ones_like(w) for name, w in self._dense.items()}
        self._settled = False

    def before_forward(self, progress: float) -> None:
        """Masks by the scores so far; the module sees what is left."""
        import torch

        if not self._settled:
            share = min(max((progress - _FROM) / (_TO - _FROM), 0.0), 1.0)
            self._mask(self._sparsity * (1 - (1 - share) ** 3))
            self._settled = share >= 1.0
        with torch.no_grad():
            for name, weight in self._weights.items():
                weight.copy_(self._dense[name] * self.masks[name])

    def before_step(self) -> None:
        """Gradients pass the masks straight through; the dense weights take the step."""
        import torch

        with torch.no_grad():
            for name, weight in self._weights.items():
                if weight.grad is None:
                    continue
                if not self._settled:
                    self._scores[name] -= weight.grad * self._dense[name]
                else:
                    weight.grad.mul_(self.masks[name])
                weight.copy_(self._dense[name])

    def after_step(self) -> None:
        import torch

        with torch.no_grad():
            for name, weight in self._weights.items():
                self._dense[name].copy_(weight)

    def _mask(self, sparsity: float) -> None:
        """The lowest scores go. Scores are counted in units of their layer's spread, for layers
        have gradients of their own order."""
        scaled = {name: s / s.std().clamp_min(1e-30) for name, s in self._scores.items()}
        self.masks |= without_lowest(self._dense, scaled, sparsity)
