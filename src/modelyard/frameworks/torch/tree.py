"""A tree of torch.nn modules as JSON, and built again from it without any foreign code.

    {"class": "torch.nn.modules.container.Sequential", "children": {"0": {"class": ...}}}

`{"same": "0.attn"}` stands for a module that is used twice, `set` for attributes that differ from
what the constructor makes. A tree is kept only if it gives the same module again.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats.reading import printable
from modelyard.frameworks.torch.classes import (
    CONTAINERS,
    SETTABLE,
    arguments_of,
    known_class,
    name_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["build", "describe"]

Json = Any
Module = Any

_DEPTH = 40
_NODES = 50_000
_LAYERS = 2_000
"""Above, a file that asks for so many layers is taken for an attack."""
_HOOKS = (
    "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks",
    "_state_dict_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
    "_state_dict_pre_hooks",
)  # fmt: skip
_OWN_HOOKS = frozenset({"Transformer", "MultiheadAttention"})
_SIMPLE = (bool, int, float, str, type(None))


def describe(module: Module) -> Json | None:
    """The tree of a module, or None if it can't be built from torch.nn alone."""
    try:
        tree = _described(module, "", {}, 0)
    except _NoTree:
        return None
    return _verified(module, tree)


def build(tree: Json, *, meta: bool = True) -> Module:
    """The module that a tree describes, without weights (on the meta device) or with new ones.

    Raises:
        InvalidInput: `not-loadable`: the tree is malformed, or asks for more than can be.
    """
    import torch

    device = torch.device("meta") if meta else torch.device("cpu")
    try:
        with warnings.catch_warnings(), device:
            warnings.simplefilter("ignore", UserWarning)  # advice to whoever wrote the module
            return _Builder().build(tree, "", 0)
    except InvalidInput:
        raise
    except Exception as error:
        raise _refused(f"can't be built: {printable(str(error))}") from None


class _NoTree(Exception):
    pass


def _described(module: Module, path: str, seen: dict[int, str], depth: int) -> Json:
    if id(module) in seen:
        return {"same": seen[id(module)]}
    seen[id(module)] = path
    name = name_of(module)
    if name is None or depth > _DEPTH or _is_altered(module):
        raise _NoTree
    node: dict[str, Json] = {"class": name}
    if type(module).__name__ in CONTAINERS:
        node["children"] = {
            key: _described(child, _below(path, key), seen, depth + 1)
            for key, child in module._modules.items()
        }
        return node
    arguments = arguments_of(module)
    if arguments is None:
        raise _NoTree
    if arguments:
        node["args"] = {name: _json_of(value, depth) for name, value in arguments.items()}
    return node


def _is_altered(module: Module) -> bool:
    """Whether somebody hung code on the module, or gave it another `forward`."""
    hooks = any(getattr(module, hooks, None) for hooks in _HOOKS)
    return hooks or "forward" in vars(module) or bool(module._non_persistent_buffers_set)


def _json_of(value: Any, depth: int) -> Json:
    import torch

    if type(value) in _SIMPLE:
        return value
    if isinstance(value, tuple | list | torch.Size):
        items = [_json_of(item, depth) for item in value]
        return items if isinstance(value, list) else {"tuple": items}
    if isinstance(value, torch.nn.Module):
        return {"module": _described(value, "", {}, depth + 1)}
    raise _NoTree


def _verified(module: Module, tree: Json) -> Json | None:
    """The tree, with attributes that were changed later, if it gives this very module."""
    try:
        again = build(tree)
    except InvalidInput:
        return None
    ours, theirs = dict(module.named_modules()), dict(again.named_modules())
    if _types(ours) != _types(theirs) or _shapes(module) != _shapes(again):
        return None
    changed: dict[str, dict[str, Json]] = {}
    for path, one in ours.items():
        for name, value, other in _differing(one, theirs[path]):
            if name not in SETTABLE or type(value) not in _SIMPLE or type(other) not in _SIMPLE:
                return None
            changed.setdefault(path, {})[name] = value
    return {**tree, "set": changed} if changed else tree


def _types(modules: dict[str, Module]) -> list[tuple[str, type]]:
    return [(path, type(module)) for path, module in modules.items()]


def _shapes(module: Module) -> dict[str, tuple[int, ...]]:
    state = module.state_dict(keep_vars=True)
    return {name: tuple(getattr(tensor, "shape", ())) for name, tensor in state.items()}


