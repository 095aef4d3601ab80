"""Passes reckon in float32, whatever a module is kept in.

In halves small steps of learning are lost, and what Adam divides by becomes zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Dtypes", "restored", "widened"]

Tensor = Any
Dtypes = dict[str, Any]
"""Of each tensor of floats, by its name."""

_WIDE = 4
"""Bytes of a float from which on it is left as it is."""


def widened(module: Any) -> Dtypes:
    """Make all shorter floats of a module float32, in place; what they were is for `restored`."""
    found = {}
    for name, tensor in _floats(module):
        found[name] = tensor.dtype
        if tensor.dtype.itemsize < _WIDE:
            tensor.data = tensor.data.float()
    return found


def restored(module: Any, dtypes: Dtypes) -> None:
    """Give tensors the dtypes that they had, in place; new ones get that of the layer which they
    are a part of, or stand for."""
    layers: Dtypes = {}
    for name, dtype in dtypes.items():
        layers.setdefault(_parent(name), dtype)
    for name, tensor in _floats(module):
        dtype = dtypes.get(name) or _nearest(name, layers)
        if dtype is not None:
            tensor.data = tensor.data.to(dtype)


def _floats(module: Any) -> Iterator[tuple[str, Tensor]]:
    for tensors in (module.named_parameters(), module.named_buffers()):
        for name, tensor in tensors:
            if tensor.is_floating_point():
                yield name, tensor


def _nearest(name: str, layers: Mapping[str, Any]) -> Any:
    while name and _parent(name) not in layers:
        name = _parent(name)
    return layers.get(_parent(name))


def _parent(name: str) -> str:
    return name.rpartition(".")[0]
