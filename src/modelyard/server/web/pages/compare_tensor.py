"""One tensor in two versions: how its values lie, and where in it they moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

from modelyard.core.version import VersionInfo
from modelyard.registry.tensor_difference import TensorDifference
from modelyard.server.routing import on_yard
from modelyard.server.state import Ask
from modelyard.server.web.grid import level
from modelyard.server.web.pages.compare import sides_of
from modelyard.server.web.twins import Pages

__all__ = ["pages"]

pages = Pages("compare")

Text = Annotated[str, Query(max_length=1000)]


@dataclass(frozen=True, slots=True)
class TensorPage:
    """One tensor before and after."""

    a: str
    """The old version, as it was asked for."""
    b: str
    old: VersionInfo
    new: VersionInfo
    name: str
    file: str
    tensor: TensorDifference
    levels: tuple[tuple[int | None, ...], ...]
    """Of eight colours, that of each of `tensor.blocks`."""


@pages.page("/compare/tensor", "compare_tensor.html", needs=on_yard("none"))
def compare_tensor(ask: Ask, *, a: Text, b: Text, name: Text, file: Text = "") -> TensorPage:
    """One tensor of two versions."""
    sides = sides_of(ask, a, b)
    found = ask.server.comparisons.tensor(ask, sides.old, sides.new, name, file)
    levels = tuple(tuple(level(value) for value in row) for row in found.blocks)
    return TensorPage(a, b, sides.old, sides.new, name, file, found, levels)
