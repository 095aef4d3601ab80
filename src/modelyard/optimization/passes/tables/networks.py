"""Training networks with a learning rate and so many epochs, the best epoch kept."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from modelyard.frameworks import framework_of
from modelyard.optimization.passes.tables.fitting import fitted, scored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.optimization.state import Work

__all__ = ["trained"]

Json = Any

_PATIENCE = 8


def trained(obj: Any, params: Mapping[str, Json], work: Work) -> tuple[Any, dict[str, Json]]:
    """The network after the epoch that was best on `work.valid`, and the number of that epoch.

    Training goes on from the weights that are there. It ends after eight epochs without gain. With
    the epochs that it gives back and `patience` 0 it ends there again without being judged.
    """
    assert work.train is not None
    epochs = int(params.get("epochs", 10))
    framework = framework_of(obj)
    rate = {"lr": float(params.get("learning_rate", 1e-3))}
    changes = rate if framework.optimizer(obj) else {"name": "adam", **rate}
    obj = framework.set_optimizer(obj, changes)
    patience = int(params.get("patience", _PATIENCE))
    judged = patience > 0 and work.valid is not None and work.valid.target is not None
    best: tuple[float, int, Any] | None = None
    for epoch in range(1, epochs + 1):
        obj = fitted(obj, work.train, (work.seed + epoch) % 2**31, epochs=1)
        if not judged:
            continue
        assert work.valid is not None
        score = scored(obj, work.valid, work.task)
        work.tell(f"epoch {epoch}", score)
        if best is None or score > best[0]:
            best = (score, epoch, _kept(obj))
        elif epoch - best[1] >= patience:
            break
    if best is None:
        return obj, {"epochs": epochs, "patience": 0}
    return _restored(obj, best[2]), {"epochs": best[1], "patience": 0}


def _kept(obj: Any) -> Any:
    """What is needed to come back: Keras objects are heavy to copy, their weights are not."""
    if framework_of(obj).NAME == "keras":
        return [variable.numpy() for variable in _variables(obj)]
    return copy.deepcopy(obj)


def _restored(obj: Any, kept: Any) -> Any:
    if framework_of(obj).NAME != "keras":
        return kept
    for variable, value in zip(_variables(obj), kept, strict=True):
        variable.assign(value)
    return obj


def _variables(model: Any) -> list[Any]:
    """Weights, and what the optimizer remembers."""
    optimizer = getattr(model, "optimizer", None)
    return [*model.variables, *(optimizer.variables if optimizer is not None else ())]
