"""What the catalog keeps of optimizations: recipes, trials, and what came of them."""

from __future__ import annotations

from modelyard.registry.optimizations.local import LocalOptimizations

__all__ = ["LocalOptimizations"]
