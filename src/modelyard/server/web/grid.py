"""What changed, as a grid: layers by kinds of tensor, or tensors by statistics."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelyard.core.diff import TensorChange
    from modelyard.core.version import TensorEntry

__all__ = ["SCALE", "STATISTICS", "Cell", "Grid", "grid_of", "layer_of", "level", "natural"]

SCALE = (0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
"""Relative changes at which the next of the eight colours begins."""
STATISTICS = ("relative-change", "cosine", "max-abs")
"""Columns of a model without layers; the cosine is shown as how much it lacks to 1."""
_MOST_ROWS = 150
_MOST_COLUMNS = 40
_MOST_CELLS = 1500
_FEW = 3
"""So many layers with a tensor of the same kind make a grid of layers."""

Change = Literal["added", "removed", "changed", "renamed", "unchanged"]
_MANY = 40
"""Tensors from which on those that differ only by a number share a row."""
_SERIES = re.compile(r"(?<=[._/])\d+(?=$|[._/])")
_NUMBERED = re.compile(r"^(\d+|[A-Za-z_]*[A-Za-z]_?\d+)$")


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of a grid."""

    row: int
    column: int
    file: str
    name: str
    """Of the tensor, or of the one that changed most of several."""
    change: Change
    value: float | None
    """The relative change, or the column's statistic; None where there is none."""
    level: int | None
    """Of eight, by how much changed."""
    count: int = 1
    """How many tensors stand here."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A picture of what changed, without its colours."""

    kind: Literal["layers", "statistics"]
    """What the columns are: kinds of tensor, or statistics."""
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[Cell, ...]
    rows_left_out: int = 0
    """Rows that changed less than those that are shown."""


@dataclass(frozen=True, slots=True)
class _Tensor:
    file: str
    name: str
    change: Change
    value: float | None
    cosine: float | None = None
    max_abs: float | None = None

    @property
    def weight(self) -> tuple[int, float]:
        """What is shown before others: all that has no number, then what changed most."""
        plain = self.value is None and self.change != "unchanged"
        return (1 if plain else 0, self.value or 0.0)


def grid_of(changes: Sequence[TensorChange], same: Sequence[TensorEntry]) -> Grid | None:
    """The grid of a comparison; None if there are no tensors."""
    tensors = [
        *(_Tensor(c.file, c.name, c.change, c.relative_change, c.cosine, c.max_abs)
          for c in changes),
        *(_Tensor(t.file, t.name, "unchanged", None) for t in same),
    ]  # fmt: skip
    if not tensors:
        return None
    places = [layer_of(tensor.name) for tensor in tensors]
    layers: dict[str, set[str]] = {}
    for layer, part in places:
        layers.setdefault(part, set()).add(layer)
    repeated = max((len(found) for part, found in layers.items() if part), default=0)
    if repeated >= _FEW and len(layers) <= _MOST_COLUMNS:
        return _by_layer(tensors, places)
    return _by_statistic(tensors)


def layer_of(name: str) -> tuple[str, str]:
    """`model.layers.3.mlp.up.weight` as `model.layers.3` and `mlp.up.weight`.

    Numbers further on are left out of the second: experts of one layer stand in one field.
    """
    parts = re.split(r"[./]", name)
    at = next((i for i, part in enumerate(parts) if _NUMBERED.match(part)), None)
    if at is None or at == len(parts) - 1:
        return (".".join(parts[:-1]), parts[-1]) if len(parts) > 1 else (name, "")
    while at + 2 < len(parts) and parts[at + 1].isdigit():
        at += 1
    rest = ["*" if part.isdigit() else part for part in parts[at + 1 :]]
    return ".".join(parts[: at + 1]), ".".join(rest)


def level(relative: float | None) -> int | None:
    """Of eight colours, the one for a relative change."""
    return None if relative is None else sum(relative >= edge for edge in SCALE)


def _by_layer(tensors: Sequence[_Tensor], places: Sequence[tuple[str, str]]) -> Grid:
    grouped: dict[tuple[str, str], list[_Tensor]] = {}
    for tensor, place in zip(tensors, places, strict=True):
        grouped.setdefault(place, []).append(tensor)
    often = Counter(part for _, part in grouped)
    columns = _columns(often)
    heaviest: dict[str, tuple[int, float]] = {}
    for (layer, _), found in grouped.items():
        weight = max(tensor.weight for tensor in found)
        heaviest[layer] = max(heaviest.get(layer, (0, 0.0)), weight)
    most = min(_MOST_ROWS, max(_MOST_CELLS // max(len(columns), 1), 10))
    rows, left_out = _rows(heaviest, most)
    row_at, column_at = _places(rows), _places(columns)
    cells = []
    for (layer, part), found in grouped.items():
        if layer in row_at:
            top = _top(found)
            cells.append(
                Cell(row_at[layer], column_at[part], top.file, top.name, top.change, top.value,
                     level(top.value), len(found))
            )  # fmt: skip
    cells.sort(key=lambda cell: (cell.row, cell.column))
    return Grid("layers", tuple(rows), tuple(columns), tuple(cells), left_out)


def _by_statistic(tensors: Sequence[_Tensor]) -> Grid:
    files = {tensor.file for tensor in tensors}
    named: dict[str, list[_Tensor]] = {}
    for tensor in tensors:
        name = _SERIES.sub("*", tensor.name) if len(tensors) > _MANY else tensor.name
        title = name if len(files) == 1 else f"{tensor.file}: {name}"
        named.setdefault(title, []).append(tensor)
    weights = {title: max(t.weight for t in found) for title, found in named.items()}
    rows, left_out = _rows(weights, _MOST_ROWS // 2)
    largest = max((t.max_abs or 0.0 for t in tensors), default=0.0) or 1.0
    cells = []
    for i, title in enumerate(rows):
        found = named[title]
        top = _top(found)
        lacks = _most(None if t.cosine is None else max(0.0, 1.0 - t.cosine) for t in found)
        # of a small change, 1 - cosine is at most about half its square
        turned = None if lacks is None else level((2 * lacks) ** 0.5)
        furthest = _most(t.max_abs for t in found)
        high = None if furthest is None else level(0.3 * furthest / largest)
        told = ((top.value, level(top.value)), (lacks, turned), (furthest, high))
        for column, (value, colour) in enumerate(told):
            cells.append(Cell(i, column, top.file, top.name, top.change, value, colour, len(found)))
    return Grid("statistics", tuple(rows), STATISTICS, tuple(cells), left_out)


def _top(found: Sequence[_Tensor]) -> _Tensor:
    """The one that stands for several: what changed most, or else what has no number."""
    return max(found, key=lambda t: (t.value is not None, t.value or 0.0, t.weight))


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _columns(often: Counter[str]) -> list[str]:
    """Kinds of tensor by name; those of few layers last."""
    most = max(often.values())
    return sorted(often, key=lambda part: (often[part] * 2 < most, natural(part)))


def _rows(weights: dict[str, tuple[int, float]], most: int) -> tuple[list[str], int]:
    """In natural order; if there are too many, those that changed most."""
    kept = list(weights)
    if len(kept) > most:
        kept = sorted(kept, key=lambda row: weights[row], reverse=True)[:most]
    return sorted(kept, key=natural), len(weights) - len(kept)


def _places(names: Iterable[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(names)}


def natural(text: str) -> list[tuple[int, int, str]]:
    """`layers.10` after `layers.9`."""
    return [
        (0, int(part), "") if part.isdecimal() and part.isascii() and len(part) < 16
        else (1, 0, part)
        for part in re.split(r"(\d+)", text)
    ]  # fmt: skip
