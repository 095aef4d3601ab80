"""What passes on modules give in the end, or say instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.optimization.passes.interface import Made
from modelyard.optimization.passes.torch import networks
from modelyard.optimization.passes.torch.precision import restored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.optimization.passes.torch.precision import Dtypes
    from modelyard.optimization.state import Model, Work

__all__ = ["made_of", "why_nothing_learns"]

Json = Any


def why_nothing_learns(module: Any) -> str | None:
    """Why training would change nothing; None if it may."""
    if any(parameter.requires_grad for parameter in module.parameters()):
        return None
    return "all its weights are frozen (requires_grad is False), so it can learn nothing"


def made_of(
    module: Any, model: Model, work: Work, dtypes: Dtypes, *,
    notes: tuple[str, ...] = (), changed: tuple[Mapping[str, Json], ...] = (),
) -> Made:  # fmt: skip
    """The module as a model, in the dtypes that it came with; none if learning has broken it."""
    restored(module, dtypes)
    learned = [p for p in module.parameters() if p.requires_grad and p.is_floating_point()]
    if not all(bool(parameter.float().isfinite().all()) for parameter in learned):
        return Made(
            model=None, why="some of its weights would be infinite or NaN: try a lower rate"
        )
    return Made(model=networks.saved(module, model, work), notes=notes, changed=changed)
