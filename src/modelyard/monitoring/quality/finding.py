"""Which answers truths are of."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Final

import numpy as np

from modelyard.errors import Corrupt
from modelyard.monitoring.quality.answers import Answers, unpack_answers
from modelyard.registry.watching import answers as kept

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.catalog.engine import Catalog
    from modelyard.monitoring.rows import Array
    from modelyard.registry.house import House
    from modelyard.registry.watching.answers import Head

__all__ = ["Found", "find", "opened"]

_CACHED: Final = 4_000_000
"""Rows of answers that a process keeps unpacked, about 16 bytes each."""
_AT_ONCE: Final = 32
"""Segments that are read together."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Of one version: where the answers are that keys name."""

    model_id: int
    number: int
    segments: Array
    """int64 [keys]: ids; -1: it has no such answer."""
    places: Array
    """int64 [keys]: in the segment."""


@dataclass(slots=True)
class _Cache:
    """Segments never change, so what was unpacked once stays right."""

    found: OrderedDict[int, Answers] = field(default_factory=OrderedDict)
    rows: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: int) -> Answers | None:
        with self.lock:
            if key in self.found:
                self.found.move_to_end(key)
            return self.found.get(key)

    def put(self, key: int, answers: Answers) -> None:
        with self.lock:
            if key not in self.found:
                self.rows += len(answers.keys)
            self.found[key] = answers
            while self.rows > _CACHED and len(self.found) > 1:
                _, old = self.found.popitem(last=False)
                self.rows -= len(old.keys)


_caches: weakref.WeakKeyDictionary[Catalog, _Cache] = weakref.WeakKeyDictionary()


def opened(house: House, keys: Sequence[int]) -> Iterator[tuple[int, Answers]]:
    """Segments by id, in this order; those that are gone or can't be read are left out."""
    cache = _caches.setdefault(house.catalog, _Cache())
    for at in range(0, len(keys), _AT_ONCE):
        some = keys[at : at + _AT_ONCE]
        known = {key: cache.get(key) for key in some}
        bodies = kept.bodies(house, [key for key, answers in known.items() if answers is None])
        for key in some:
            answers = known[key]
            if answers is None and key in bodies:
                try:
                    answers = unpack_answers(bodies[key])
                except Corrupt:  # of a newer program: the rest is worth more than nothing
                    continue
                cache.put(key, answers)
            if answers is not None:
                yield key, answers


def find(
    house: House, deployment_id: int, keys: Array, since: float
) -> tuple[list[Found], set[int]]:
    """Where each key's answer is, in each version that has any of them: the newest one.

    Args:
        keys: uint64.
        since: Seconds since 1970: segments that end before are not looked at.

    Returns:
        And ids of segments that may hold what was not found: they went while it looked, or can't
        be read.
    """
    found: list[Found] = []
    unread: set[int] = set()
    heads = kept.heads(house, deployment_id, since)
    heads.sort(key=lambda head: (head.model_id, head.number))  # stable: newest first in each
    for (model_id, number), some in groupby(heads, key=lambda head: (head.model_id, head.number)):
        segments, places, missed = _find(house, list(some), keys)
        unread |= missed
        if (segments >= 0).any():
            found.append(Found(model_id, number, segments, places))
    return found, unread


def _find(house: House, heads: Sequence[Head], keys: Array) -> tuple[Array, Array, set[int]]:
    segments, places = np.full(len(keys), -1), np.full(len(keys), -1)
    left = np.argsort(keys, kind="stable")  # in order, a search finds what it needs in the cache
    missed = {head.id for head in heads}
    for key, answers in opened(house, [head.id for head in heads]):
        missed.remove(key)
        there = answers.places(keys[left])
        hits = there >= 0
        segments[left[hits]], places[left[hits]] = key, there[hits]
        left = left[~hits]
        if not len(left):
            return segments, places, set()
    return segments, places, missed
