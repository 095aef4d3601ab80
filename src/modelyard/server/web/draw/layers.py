"""Where the nodes of a graph without circles stand, from left to right.

The column of a node is the longest way to it. Within columns, nodes are ordered by where their
neighbours are, back and forth some times, and keep the best order that was found. An edge that
passes columns has a place of its own in each, so that it goes around the nodes there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Layers", "crossings", "layers"]

_SWEEPS = 8


@dataclass(frozen=True, slots=True)
class Layers:
    """Nodes in columns."""

    columns: tuple[tuple[str, ...], ...]
    """Names from top to bottom; one that is no node is a place where an edge passes."""
    routes: Mapping[tuple[str, str], tuple[str, ...]]
    """By edge: the names it goes through, its ends included."""


def layers(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> Layers:
    """Columns for nodes, so that each edge goes to the right.

    Edges that close a circle are left out, and so are those of unknown nodes.
    """
    known = [(a, b) for a, b in dict.fromkeys(edges) if a in set(nodes) and b in set(nodes)]
    kept, column = _depths(nodes, known)
    columns: list[list[str]] = [[] for _ in range(max(column.values(), default=-1) + 1)]
    for node in nodes:
        columns[column[node]].append(node)
    routes = {edge: _route(edge, column, columns) for edge in kept}
    pairs = [(a, b) for route in routes.values() for a, b in pairwise(route)]
    return Layers(tuple(map(tuple, _ordered(columns, pairs))), routes)


def crossings(columns: Sequence[Sequence[str]], pairs: Sequence[tuple[str, str]]) -> int:
    """How often edges between neighbouring columns cross."""
    place = {name: i for column in columns for i, name in enumerate(column)}
    where = {name: i for i, column in enumerate(columns) for name in column}
    by_gap: dict[int, list[tuple[int, int]]] = {}
    for a, b in pairs:
        by_gap.setdefault(where[a], []).append((place[a], place[b]))
    return sum(map(_inversions, by_gap.values()))


def _inversions(gap: list[tuple[int, int]]) -> int:
    """Pairs of edges of which one begins above the other and ends below it."""
    found, ends = 0, list[int]()
    for _, end in sorted(gap):  # of those that begin together, none comes before a higher one
        at = bisect_right(ends, end)
        found += len(ends) - at
        ends.insert(at, end)
    return found


def _depths(
    nodes: Sequence[str], edges: Sequence[tuple[str, str]]
) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """Edges that close no circle, and the longest way to each node."""
    following: dict[str, list[str]] = {node: [] for node in nodes}
    for a, b in edges:
        following[a].append(b)
    order, kept = _in_order(nodes, following)
    depth = dict.fromkeys(nodes, 0)
    for a in order:
        for b in following[a]:
            if (a, b) in kept:
                depth[b] = max(depth[b], depth[a] + 1)
    # what nothing leads to stands close to what it leads to
    for a in reversed(order):
        ahead = [depth[b] - 1 for b in following[a] if (a, b) in kept]
        led_to = any((x, a) in kept for x in nodes) if ahead else True
        if not led_to:
            depth[a] = min(ahead)
    return [edge for edge in edges if edge in kept], depth


def _in_order(
    nodes: Sequence[str], following: Mapping[str, Sequence[str]]
) -> tuple[list[str], set[tuple[str, str]]]:
    """Nodes before what they lead to; and the edges for which that is so."""
    done: list[str] = []
    state: dict[str, int] = {}
    kept: set[tuple[str, str]] = set()
    for first in nodes:
        stack = [(first, iter(following[first]))] if first not in state else []
        state.setdefault(first, 1)
        while stack:
            node, rest = stack[-1]
            target = next(rest, None)
            if target is None:
                stack.pop()
                state[node] = 2
                done.append(node)
            elif state.get(target) != 1:  # else it is on the way here
                kept.add((node, target))
                if target not in state:
                    state[target] = 1
                    stack.append((target, iter(following[target])))
    return done[::-1], kept


def _route(
    edge: tuple[str, str], column: Mapping[str, int], columns: list[list[str]]
) -> tuple[str, ...]:
    a, b = edge
    passed = [f"{a}\0{b}\0{at}" for at in range(column[a] + 1, column[b])]
    for at, name in enumerate(passed, column[a] + 1):
        columns[at].append(name)
    return (a, *passed, b)


def _ordered(columns: list[list[str]], pairs: Sequence[tuple[str, str]]) -> list[list[str]]:
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for a, b in pairs:
        before.setdefault(b, []).append(a)
        after.setdefault(a, []).append(b)
    best, least = [list(column) for column in columns], crossings(columns, pairs)
    now = [list(column) for column in columns]
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        side = before if forward else after
        for at in range(len(now)) if forward else reversed(range(len(now))):
            near = at - 1 if forward else at + 1
            if 0 <= near < len(now):
                now[at] = _by_neighbours(now[at], now[near], side)
        found = crossings(now, pairs)
        if found < least:
            best, least = [list(column) for column in now], found
        if not least:
            break
    return best


def _by_neighbours(
    column: Sequence[str], near: Sequence[str], side: Mapping[str, Sequence[str]]
) -> list[str]:
    """By the middle of where their neighbours are; those without any keep their places."""
    place = {name: i for i, name in enumerate(near)}
    scale = len(near) / max(len(column), 1)

    def middle(at: int) -> float:
        places = [place[other] for other in side.get(column[at], ()) if other in place]
        return sum(places) / len(places) if places else at * scale

    return [column[at] for at in sorted(range(len(column)), key=middle)]
