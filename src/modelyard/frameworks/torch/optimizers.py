"""Optimizers of torch.optim beside their modules: kept without a pickle, found by name."""

from __future__ import annotations

import inspect
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats.reading import printable
from modelyard.frameworks.torch.shards import read_json
from modelyard.frameworks.torch.tensors import read_tensors, write_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelyard.frameworks.interface import Files

__all__ = ["FILES", "describe", "load", "make", "save"]

Json = Any

FILES = ("optimizer.safetensors", "optimizer.json")
_REFUSED = frozenset({"LBFGS", "Optimizer"})
_SCALARS = (bool, int, float, str, type(None))


def save(optimizer: Any, module: Any, folder: Path) -> None:
    """Write `optimizer.safetensors` and `optimizer.json`. InvalidInput: `not-savable`."""
    import torch

    name = _known_name(optimizer)
    if name is None:
        raise InvalidInput(
            "not-savable", f"a {type(optimizer).__name__} is none of torch.optim's optimizers",
            hint=f"those that can be kept: {', '.join(sorted(_classes()))}",
        )  # fmt: skip
    names = {id(parameter): path for path, parameter in module.named_parameters()}
    tensors: dict[str, Any] = {}
    scalars: dict[str, dict[str, Json]] = {}
    groups = []
    for group in optimizer.param_groups:
        try:
            owned = [names[id(parameter)] for parameter in group["params"]]
        except KeyError:
            raise InvalidInput(
                "not-savable", "the optimizer moves tensors that are not the module's"
            ) from None
        rest = {key: _json_of(key, value) for key, value in group.items() if key != "params"}
        groups.append({**rest, "params": owned})
        for parameter, path in zip(group["params"], owned, strict=True):
            for key, value in optimizer.state.get(parameter, {}).items():
                if isinstance(value, torch.Tensor):
                    tensors[f"{path}/{key}"] = value
                else:
                    scalars.setdefault(path, {})[key] = _json_of(key, value)
    write_tensors(folder / FILES[0], tensors)
    content = {"name": name, "groups": groups, "state": scalars}
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / FILES[1]).write_text(text, encoding="utf-8")


def load(files: Files, module: Any) -> Any:
    """The optimizer again, bound to the module's parameters. InvalidInput: `not-loadable`."""
    content = read_json(files, FILES[1])
    tensors = read_tensors(files, (FILES[0],))
    try:
        return _rebuilt(content, tensors, dict(module.named_parameters()))
    except InvalidInput:
        raise
    except Exception as error:
        reason = printable(str(error) or type(error).__name__)
        message = f"{FILES[1]} does not fit the module: {reason}"
        raise InvalidInput("not-loadable", message) from error


def describe(optimizer: Any) -> dict[str, Json]:
    """`{"name": "adamw", "lr": ..., ...}`: settings of the first group of parameters."""
    found: dict[str, Json] = {"name": type(optimizer).__name__.lower()}
    for key, value in optimizer.param_groups[0].items():
        if key != "params":
            value = float(value) if hasattr(value, "item") else value
            found[key] = list(value) if isinstance(value, tuple) else value
    return found


def make(module: Any, old: Any, changes: Mapping[str, Json]) -> Any:
    """A new optimizer over a module's trainable parameters.

    Without another `name` it keeps the old one's settings and state, but for the changes.

    Raises:
        InvalidInput: `bad-optimizer`: the hint names the valid keys.
    """
    settings = dict(changes)
    if "learning_rate" in settings:
        settings["lr"] = settings.pop("learning_rate")
    name = settings.pop("name", None)
    if name is None and old is None:
        raise _bad("no optimizer is named", f"name is one of {_names()}")
    cls = type(old) if name is None else _class_named(name)
    valid = _settings(cls)
    unknown = [key for key in settings if key not in valid]
    if unknown:
        raise _bad(
            f"{cls.__name__} has no {', '.join(map(repr, unknown[:5]))}",
            f"name, {', '.join(valid)}",
        )
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not parameters:
        raise InvalidInput("no-optimizer", "the module has no trainable parameters")
    keeps = old is not None and type(old) is cls
    try:
        typed = {key: _typed(value) for key, value in settings.items()}
        made = cls(parameters, **{**({} if not keeps else _kept(old, valid)), **typed})
    except Exception as error:
        raise _bad(
            f"{cls.__name__} refuses it: {printable(str(error))}", f"name, {', '.join(valid)}"
        ) from error
    if keeps:
        for parameter in parameters:
            if parameter in old.state:
                made.state[parameter] = old.state[parameter]
    return made


@cache
def _classes() -> dict[str, type]:
    import torch

    return {
        name: cls
        for name, cls in vars(torch.optim).items()
        if isinstance(cls, type)
        and issubclass(cls, torch.optim.Optimizer)
        and name not in _REFUSED
        and cls.__module__.startswith("torch.optim")
    }


def _known_name(optimizer: Any) -> str | None:
    return next((name for name, cls in _classes().items() if cls is type(optimizer)), None)


def _class_named(name: Json) -> Any:
    for known, cls in _classes().items():
        if isinstance(name, str) and known.lower() == name.lower():
            return cls
    raise _bad(f"no optimizer is named {str(name)[:40]!r}", f"name is one of {_names()}")


def _names() -> str:
    return ", ".join(sorted(name.lower() for name in _classes()))


def _settings(cls: type) -> list[str]:
    names = inspect.signature(cls).parameters
    return [name for name in names if name != "params"]


def _kept(old: Any, valid: list[str]) -> dict[str, Json]:
    group = old.param_groups[0]
    return {key: group[key] for key in valid if key in group}


def _rebuilt(content: Json, tensors: dict[str, Any], parameters: dict[str, Any]) -> Any:
    cls = _classes().get(content.get("name"))
    if cls is None:
        name = printable(str(content.get("name")))
        raise InvalidInput("not-loadable", f"torch.optim has no {name}")
    valid = _settings(cls)
    groups = []
    for group in content["groups"]:
        kept = {key: _typed(value) for key, value in group.items() if key != "params"}
        groups.append({**kept, "params": [parameters[name] for name in group["params"]]})
    first = {key: value for key, value in groups[0].items() if key in valid}
    made: Any = cls([{"params": group["params"]} for group in groups], **first)
    for own, kept in zip(made.param_groups, groups, strict=True):
        own.update({key: value for key, value in kept.items() if key in own})
    for name, state in content.get("state", {}).items():
        made.state[parameters[name]].update({k: _typed(v) for k, v in state.items()})
    for name, tensor in tensors.items():
        path, _, key = name.rpartition("/")
        made.state[parameters[path]][key] = tensor.clone()
    return made


def _json_of(key: str, value: Any) -> Json:
    if type(value) in _SCALARS:
        return value
    if hasattr(value, "item") and getattr(value, "numel", lambda: 0)() == 1:
        return value.item()
    if isinstance(value, tuple | list) and all(type(item) in _SCALARS for item in value):
        return list(value)
    raise InvalidInput("not-savable", f"the optimizer's {key} is a {type(value).__name__}")


def _typed(value: Json) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _bad(message: str, hint: str) -> InvalidInput:
    return InvalidInput("bad-optimizer", message, hint=hint)
