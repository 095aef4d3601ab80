"""What Keras 3 gets wrong when it reads `.h5`: the loss, the metrics, and the optimizer's state."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from modelyard.frameworks.keras.library import keras

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modelyard.frameworks.interface import Json

__all__ = ["compile_as_saved", "text_of"]


def compile_as_saved(model: Any, place: Path, training: str) -> None:
    """Compile a model with the `training_config` of its file, and give the optimizer its state.

    Keras 3.15 can't read short names such as `mse` here, though it writes them, and builds the
    optimizer before it knows its variables, so that their values are dropped. Files of Keras 2 keep
    them in another order: there the optimizer starts anew.
    """
    library = keras()
    config = json.loads(training)
    optimizer = library.optimizers.deserialize(config["optimizer_config"])
    metrics = library.metrics.deserialize
    model.compile(
        optimizer=optimizer,
        loss=_built(config.get("loss"), library.losses.deserialize),
        loss_weights=config.get("loss_weights"),
        metrics=_built(config.get("metrics"), metrics),
        weighted_metrics=_built(config.get("weighted_metrics"), metrics),
    )
    _restore(model, place)


def _built(config: Json, deserialize: Callable[[Json], Any]) -> Any:
    """Objects of a nested configuration; names stay, since `compile` knows them all."""
    if isinstance(config, dict) and "class_name" in config:
        return deserialize(config)
    if isinstance(config, dict):
        return {name: _built(value, deserialize) for name, value in config.items()}
    if isinstance(config, list):
        return [_built(value, deserialize) for value in config]
    return config


def _restore(model: Any, place: Path) -> None:
    import h5py

    with h5py.File(place, "r") as file:
        group = file.get("optimizer_weights")
        if group is None:
            return
        values = [group[text_of(name)][()] for name in group.attrs.get("weight_names", ())]
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    shapes = [tuple(variable.shape) for variable in optimizer.variables]
    if shapes == [value.shape for value in values]:
        for variable, value in zip(optimizer.variables, values, strict=True):
            variable.assign(value)


def text_of(value: Any) -> str:
    """An attribute or name as h5py gives it."""
    return value.decode() if isinstance(value, bytes) else str(value)