def _differing(one: Module, other: Module) -> Iterator[tuple[str, Any, Any]]:
    """Public attributes that are not the same; functions are by identity."""
    for name in vars(one).keys() | vars(other).keys():
        if name.startswith("_") or name == "training":
            continue
        ours, theirs = vars(one).get(name, _DIFFERENT), vars(other).get(name, _DIFFERENT)
        if type(ours) is not type(theirs) or ours != theirs:
            yield name, ours, theirs


_DIFFERENT = object()


class _Builder:
    def __init__(self) -> None:
        self.made: dict[str, Module] = {}
        self.sizes: dict[int, int] = {}
        self.count = 0

    def build(self, node: Json, path: str, depth: int) -> Module:
        before = self.count
        self._add(1)
        if not isinstance(node, dict) or depth > _DEPTH:
            raise _refused("is no tree of modules")
        if "same" in node:
            if not isinstance(node["same"], str) or node["same"] not in self.made:
                raise _refused("names a module that does not stand before it")
            self._add(self.sizes[id(self.made[node["same"]])])
            return self.made[node["same"]]
        name = node.get("class")
        cls = known_class(name) if isinstance(name, str) else None
        if cls is None:
            raise _refused(f"names {printable(str(name))}, which is no module of torch.nn")
        module = self._made(cls, node, path, depth)
        self.made[path] = module
        self.sizes[id(module)] = self.count - before
        if not path:
            _set(module, node.get("set", {}))
        return module

    def _add(self, modules: int) -> None:
        """Modules count as often as they occur: whoever walks the tree meets them so often."""
        self.count += modules
        if self.count > _NODES:
            raise _refused(f"has more than {_NODES} modules")

    def _made(self, cls: type, node: Json, path: str, depth: int) -> Module:
        if cls.__name__ in CONTAINERS:
            module = cls()
            children = node.get("children", {})
            if not isinstance(children, dict):
                raise _refused("has children that are none")
            for key, child in children.items():
                module.add_module(key, self.build(child, _below(path, key), depth + 1))
            return module
        args = node.get("args", {})
        if not isinstance(args, dict):
            raise _refused("has arguments that are none")
        values = {name: self._value(value, depth) for name, value in args.items()}
        _check_size(values)
        self._add(self._copies(values))
        if cls.__name__ == "TransformerEncoder":
            values.pop("mask_check", None)
            module = cls(**values)
            module.mask_check = args.get("mask_check", True) is True
            return module
        return cls(**values)

    def _copies(self, values: dict[str, Any]) -> int:
        """How many modules a constructor makes of those that it is given."""
        given = sum(self.sizes.get(id(value), 0) for value in values.values())
        layers = sum(v for n, v in values.items() if type(v) is int and "layers" in n)
        return max(given, 1) * layers

    def _value(self, value: Json, depth: int) -> Any:
        if type(value) in _SIMPLE:
            return value
        if isinstance(value, list):
            return [self._value(item, depth) for item in value[:100]]
        if isinstance(value, dict) and value.keys() == {"tuple"} and type(value["tuple"]) is list:
            return tuple(self._value(item, depth) for item in value["tuple"][:100])
        if isinstance(value, dict) and value.keys() == {"module"}:
            outer, self.made = self.made, {}
            module = self.build(value["module"], "", depth + 1)
            self.made = outer
            return module
        raise _refused("has an argument that can't be")


def _check_size(values: dict[str, Any]) -> None:
    for name, value in values.items():
        if type(value) is int and ("layers" in name and not 0 <= value <= _LAYERS):
            raise _refused(f"asks for {value} layers")
        if type(value) is int and abs(value) > 1 << 40:
            raise _refused(f"asks for {name}={value}")


def _set(module: Module, changes: Json) -> None:
    modules = dict(module.named_modules())
    for path, values in changes.items():
        for name, value in values.items():
            if path not in modules or name not in SETTABLE or type(value) not in _SIMPLE:
                raise _refused(f"sets {printable(str(name))}, which can't be set")
            if name not in vars(modules[path]):
                raise _refused(f"sets {printable(str(name))}, which is not there")
            setattr(modules[path], name, value)


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _refused(what: str) -> InvalidInput:
    return InvalidInput(
        "not-loadable", f"the tree of modules {what}",
        hint="load(into=...) fills a module of your own",
    )  # fmt: skip
