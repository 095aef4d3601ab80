"""The tensors of a version: a table that can be searched, and a page for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Query

from modelyard.core.version import TensorEntry
from modelyard.registry.graph import Head, head_of
from modelyard.registry.spreads import TensorLook, look_at_tensor
from modelyard.server.routing import on_model
from modelyard.server.state import Ask
from modelyard.server.web.grid import layer_of
from modelyard.server.web.twins import Pages

__all__ = ["pages"]

pages = Pages("tensors")

MOST = 200
_PATH = "{model:path}@{revision:path}"
Text = Annotated[str, Query(max_length=1000)]
Order = Literal["file", "size"]


@dataclass(frozen=True, slots=True)
class Layer:
    """Tensors that stand together."""

    file: str
    """The file they are in."""
    name: str
    """What the names of its tensors begin with; empty if they have nothing in common."""
    tensors: tuple[TensorEntry, ...]
    """In the order of the file."""


@dataclass(frozen=True, slots=True)
class TensorsPage:
    """Tensors of a version, or those that were looked for."""

    head: Head
    """The version."""
    layers: tuple[Layer, ...]
    """Of this page."""
    several_files: bool
    """Whether tensors lie in more than one file."""
    total: int
    """How many tensors the version has."""
    found: int
    """How many of them were looked for."""
    elements: int
    """Numbers in all that were found."""
    q: str
    """What was looked for in names and dtypes; empty for all."""
    sort: Order
    """`file`: as in the file. `size`: the largest first."""
    next: int | None
    """Where the next page goes on."""


@dataclass(frozen=True, slots=True)
class TensorPage:
    """One tensor."""

    head: Head
    """The version."""
    look: TensorLook
    """What is known of it."""


@pages.page(f"/tensors/{_PATH}", "tensors.html", needs=on_model("reader"))
def list_tensors(
    ask: Ask,
    model: str,
    revision: str,
    *,
    q: Text = "",
    sort: Order = "file",
    after: Annotated[int, Query(ge=0)] = 0,
) -> TensorsPage:
    """The tensors of a version by layer."""
    head = head_of(ask.house, model, revision)
    every = ask.yard.show(model, head.version.number).tensors
    words = q.casefold().split()
    found = [t for t in every if all(w in f"{t.name} {t.dtype}".casefold() for w in words)]
    if sort == "size":
        found.sort(key=lambda t: -(t.nbytes or 0))
    shown = found[after : after + MOST]
    files = {tensor.file for tensor in every}
    more = after + MOST if after + MOST < len(found) else None
    return TensorsPage(
        head, _layers(shown, sort), len(files) > 1, len(every), len(found),
        sum(_elements(t) for t in found), q, sort, more,
    )  # fmt: skip


@pages.page(f"/tensor/{_PATH}", "tensor.html", needs=on_model("reader"))
def show_tensor(ask: Ask, model: str, revision: str, *, file: Text, name: Text) -> TensorPage:
    """One tensor: how its values are spread."""
    head = head_of(ask.house, model, revision)
    return TensorPage(head, look_at_tensor(ask.house, model, head.version.number, file, name))


@pages.page(f"/histogram/{_PATH}", "histogram.html", needs=on_model("reader"))
def show_histogram(ask: Ask, model: str, revision: str, *, file: Text, name: Text) -> TensorLook:
    """A part of a page: the histogram in a row of the table."""
    return look_at_tensor(ask.house, model, revision, file, name)


def _layers(tensors: list[TensorEntry], sort: Order) -> tuple[Layer, ...]:
    """Neighbours of one layer together; by size, each stands for itself."""
    if sort == "size":
        return (Layer("", "", tuple(tensors)),) if tensors else ()
    groups: list[tuple[tuple[str, str], list[TensorEntry]]] = []
    for tensor in tensors:
        name, part = layer_of(tensor.name)
        key = (tensor.file, name if part else "")
        if not groups or groups[-1][0] != key:
            groups.append((key, []))
        groups[-1][1].append(tensor)
    return tuple(Layer(file, name, tuple(members)) for (file, name), members in groups)


def _elements(tensor: TensorEntry) -> int:
    count = 1
    for length in tensor.shape:
        count *= length
    return count
