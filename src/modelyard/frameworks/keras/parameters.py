"""Parameters of layers that can change without new weights: `LAYER__PARAM`.

Which: `trainable`, and every plain value (number, text, switch) of a layer's configuration except
those of `_FIXED`, which decide about names, shapes and dtypes; and factors of regularizers as
`dense__kernel_regularizer__l2`. Up to 300 are listed. Of a larger model only those are that differ
from what the class gives by itself, and of these the first 300. `set_params` takes them all.
"""

from __future__ import annotations

import copy
import difflib
import inspect
import math
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats.reading import printable
from modelyard.frameworks.keras.allowed import is_class, is_function
from modelyard.frameworks.keras.rebuilding import copied, layers_of, made, recompiled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelyard.frameworks.interface import Json

__all__ = ["params_of", "with_params"]

_LISTED = 300
_FIXED = frozenset({
    "name", "dtype", "batch_shape", "batch_size", "sparse", "ragged", "optional", "seed",
    "data_format", "return_state", "return_sequences", "stateful", "unroll", "noise_shape",
    "zero_output_for_mask", "input_dim", "output_mode", "synchronized", "renorm_momentum",
})  # fmt: skip
_SHAPES = frozenset({
    "units", "filters", "kernel_size", "strides", "dilation_rate", "groups", "use_bias", "axis",
    "output_dim", "depth_multiplier", "num_heads", "key_dim", "value_dim", "padding", "pool_size",
    "center", "scale", "renorm", "target_shape", "n", "num_query_heads", "num_key_value_heads",
    "head_dim",
})  # fmt: skip
"""What decides the shapes of weights or outputs."""
_FACTORS = ("l1", "l2")
_KINDS = (bool, int, float, str)


def params_of(model: Any) -> dict[str, Json]:
    """What `with_params` takes and the model has, in the order of the layers."""
    if not _is_listed(model):
        return {}
    found = list(_entries(model))
    if len(found) > _LISTED:
        found = [entry for entry in found if not entry[2]][:_LISTED]
    return {key: value for key, value, _ in found}


def _is_listed(model: Any) -> bool:
    """Whether layers stand in the configuration: not so in a class of one's own."""
    return type(model).__name__ in ("Sequential", "Functional") and hasattr(model, "layers")


def _entries(model: Any) -> Iterator[tuple[str, Json, bool]]:
    """Key, value, and whether the class gives this value by itself."""
    for path, layer in layers_of(model):
        config = layer.get_config()
        usual = _usual(type(layer))
        for name, value in config.items():
            if name == "trainable" and not layer.weights:
                continue
            if name.endswith("_regularizer") and isinstance(value, dict):
                inner = value.get("config") or {}
                yield from (
                    (f"{path}__{name}__{factor}", inner[factor], False)
                    for factor in _FACTORS
                    if isinstance(inner.get(factor), int | float)
                )
            elif name not in _FIXED and name not in _SHAPES and isinstance(value, _KINDS):
                if isinstance(value, float) and not math.isfinite(value):
                    continue
                yield f"{path}__{name}", value, value == usual.get(name, None)


def _usual(cls: type) -> dict[str, Any]:
    found = {"trainable": True, "activation": "linear"}
    for name, parameter in inspect.signature(cls).parameters.items():
        if isinstance(parameter.default, _KINDS):
            found[name] = parameter.default
    return found


def with_params(model: Any, changes: Mapping[str, Json]) -> Any:
    """A new model of the same weights, and the same optimizer where it still fits.

    Raises:
        InvalidInput: `no-param`, `bad-param`.
    """
    if not _is_listed(model):
        raise InvalidInput(
            "no-param", f"{type(model).__name__} builds its layers by its own code",
            hint="only Sequential and functional models have parameters to change",
        )  # fmt: skip
    config = copy.deepcopy(model.get_config())
    for key, value in changes.items():
        _change(model, config, key, value)
    try:
        changed = made(type(model), config, shapes=model.get_build_config())
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InvalidInput(
            "bad-param", f"Keras refuses {', '.join(changes)}: {printable(lines[0])}"
        ) from None
    for (path, old), (_, new) in zip(layers_of(model), layers_of(changed), strict=True):
        if not hasattr(old, "layers") and not copied(old, new):
            raise _shape_error(path, next(iter(changes)))
    recompiled(model, changed)
    return changed


