"""Whether a configuration asks for much more memory than the weights beside it explain.

A few bytes of JSON can make Keras build a layer of many gigabytes before it looks at any weight.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats.reading import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Json

__all__ = ["SIZES", "require_sizes"]

SIZES = "keras.sizes"
"""The name that trusts what a configuration asks for."""

_LARGEST = 20_000_000
_GROWTH = 50
_SPARE = 10_000_000
_VALUES = frozenset({
    "seed", "salt", "vocabulary", "idf_weights", "oov_token", "mask_token", "mask_value",
    "bin_boundaries", "boundaries", "values", "value", "mean", "variance", "scale", "offset",
    "min_value", "max_value", "decay_steps", "first_decay_steps", "warmup_steps", "class_weight",
    "loss_weights", "dynamic_growth_steps", "initial_scale", "ema_overwrite_frequency",
    "shared_object_id", "class_ids", "target_class_ids", "ignore_class", "fill_value", "constants",
})  # fmt: skip
"""Keys whose numbers are data or times: nothing is made as large as they are."""
_OUTPUTS = ("units", "filters", "output_dim")
_SHAPES = ("batch_shape", "batch_input_shape", "target_shape")


def require_sizes(what: str, configs: Json, elements: int, trust: Trust) -> None:
    """Refuse what would fill the memory, unless trust names `keras.sizes`.

    Args:
        what: The file, as the version spells it.
        configs: One configuration or a list of them.
        elements: Numbers that the weights in the file hold.
        trust: What the caller allows.

    Raises:
        InvalidInput: `not-loadable`.
    """
    if trust.allows(SIZES):
        return
    implied, width = 0, 1
    for node in _objects(configs):
        for key, value in node.items():
            if key not in _VALUES and (large := _largest(value)) > _LARGEST:
                raise _too_large(what, f"{printable(key, 60)} is {large}")
        config = node.get("config")
        if isinstance(config, dict) and "class_name" in node:
            implied += _implied(config, _input(node, width))
            width = _output(config, width)
    if implied > _GROWTH * elements + _SPARE:
        raise _too_large(what, f"it asks for {implied} weights, and the file holds {elements}")


def _too_large(what: str, why: str) -> InvalidInput:
    return InvalidInput(
        "not-loadable", f"{what} can't be loaded: it may fill the memory: {why}",
        hint=f"if that is right: trusted=['{SIZES}'], best with isolated=True, which has limits",
    )  # fmt: skip


def _objects(configs: Json) -> Iterator[dict[str, Any]]:
    """Every object, in the order of the text."""
    todo = [configs]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            yield node
            todo.extend(reversed([v for k, v in node.items() if k not in _VALUES]))
        elif isinstance(node, list):
            todo.extend(reversed(node))


def _largest(value: Json) -> int:
    """The largest whole number of a value or a flat list; objects are judged by themselves."""
    found = value if isinstance(value, list) else [value]
    return max((_whole(each) for each in found), default=0)


def _whole(value: Json) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _sides(value: Json) -> list[int]:
    return [max(1, _whole(side)) for side in value] if isinstance(value, list) else []


def _input(node: dict[str, Any], width: int) -> int:
    """The last side of what a layer was built for; else that of the layer before."""
    build = node.get("build_config")
    sides = _sides(build.get("input_shape")) if isinstance(build, dict) else []
    return sides[-1] if sides else width


def _output(config: dict[str, Any], width: int) -> int:
    for key in _OUTPUTS:
        if found := _whole(config.get(key)):
            return found
    for key in _SHAPES:
        if sides := _sides(config.get(key)):
            return sides[-1]
    return width


def _implied(config: dict[str, Any], width: int) -> int:
    """At least about how many numbers a layer or metric makes."""
    units, filters = _whole(config.get("units")), _whole(config.get("filters"))
    found = units * (units if "recurrent_activation" in config else width)
    if filters:
        groups = max(1, _whole(config.get("groups")))
        depthwise = "depth_multiplier" in config
        kernel = 1 if depthwise else prod(_sides(config.get("kernel_size")))
        found += filters * kernel * max(1, width // groups)
    found += _whole(config.get("input_dim")) * _whole(config.get("output_dim"))
    found += _whole(config.get("num_heads")) * _whole(config.get("key_dim")) * width
    return found + _whole(config.get("num_thresholds"))
