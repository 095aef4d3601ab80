"""What of a module may change while its weights stay: rates, switches, what is frozen.

Keys are the module's path, two underscores and the name: `encoder.layers.0.dropout__p`; those of
the module itself have no path: `training`, `trainable`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.frameworks.torch.classes import SETTABLE, name_of
from modelyard.frameworks.torch.kinds import kind_of, module_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["read", "write"]

Json = Any

_RATES = ("p", "dropout", "label_smoothing")
_MOST = 2_000
"""Keys that are listed; those of a larger module can be set all the same."""


def read(obj: Any) -> dict[str, Json]:
    """Every key with its value; nothing for a dict of tensors."""
    if kind_of(obj) not in ("module", "pair"):
        return {}
    found: dict[str, Json] = {}
    for key, part, name in _keys(module_of(obj)):
        found[key] = _value(part, name)
        if len(found) >= _MOST:
            break
    return found


def write(obj: Any, changes: Mapping[str, Json]) -> Any:
    """The object, changed; all changes are checked before the first is made."""
    if kind_of(obj) not in ("module", "pair"):
        raise InvalidInput("no-param", "a dict of tensors has no parameters to set")
    known = {key: (part, name) for key, part, name in _keys(module_of(obj))}
    for key, value in changes.items():
        if key not in known:
            raise InvalidInput("no-param", f"the module has no {key!r}", hint=_near(key, known))
        _check(key, *known[key], value)
    for key, value in changes.items():
        part, name = known[key]
        if name == "training":
            part.train(value)
        elif name == "trainable":
            part.requires_grad_(value)
        else:
            setattr(part, name, float(value) if type(value) is int else value)
    return obj


def _keys(module: Any) -> Iterator[tuple[str, Any, str]]:
    for path, part in module.named_modules():
        prefix = f"{path}__" if path else ""
        if name_of(part) is not None:
            for name in SETTABLE:
                if name in vars(part):
                    yield prefix + name, part, name
        if next(part.parameters(), None) is not None:
            yield f"{prefix}trainable", part, "trainable"
        if not path:
            yield "training", part, "training"


def _value(part: Any, name: str) -> Json:
    if name == "trainable":
        return all(parameter.requires_grad for parameter in part.parameters())
    return getattr(part, name)


def _check(key: str, part: Any, name: str, value: Json) -> None:
    if name in ("training", "trainable") or isinstance(getattr(part, name), bool):
        if not isinstance(value, bool):
            raise _bad(key, value, "true or false")
        return
    if value is None and name in ("momentum", "align_corners", "eps"):
        return
    wanted = SETTABLE[name]
    if wanted is bool and not isinstance(value, bool):
        raise _bad(key, value, "true or false")
    if wanted is float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _bad(key, value, "a number")
        if not abs(value) < 1e300 or not math.isfinite(value):
            raise _bad(key, value, "a finite number")
        if name in _RATES and not 0 <= value <= 1:
            raise _bad(key, value, "between 0 and 1")


def _bad(key: str, value: Json, wanted: str) -> InvalidInput:
    return InvalidInput("bad-param", f"{key} can't be {str(value)[:60]}", hint=f"it is {wanted}")


def _near(key: str, known: Mapping[str, Any]) -> str:
    from difflib import get_close_matches

    names = list(known)[:5000]
    shown = get_close_matches(key, names, 6, 0.5) or names[:12]
    return f"there are {', '.join(shown)}" + (", ..." if len(names) > len(shown) else "")