def _change(model: Any, config: Json, key: str, value: Json) -> None:
    paths = [path for path, _ in layers_of(model) if key.startswith(f"{path}__")]
    if not paths:
        raise _unknown(model, key)
    path = max(paths, key=len)
    name, _, factor = key[len(path) + 2 :].partition("__")
    inner = _config_of(config, path)
    if name.endswith("_regularizer") and name in inner and factor in _FACTORS:
        inner[name] = _regularizer(inner[name], factor, _number(key, value))
    elif factor or name not in inner or name in _FIXED:
        raise _unknown(model, key)
    elif name in _SHAPES:
        raise _shape_error(path, key)
    elif not isinstance(inner[name], (*_KINDS, type(None))):
        raise _unknown(model, key)
    else:
        inner[name] = _checked(key, name, inner[name], value)


def _config_of(config: Json, path: str) -> Json:
    """The configuration of a layer, through models inside models; names may hold slashes."""
    for node in config["layers"]:
        inner = node["config"]
        if inner.get("name") == path:
            return inner
        if path.startswith(f"{inner.get('name')}/") and "layers" in inner:
            return _config_of(inner, path[len(inner["name"]) + 1 :])
    raise KeyError(path)


def _checked(key: str, name: str, before: Json, value: Json) -> Json:
    if "activation" in name and name != "activity_regularizer":
        if not isinstance(value, str) or not is_function("keras.activations", value):
            raise InvalidInput(
                "bad-param", f"{key}={value!r} is no activation",
                hint="relu, gelu, tanh, sigmoid, softmax, linear, ...",
            )  # fmt: skip
        return value
    if isinstance(before, bool):
        if not isinstance(value, bool):
            raise InvalidInput("bad-param", f"{key}={value!r} is neither true nor false")
        return value
    if isinstance(before, int | float):
        number = _number(key, value)
        return int(number) if isinstance(before, int) and number == int(number) else number
    if isinstance(before, str) and not isinstance(value, str):
        raise InvalidInput("bad-param", f"{key}={value!r} is no text")
    if isinstance(value, dict | list):
        raise InvalidInput("bad-param", f"{key} takes one value", hint="use --structure")
    return value


def _number(key: str, value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInput("bad-param", f"{key}={value!r} is no number")
    return value


def _regularizer(before: Json, factor: str, value: float) -> Json:
    factors = dict.fromkeys(_FACTORS, 0.0)
    if isinstance(before, dict):
        if not is_class("keras.regularizers", before.get("class_name", "")):
            raise InvalidInput("bad-param", "this regularizer has no factors l1 and l2")
        given = before.get("config") or {}
        factors |= {name: given[name] for name in _FACTORS if name in given}
    return {
        "module": "keras.regularizers", "class_name": "L1L2",
        "config": factors | {factor: value}, "registered_name": None,
    }  # fmt: skip


def _shape_error(path: str, key: str) -> InvalidInput:
    return InvalidInput(
        "bad-param", f"{key} would change the shape of {path}",
        hint="use --structure (set_structure), which tells what is kept",
    )  # fmt: skip


def _unknown(model: Any, key: str) -> InvalidInput:
    known = [key for key, _, _ in _entries(model)]
    close = difflib.get_close_matches(key, known, 5, 0.5)
    shown = close or known[:12]
    more = ", ..." if len(known) > len(shown) else ""
    return InvalidInput(
        "no-param", f"the model has no parameter {key[:120]!r}",
        hint=f"it has {', '.join(shown)}{more}" if shown else None,
    )  # fmt: skip
