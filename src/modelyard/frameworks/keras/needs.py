"""What a Keras configuration would make Keras import or run, found without Keras.

`safe_mode` is not relied upon: it was wrong in several versions, and it does not tell names.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats.reading import printable
from modelyard.frameworks.keras.allowed import is_class, is_function

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Json

__all__ = ["LAMBDA", "Need", "custom_objects", "is_unsafe", "nameless", "needs_of", "require"]

LAMBDA = "keras.layers.Lambda"

_PLAIN = frozenset({
    "__keras_tensor__", "__slice__", "__ellipsis__", "__bytes__", "__tuple__", "TensorShape",
})  # fmt: skip
_ARRAYS = frozenset({"__numpy__", "__tensor__"})
_NUMBERS = re.compile(r"(u?int|float|bfloat|complex)\d{1,3}|bool")
_HOLDS_CODE = frozenset({"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
_NO_MODULE = (None, "", "builtins")
_NODES = 5_000_000


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a file needs and that only the caller can allow."""

    name: str
    """As `trusted=` must name it: `keras.layers.Lambda`, `mypackage.MyLayer`."""
    keys: tuple[str, ...] = ()
    """The names by which Keras will ask for it."""


def needs_of(config: Json) -> frozenset[Need]:
    """Every class and function outside of the list, everything that holds code or reads files.

    Raises:
        InvalidInput: `not-loadable`: a node names no class.
    """
    found: set[Need] = set()
    todo: list[Json] = [config]
    for _ in range(_NODES):
        if not todo:
            return frozenset(found)
        node = todo.pop()
        children = node.values() if isinstance(node, dict) else node
        todo.extend(child for child in children if isinstance(child, dict | list))
        if isinstance(node, dict):
            found.update(_judged(node))
    raise InvalidInput("not-loadable", f"the configuration has more than {_NODES} nodes")


def _judged(node: dict[str, Json]) -> Iterator[Need]:
    if isinstance(node.get("vocabulary"), str):
        # a path: the file's lines would become the layer's words
        yield Need("keras.layers.StringLookup.vocabulary")
    if "class_name" not in node:
        return
    name, module = node["class_name"], node.get("module")
    registered = node.get("registered_name")
    if not isinstance(name, str) or not all(
        value is None or isinstance(value, str) for value in (module, registered)
    ):
        raise InvalidInput("not-loadable", "the configuration has a class that is no name")
    if name in _ARRAYS:
        yield from _array(node)
    elif name == "__lambda__" or name == "Lambda":
        yield Need(LAMBDA)
    elif name == "function":
        yield from _function(node.get("config"), module, registered)
    elif name not in _PLAIN:
        yield from _class(name, module, registered)


def _array(node: dict[str, Json]) -> Iterator[Need]:
    inner = node.get("config")
    dtype = inner.get("dtype") if isinstance(inner, dict) else None
    if not isinstance(dtype, str) or not _NUMBERS.fullmatch(dtype):
        yield Need(printable(node["class_name"]))


def _function(config: Json, module: str | None, registered: str | None) -> Iterator[Need]:
    if not isinstance(config, str):
        raise InvalidInput("not-loadable", "the configuration has a function that is no name")
    name = config.rpartition(">")[2]
    keys = tuple({config, name, *filter(None, [registered])} - {"function"})
    if not is_function(module, config):
        place = config if module in _NO_MODULE else f"{module}.{name}"
        yield Need(printable(place), keys)
    if registered not in (None, "", "function", config, name):
        yield Need(printable(registered), keys)


def _class(name: str, module: str | None, registered: str | None) -> Iterator[Need]:
    own = registered in (None, "", name)
    keys = tuple({name, *filter(None, [registered])})
    if is_class(module, name):
        if not own:  # Keras would take whatever is registered under this name
            yield Need(printable(str(registered)), (str(registered),))
    elif module not in _NO_MODULE:
        yield Need(printable(f"{module}.{name}"), keys)
        if not own and str(registered).rpartition(">")[2] != name:
            yield Need(printable(str(registered)), keys)
    else:
        yield Need(printable(name if own else str(registered)), keys)


def require(what: str, needs: Iterable[Need], trust: Trust) -> None:
    """Denied `untrusted`, naming each need that the caller did not allow."""
    missing = [need.name for need in needs if _given(need, trust) is None]
    trust.require(what, missing, why="would use")


def nameless(needs: Iterable[Need], trust: Trust) -> list[Need]:
    """Classes that are neither Keras' nor of any module or package, and that nobody allowed."""
    return [
        need
        for need in needs
        if need.keys
        and need.name.isidentifier()
        and need.name not in _HOLDS_CODE
        and _given(need, trust) is None
    ]


def is_unsafe(needs: Iterable[Need]) -> bool:
    """Whether Keras itself must be told to run code: only after `require`."""
    names = [need.name for need in needs]
    return any(
        name.rpartition(".")[2] in _HOLDS_CODE or name.endswith(".vocabulary") for name in names
    )


def custom_objects(needs: Iterable[Need], trust: Trust) -> dict[str, Any]:
    """The classes and functions that the caller allowed, imported, by the names Keras asks for.

    What is registered with Keras in this process (`pkg>Name`) is found by Keras.

    Raises:
        InvalidInput: `not-loadable`: a name can't be imported.
    """
    found: dict[str, Any] = {}
    for need in needs:
        name = _given(need, trust)
        module, _, qualname = (name or "").rpartition(".")
        if module and not module.startswith("keras.") and ">" not in qualname and need.keys:
            found.update(dict.fromkeys(need.keys, _imported(module, qualname)))
    return found


def _given(need: Need, trust: Trust) -> str | None:
    """The trusted name that allows a need; old files give a class without its module."""
    if trust.allows(need.name):
        return need.name
    if "." in need.name or not need.keys:
        return None
    bare = need.name.rpartition(">")[2]
    return next((name for name in sorted(trust.names) if name.endswith(f".{bare}")), None)


def _imported(module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidInput(
            "not-loadable", f"{module}.{name} can't be imported: {error}",
            hint="install or import the package that the model was made with",
        ) from None  # fmt: skip
