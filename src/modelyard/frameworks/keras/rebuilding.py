"""A model made again from a changed configuration, with the weights and training that still fit."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from modelyard.frameworks.keras.library import keras, seeded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.frameworks.interface import Json

__all__ = ["copied", "hand_over", "layers_of", "made", "recompiled", "training_of"]


def layers_of(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every layer with its path; those of a model inside come after it (`encoder/dense`)."""
    for layer in model.layers:
        path = f"{prefix}{layer.name}"
        yield path, layer
        if hasattr(layer, "layers"):
            yield from layers_of(layer, f"{path}/")


def made(
    cls: Any,
    config: Json,
    *,
    shapes: Json | None = None,
    custom_objects: dict[str, Any] | None = None,
    safe: bool = False,
) -> Any:
    """A new model; new weights are the same at each call.

    Args:
        shapes: `get_build_config()`, for models whose configuration does not tell their input.
        safe: Keep Keras from running code of the configuration: for one that came from outside.
    """
    library = keras()
    from keras.src.saving.serialization_lib import SafeModeScope

    with SafeModeScope(safe), seeded(0), library.saving.custom_object_scope(custom_objects or {}):
        rebuilt = cls.from_config(config)
        if not rebuilt.built and shapes:
            rebuilt.build_from_config(shapes)
    return rebuilt


def copied(source: Any, target: Any) -> bool:
    """Copy what a layer keeps, if both keep the same shapes. Says whether it did."""
    old, new = source.weights, target.weights
    if [tuple(v.shape) for v in old] != [tuple(v.shape) for v in new]:
        return False
    # counters of random layers are variables but no weights
    if len(source.variables) == len(target.variables):
        old, new = source.variables, target.variables
    for before, after in zip(old, new, strict=True):
        if tuple(before.shape) == tuple(after.shape):
            after.assign(before.value)
    return True


def recompiled(source: Any, target: Any, optimizer: Any = None) -> None:
    """Compile like another model: same loss and metrics, another optimizer if one is given.

    Without one, the optimizer goes on where it was if the trainable weights are the same.
    """
    if not source.compiled and optimizer is None:
        return
    given = training_of(source)
    chosen = optimizer if optimizer is not None else _renewed(source.optimizer)
    target.compile(**given, optimizer=chosen)
    if optimizer is None:
        hand_over(source, target)


def _renewed(optimizer: Any) -> Any:
    """The same optimizer before its first step; each model needs its own."""
    return None if optimizer is None else type(optimizer).from_config(optimizer.get_config())


_COMPILED = (
    "loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly", "steps_per_execution",
    "jit_compile",
)  # fmt: skip


def training_of(model: Any) -> dict[str, Any]:
    """What a model was compiled with but for the optimizer.

    Losses and metrics are the objects themselves: not every class tells all of itself in its
    configuration (Huber keeps its delta back).
    """
    if not model.compiled:
        return {}
    config = model._compile_config.config
    return {name: config[name] for name in _COMPILED if config.get(name) is not None}


def hand_over(source: Any, target: Any) -> bool:
    """Copy the optimizer's state, if both train the same shapes. Says whether it did."""
    old, new = source.optimizer, target.optimizer
    if old is None or new is None or not old.built:
        return False
    shapes = [tuple(v.shape) for v in source.trainable_variables]
    if shapes != [tuple(v.shape) for v in target.trainable_variables]:
        return False
    with suppress(ValueError):
        new.build(target.trainable_variables)
        if [tuple(v.shape) for v in old.variables] == [tuple(v.shape) for v in new.variables]:
            for before, after in zip(old.variables, new.variables, strict=True):
                after.assign(before.value)
            return True
    return False
