"""The layers of a model: told line by line, and rebuilt after a plan."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats.reading import printable
from modelyard.frameworks.keras.allowed import close_to, module_of
from modelyard.frameworks.keras.library import keras
from modelyard.frameworks.keras.needs import (
    Need,
    custom_objects,
    is_unsafe,
    nameless,
    needs_of,
    require,
)
from modelyard.frameworks.keras.rebuilding import copied, layers_of, made, recompiled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Json

__all__ = ["structure_of", "with_structure"]

_TOLD = (
    "units", "filters", "kernel_size", "pool_size", "input_dim", "output_dim", "num_heads",
    "key_dim", "target_shape", "rate", "activation",
)  # fmt: skip
_HINT = (
    'a plan is {"layers": [...]} as in the model\'s get_config(), its to_json(), or for Sequential '
    '{"replace": {NAME: LAYER}, "insert": [{"after": NAME, "layer": LAYER}], "drop": [NAME]}; '
    'a LAYER is {"class_name": "Dense", "config": {"units": 8}}'
)
_EDITS = frozenset({"replace", "insert", "drop"})


def structure_of(model: Any) -> tuple[str, ...]:
    """`dense: Dense(64, relu) (None, 64) 4,160 params`; branches name where they come from."""
    return tuple(_lines(model, ""))


def _lines(model: Any, prefix: str) -> Iterator[str]:
    previous = ""
    for layer in getattr(model, "operations", None) or model.layers:
        parts = [f"{prefix}{layer.name}: {type(layer).__name__}{_arguments(layer)}"]
        parts += _shape(layer)
        if count := _count(layer):
            parts.append(f"{count:,} params" + ("" if layer.trainable else ", frozen"))
        sources = _sources(model, layer)
        if sources and sources != [previous]:
            parts.append(f"from {', '.join(sources)}")
        yield " ".join(parts)
        previous = layer.name
        if hasattr(layer, "layers"):
            yield from _lines(layer, f"{prefix}{layer.name}/")


def _arguments(layer: Any) -> str:
    config = layer.get_config() if hasattr(layer, "get_config") else {}
    told = [
        str(value).replace(" ", "")
        for name in _TOLD
        if isinstance(value := config.get(name), int | float | str | list | tuple)
        and value != "linear"
    ]
    return f"({', '.join(told)})" if told else ""


def _count(layer: Any) -> int:
    return int(layer.count_params()) if getattr(layer, "built", False) and layer.weights else 0


def _shape(layer: Any) -> list[str]:
    try:
        tensors = keras().tree.flatten(layer.output)
    except (AttributeError, ValueError):  # called twice, or not at all
        return []
    return [str(tuple(tensor.shape)) for tensor in tensors]


def _sources(model: Any, layer: Any) -> list[str]:
    """The layers that this one takes its input from, within the model."""
    inside = {id(operation) for operation in getattr(model, "operations", None) or ()}
    tensors = [t for node in getattr(layer, "_inbound_nodes", ()) for t in node.input_tensors]
    parents = [tensor._keras_history.operation for tensor in tensors]
    return list(dict.fromkeys(parent.name for parent in parents if id(parent) in inside))


def with_structure(model: Any, plan: Json, trust: Trust) -> tuple[Any, tuple[str, ...]]:
    """The model rebuilt; weights stay where a layer's name and all its shapes are the same.

    Raises:
        InvalidInput: `bad-structure`.
        Denied: `untrusted`.
    """
    cls, config = _planned(model, plan)
    own = {
        f"{type(layer).__module__}.{type(layer).__qualname__}": type(layer)
        for _, layer in layers_of(model)
        if not type(layer).__module__.startswith("keras.")
    }
    try:
        needs = needs_of(config)
    except InvalidInput as error:
        raise InvalidInput("bad-structure", error.message, hint=_HINT) from None
    needs = frozenset(need for need in needs if need.name not in own)
    _refuse_misspelt(needs, trust)
    require("the plan", needs, trust)
    objects = {cls.__name__: cls for cls in own.values()} | custom_objects(needs, trust)
    try:
        rebuilt = made(cls, config, custom_objects=objects, safe=not is_unsafe(needs))
        if not rebuilt.built:
            rebuilt.build_from_config(model.get_build_config())
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InvalidInput(
            "bad-structure", f"Keras can't build this plan: {printable(lines[0], 300)}", hint=_HINT
        ) from None
    told = [*_kept(model, rebuilt)]
    recompiled(model, rebuilt)
    if model.compiled and model.optimizer is not None:
        name = type(model.optimizer).__name__.lower()
        kept = rebuilt.optimizer.built and model.optimizer.built
        told.append(f"optimizer: {name}, its state " + ("is kept" if kept else "starts anew"))
    return rebuilt, tuple(told)


def _refuse_misspelt(needs: frozenset[Need], trust: Trust) -> None:
    """A class without a module that Keras hasn't is no question of trust: nothing could be run."""
    unknown = sorted(need.name for need in nameless(needs, trust))
    if not unknown:
        return
    close = close_to(unknown[0])
    raise InvalidInput(
        "bad-structure", f"Keras has no {', '.join(unknown[:5])}",
        hint=(f"do you mean {' or '.join(close)}? " if close else "")
        + 'a class of your own needs its module: {"class_name": ..., "module": "mypackage.layers"}',
    )  # fmt: skip


