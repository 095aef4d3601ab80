"""What no other beats, among many: the one sweep that trials are chosen by and drawn by."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Costs", "are_beaten", "unbeaten"]

Costs = tuple[float, ...]
"""Of one of them, goal by goal: less is better, and none is NaN."""

_AT_ONCE = 256
"""Those that are compared with all others in one step."""


def unbeaten(costs: Sequence[Costs]) -> list[bool]:
    """Of each whether no other is as good in all goals and better in one; equal ones are."""
    return [not beaten for beaten in are_beaten(costs, costs)]


def are_beaten(costs: Sequence[Costs], by: Sequence[Costs]) -> list[bool]:
    """Of each of `costs` whether one of `by` is as good in all goals and better in one."""
    goals = len(costs[0]) if costs else 0
    if not goals or not by:
        return [False] * len(costs)
    if goals == 1:
        least = min(by)
        return [each > least for each in costs]
    if goals == 2:
        return _in_two(costs, by)
    return _in_many(np.asarray(costs), np.asarray(by))


def _in_two(costs: Sequence[Costs], by: Sequence[Costs]) -> list[bool]:
    """Whoever is not worse in the first goal is left of it: the best of these in the second."""
    firsts: list[float] = []
    lowest: list[float] = []  # the best second goal up to each first one
    for first, second in sorted(set(by)):
        if firsts and firsts[-1] == first:
            continue  # sorted: the better one of the same place came before
        firsts.append(first)
        lowest.append(min(second, lowest[-1]) if lowest else second)
    found = []
    for first, second in costs:
        place = bisect_left(firsts, first)
        left = lowest[place - 1] if place else math.inf
        same = lowest[place] if place < len(firsts) and firsts[place] == first else math.inf
        found.append((left <= second and place > 0) or same < second)
    return found


def _in_many(costs: Any, by: Any) -> list[bool]:
    """Pair by pair, as places instead of values: those are small, so many are compared at once."""
    own, others = _places(costs, by)
    found: list[bool] = []
    for start in range(0, len(own), _AT_ONCE):
        some = own[start : start + _AT_ONCE]
        holds = np.ones((len(some), len(others)), bool)
        better = np.zeros_like(holds)
        for goal in range(own.shape[1]):
            mine, theirs = some[:, goal, None], others[None, :, goal]
            holds &= theirs <= mine
            better |= theirs < mine
        beaten: Any = (holds & better).any(axis=1)
        found += beaten.tolist()
    return found


def _places(costs: Any, by: Any) -> tuple[Any, Any]:
    """Goal by goal the place of each value among all, in the order of values."""
    both = np.concatenate([costs, by])
    kind = np.uint16 if len(both) < 1 << 16 else np.uint32
    places = np.empty(both.shape, kind, order="F")
    for goal in range(both.shape[1]):
        places[:, goal] = np.unique(both[:, goal], return_inverse=True)[1]
    others = np.unique(places[len(costs) :], axis=0)
    return places[: len(costs)], np.asfortranarray(others)
