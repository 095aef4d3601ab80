"""Keras models as TensorFlow converts them: a list of inputs, and names that graphs can have."""

from __future__ import annotations

import copy
import re
from typing import Any

from modelyard.errors import Unsupported
from modelyard.formats.reading import printable
from modelyard.optimization.passes.keras import networks
from modelyard.optimization.passes.keras.states import every_layer

__all__ = ["convertible"]

Json = Any

_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
_LONGEST = 256
"""Steps of a sequence that are written out one after the other; graphs grow with each."""


def convertible(network: Any) -> Any:
    """A copy that says the same, not compiled.

    Raises:
        Unsupported: `not-improvable`: a name can't be in a graph, or a sequence may be too long.
    """
    found = networks.bare(network, _unrolled(network))
    for layer in every_layer(found):
        if type(layer).__name__ != "InputLayer" and not _NAME.fullmatch(str(layer.name)):
            raise _unfit("layer", layer.name)
    if isinstance(getattr(found, "_inputs_struct", None), dict):
        from modelyard.frameworks.keras.library import keras

        found = keras().Model(list(found.inputs), found._outputs_struct, name=found.name)
    _name(found)
    return found


def _name(network: Any) -> None:
    """Inputs as rows name them: Keras counts tensors without a name over the whole process."""
    from modelyard.frameworks.keras.tensors import inputs_of

    specs = inputs_of(network)
    for spec, tensor in zip(specs, getattr(network, "inputs", None) or (), strict=True):
        if len(specs) > 1 and not _NAME.fullmatch(spec.name):
            raise _unfit("input", spec.name)
        tensor.name = re.sub(r"[^A-Za-z0-9_.-]|^[_-]", "x", spec.name)


def _unrolled(network: Any) -> Json:
    """Its configuration with the steps of sequences one after the other: LiteRT knows no lists of
    tensors, in which a loop keeps what it says."""
    config = copy.deepcopy(network.get_config())
    for layer in every_layer(network):
        steps = _steps(layer)
        if steps is not None and not 0 < steps <= _LONGEST:
            raise Unsupported(
                "not-improvable", f"LiteRT takes 1 to {_LONGEST} steps of a sequence, and the "
                f"layer {printable(str(layer.name), 60)} goes over {steps or 'any number'}",
                hint="build it with a fixed number of steps: Input((STEPS, WIDTH))",
            )  # fmt: skip
    _unroll(config)
    return config


def _steps(layer: Any) -> int | None:
    """Steps that a recurrent layer takes, 0 for any number; None for other layers."""
    if not hasattr(layer, "unroll") and type(layer).__name__ != "Bidirectional":
        return None
    try:
        return int(layer.input.shape[1] or 0)
    except (AttributeError, ValueError):  # one inside of another is called by it alone
        return None


def _unroll(config: Json) -> None:
    if isinstance(config, dict):
        if config.get("unroll") is False:
            config["unroll"] = True
        for each in config.values():
            _unroll(each)
    elif isinstance(config, list):
        for each in config:
            _unroll(each)


def _unfit(what: str, name: Any) -> Unsupported:
    return Unsupported(
        "not-improvable", f"the {what} {printable(str(name), 60)!r} has a name that no graph can "
        "have",
        hint="letters, digits and _ . - are fine",
    )  # fmt: skip