def _kept(old: Any, new: Any) -> Iterator[str]:
    """Copy weights, and tell of every layer that has some or is new or gone."""
    before = dict(layers_of(old))
    after = dict(layers_of(new))
    for path, layer in after.items():
        source = before.get(path)
        if hasattr(layer, "layers"):
            continue
        if source is None:
            yield f"{path}: new, initialised" if layer.weights else f"{path}: new"
        elif not layer.weights:
            if source.weights:
                yield f"{path}: has no weights any more"
            else:
                copied(source, layer)
        elif copied(source, layer):
            yield f"{path}: kept"
        else:
            yield f"{path}: {_difference(source, layer)}, initialised"
    yield from (f"{path}: dropped" for path in before if path not in after)


def _difference(old: Any, new: Any) -> str:
    shapes = [[tuple(v.shape) for v in layer.weights] for layer in (old, new)]
    if len(shapes[0]) != len(shapes[1]):
        return f"{len(shapes[0])} weights -> {len(shapes[1])}"
    first, second = next(pair for pair in zip(*shapes, strict=True) if pair[0] != pair[1])
    return f"shape {first} -> {second}"


def _planned(model: Any, plan: Json) -> tuple[Any, Json]:
    """The class to build, and its whole configuration."""
    if isinstance(plan, str):
        try:
            plan = json.loads(plan)
        except ValueError:
            raise InvalidInput("bad-structure", "the plan is no JSON", hint=_HINT) from None
    if not isinstance(plan, dict) or not plan:
        raise InvalidInput("bad-structure", "the plan is no object", hint=_HINT)
    library = keras()
    kind = type(model).__name__
    if isinstance(plan.get("config"), dict):
        kind, plan = str(plan.get("class_name", kind)), plan["config"]
    if kind not in ("Sequential", "Functional", "Model"):
        raise InvalidInput(
            "bad-structure", f"{printable(kind)} builds its layers by its own code",
            hint="only Sequential and functional models can be rebuilt after a plan",
        )  # fmt: skip
    own = copy.deepcopy(model.get_config())
    if plan.keys() <= _EDITS:
        config = own | {"layers": _edited(own, plan, kind)}
    elif isinstance(plan.get("layers"), list):
        config = own | copy.deepcopy(plan)
        config["layers"] = [_layer(node) for node in config["layers"]]
    else:
        unknown = ", ".join(sorted(printable(str(key)) for key in plan)[:6])
        raise InvalidInput("bad-structure", f"the plan holds {unknown}", hint=_HINT)
    _forget_shapes(config)
    return (library.Sequential if kind == "Sequential" else library.Model), config


def _edited(own: Json, plan: Json, kind: str) -> list[Json]:
    if kind != "Sequential":
        raise InvalidInput(
            "bad-structure", "replace, insert and drop are for Sequential models",
            hint="edit the model's to_json(), and give all of it",
        )  # fmt: skip
    layers: list[Json] = own["layers"]
    replace, insert, drop = plan.get("replace", {}), plan.get("insert", []), plan.get("drop", [])
    if not (isinstance(replace, dict) and isinstance(insert, list) and isinstance(drop, list)):
        raise InvalidInput("bad-structure", "the plan is malformed", hint=_HINT)
    for name, layer in replace.items():
        place = _place(layers, name)
        layers[place] = _layer(layer, name)
    for entry in insert:
        if not isinstance(entry, dict) or not entry.keys() <= {"after", "before", "layer"}:
            raise InvalidInput("bad-structure", "an insert is malformed", hint=_HINT)
        if ("after" in entry) == ("before" in entry):
            raise InvalidInput(
                "bad-structure", "an insert names the layer after or before it", hint=_HINT
            )
        place = _place(layers, entry["after"]) + 1 if "after" in entry else 0
        place = place if "after" in entry else _place(layers, entry["before"])
        layers.insert(place, _layer(entry.get("layer"), taken={_name(node) for node in layers}))
    for name in drop:
        del layers[_place(layers, name)]
    return layers


def _place(layers: list[Json], name: Json) -> int:
    names = [_name(node) for node in layers]
    if name not in names:
        raise InvalidInput(
            "bad-structure", f"there is no layer {str(name)[:80]!r}",
            hint=f"there are {', '.join(map(str, names[:30]))}",
        )  # fmt: skip
    return names.index(name)


def _name(node: Json) -> str:
    return str(node["config"].get("name"))


def _layer(node: Json, name: str | None = None, taken: set[str] | None = None) -> Json:
    """A layer of a plan as Keras writes it: with its module, and a name that never varies."""
    if not isinstance(node, dict) or not isinstance(node.get("class_name"), str):
        raise InvalidInput("bad-structure", "a layer of the plan has no class_name", hint=_HINT)
    config = node.get("config", {})
    if not isinstance(config, dict):
        raise InvalidInput("bad-structure", "a layer's config is no object", hint=_HINT)
    made = {**node, "config": dict(config)}
    if "module" not in made and (module := module_of(node["class_name"])) is not None:
        made |= {"module": module, "registered_name": None}
    if "name" not in made["config"] and (name or taken is not None):
        made["config"]["name"] = name or _unique(node["class_name"], taken or set())
    return made


def _unique(class_name: str, taken: set[str]) -> str:
    base = name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", class_name).lower()
    count = 0
    while name in taken:
        count += 1
        name = f"{base}_{count}"
    return name


def _forget_shapes(config: Json) -> None:
    """Take out the shapes that layers were built with: the plan may change them."""
    for node in config["layers"]:
        node.pop("build_config", None)
        inner = node.get("config")
        if isinstance(inner, dict) and isinstance(inner.get("layers"), list):
            _forget_shapes(inner)
