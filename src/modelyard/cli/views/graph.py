"""The history graph in characters: `*` is a version, lines lead down to its parents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.core.lineage import graph_lanes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from modelyard.core.lineage import GraphRow

__all__ = ["Drawn", "draw"]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What stands left of one version's lines."""

    node: str
    """Left of its first line."""
    below: str
    """Left of its second line, where lanes part and join."""


def draw(rows: Iterable[tuple[int, Sequence[int]]]) -> Iterator[Drawn]:
    """Draw `(number, parents)` in log order, one at a time."""
    for row in graph_lanes(rows):
        passing = {start for start, _ in row.edges if start != row.column}
        yield Drawn(
            node=_lanes(row, {**dict.fromkeys(passing, "|"), row.column: "*"}),
            below=_bend(row),
        )


def _lanes(row: GraphRow, marks: dict[int, str]) -> str:
    return " ".join(marks.get(lane, " ") for lane in range(row.width))


def _bend(row: GraphRow) -> str:
    cells = [" "] * (2 * row.width - 1)
    for start, end in row.edges:
        if start == end:
            cells[2 * start] = "|"
    for start, end in row.edges:
        if start != end:
            _slope(cells, start, end)
    return "".join(cells)


def _slope(cells: list[str], start: int, end: int) -> None:
    left, right = (2 * start + 1, 2 * end - 1) if start < end else (2 * end + 1, 2 * start - 1)
    for place in range(left, right):
        if cells[place] == " ":
            cells[place] = "_"
    cells[right] = "\\" if start < end else "/"
