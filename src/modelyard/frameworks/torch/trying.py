"""Whether the layers of a tree fit each other: one pass without values, on the meta device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.frameworks.torch.calls import call
from modelyard.frameworks.torch.tree import build

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["misfit"]

Json = Any
Shape = tuple[int, ...]

_ROWS, _STEPS = 2, 3
_SIDES = (32, 28, 64, 224, 128, 8)
"""Pictures that a convolution may have been made for; it tells only their channels."""


def misfit(before: Json, after: Json) -> str | None:
    """Why a changed tree can't run though it could before; None also where that isn't known.

    What goes in is guessed by the first layer that has weights. A module whose input can't be
    guessed so does not run before either, and nothing is said of it.
    """
    old, new = build(before), build(after)
    if _first(old)[0] != _first(new)[0]:  # another kind of input
        return None
    ran = False
    why = None
    for shape, other in zip(_guesses(old), _guesses(new), strict=False):
        if _failure(old, shape) is not None:
            continue
        ran = True
        if (why := _failure(new, other)) is None:
            return None
    return why if ran else None


def _failure(module: Any, shape: Shape) -> str | None:
    import torch

    dtype = torch.long if _first(module)[0].startswith("Embedding") else torch.float32
    rows = torch.zeros(shape, dtype=dtype, device="meta")
    try:
        call(module, (rows,), {})
    except InvalidInput as error:
        return error.message.partition(": ")[2] or error.message
    return None


def _first(module: Any) -> tuple[str, Any]:
    """The first layer that has weights, by the name of its class."""
    for part in module.modules():
        if part._parameters:
            return type(part).__name__, part
    return "", None


def _guesses(module: Any) -> Iterator[Shape]:
    """Shapes that may go into a module, the likeliest first."""
    name, layer = _first(module)
    if name.startswith("Conv"):
        around = int(name.removesuffix("d")[-1])
        yield from ((_ROWS, layer.in_channels, *[side] * around) for side in _SIDES)
    elif name in ("Embedding", "EmbeddingBag"):
        yield (_ROWS, _STEPS)
    elif (width := _width(layer)) is not None:
        yield (_ROWS, width)
        yield (_ROWS, _STEPS, width)


def _width(layer: Any) -> int | None:
    for attribute in ("in_features", "num_features", "input_size", "embed_dim"):
        width = getattr(layer, attribute, None)
        if isinstance(width, int):
            return width
    return None
