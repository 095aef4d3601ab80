"""The graph of a model's versions, and where a version came from.

Nodes are version numbers. Invariant: a version's number is higher than its parents', because
numbers are given in order of arrival and parents come first. So the order of numbers is an order
of the graph, and every walk here is one pass with a heap.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, cast, get_args

from modelyard.errors import Corrupt, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = [
    "GraphRow",
    "LineageEdge",
    "LineageKind",
    "ancestors",
    "graph_lanes",
    "is_ancestor",
    "merge_bases",
]

LineageKind = Literal[
    "trained-on", "tuned-from", "quantized-from", "pruned-from", "merged-from",
    "distilled-from", "updated-from",
]  # fmt: skip
_KINDS: frozenset[str] = frozenset(get_args(LineageKind))


@dataclass(frozen=True, slots=True, order=True)
class LineageEdge:
    """Where a version came from, other than by its parents."""

    kind: LineageKind
    source: str
    """`model@number` for what a yard keeps, else a URL or a digest."""

    @classmethod
    def parse(cls, fields: Mapping[str, str]) -> Self:
        """Read an edge as the manifest keeps it: `{"kind": ..., "source": ...}`."""
        kind, source = fields.get("kind"), fields.get("source")
        if kind not in _KINDS:
            raise InvalidInput(
                "bad-lineage",
                f"{str(kind)[:80]!r} is no kind of lineage",
                hint=f"one of {', '.join(sorted(_KINDS))}",
            )
        if not isinstance(source, str) or not source.isprintable() or not 0 < len(source) <= 500:
            raise InvalidInput("bad-lineage", f"{str(source)[:80]!r} can't be a source of lineage")
        return cls(cast("LineageKind", kind), source)

    def encode(self) -> dict[str, str]:
        return {"kind": self.kind, "source": self.source}

    def __str__(self) -> str:
        return f"{self.kind} {self.source}"


def ancestors(start: int, parents: Callable[[int], Sequence[int]]) -> Iterator[int]:
    """`start` and all it came from, newest first: children always before their parents."""
    waiting, seen = [-start], {start}
    while waiting:
        node = -heapq.heappop(waiting)
        yield node
        for parent in _older(node, parents):
            if parent not in seen:
                seen.add(parent)
                heapq.heappush(waiting, -parent)


def is_ancestor(a: int, b: int, parents: Callable[[int], Sequence[int]]) -> bool:
    """Whether `b` contains `a`: is `a` itself, or came from it."""
    waiting, seen = [b], {b}
    while waiting:
        node = waiting.pop()
        if node == a:
            return True
        new = [p for p in _older(node, parents) if p >= a and p not in seen]
        seen.update(new)
        waiting += new
    return False


_A, _B, _BELOW = 1, 2, 4


def merge_bases(a: int, b: int, parents: Callable[[int], Sequence[int]]) -> tuple[int, ...]:
    """The best common ancestors, newest first; several if branches were merged crosswise.

    Each node is reached from `a`, from `b`, or lies below a common ancestor that was found. When
    it is popped all its descendants have been, so its marks are complete.
    """
    marks = {a: _A}
    marks[b] = marks.get(b, 0) | _B
    waiting = [-node for node in marks]
    heapq.heapify(waiting)
    found: list[int] = []
    open_nodes = len(waiting)  # those not yet known to lie below a common ancestor
    while open_nodes:
        node = -heapq.heappop(waiting)
        mark = marks[node]
        open_nodes -= not mark & _BELOW
        if mark == _A | _B:
            found.append(node)
            mark |= _BELOW
        for parent in _older(node, parents):
            before = marks.get(parent)
            if before is None:
                heapq.heappush(waiting, -parent)
                open_nodes += not mark & _BELOW
            else:
                open_nodes -= bool(mark & _BELOW and not before & _BELOW)
            marks[parent] = (before or 0) | mark
    return tuple(found)


@dataclass(frozen=True, slots=True)
class GraphRow:
    """One line of a drawn log."""

    node: int
    column: int
    """Where the node is drawn; 0 is leftmost."""
    edges: tuple[tuple[int, int], ...]
    """Lines to the next row: from a column of this row to a column of the next, sorted."""
    width: int
    """How many columns this row and the lines below it need."""


def graph_lanes(
    rows: Iterable[tuple[int, Sequence[int]]], lanes: list[int | None] | None = None
) -> Iterator[GraphRow]:
    """Lay out `(node, parents)` in log order: each awaited node has a lane until it comes.

    A lane never moves. The first parent inherits its child's lane unless it has one further left,
    and a freed lane is used again.

    Args:
        lanes: Which nodes are awaited where after the rows before these. The list is changed as
            rows are drawn, and in the end says how the next rows go on.
    """
    lanes = [] if lanes is None else lanes
    for node, node_parents in rows:
        column = _lane_of(node, lanes)
        lanes[column] = None
        passing = [(lane, lane) for lane, awaited in enumerate(lanes) if awaited is not None]
        width = len(lanes)
        own = []
        for parent in dict.fromkeys(node_parents):
            lane = lanes.index(parent) if parent in lanes else _free_lane(lanes, column)
            if lane > column and lanes[column] is None and parent == node_parents[0]:
                # the line that began earlier in the log goes straight on, the other one joins it
                lanes[lane] = None
                passing[passing.index((lane, lane))] = (lane, column)
                lane = column
            lanes[lane] = parent
            own.append((column, lane))
        yield GraphRow(node, column, tuple(sorted(passing + own)), max(width, len(lanes)))
        while lanes and lanes[-1] is None:
            lanes.pop()


def _lane_of(node: int, lanes: list[int | None]) -> int:
    return lanes.index(node) if node in lanes else _free_lane(lanes, 0)


def _free_lane(lanes: list[int | None], preferred: int) -> int:
    if preferred < len(lanes) and lanes[preferred] is None:
        return preferred
    if None in lanes:
        return lanes.index(None)
    lanes.append(None)
    return len(lanes) - 1


def _older(node: int, parents: Callable[[int], Sequence[int]]) -> Sequence[int]:
    older = parents(node)
    for parent in older:
        if parent >= node:
            raise Corrupt("version-order", f"version {node} has version {parent} as its parent")
    return older
