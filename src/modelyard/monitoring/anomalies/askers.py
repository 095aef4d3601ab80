"""Clients, by what they ask: rows like no others, rows beside each other, rows everywhere.

Each is counted for one to two minutes (queries for five to ten). A client's share of odd rows is
compared with the reference's and with that of all others, so that data that drift for everybody
make no attacker of anybody. Who asks about what changes slowly, as sensors do, walks: a step tells
nothing of the next one, while who searches around a row always turns back.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelyard.monitoring.anomalies.evidence import MOST, shown
from modelyard.monitoring.anomalies.findings import Finding
from modelyard.monitoring.anomalies.yardsticks import EVEN_BINS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.monitoring.anomalies.yardsticks import Looked, Yardstick
    from modelyard.monitoring.rows import Array, Rows

__all__ = ["Askers"]

_CLIENTS, _HEAVY = 1000, 128
"""Clients that are counted; and those whose rows are remembered."""
_REMEMBERED: Final = 1024
"""Rows of one client, twice: the newest ones and those before."""
_ENOUGH: Final = 32
"""Rows after which a client's are remembered."""
_WALKS: Final = (-0.25, 0.9)
"""Mean cosine of two steps, one after the other: 0 of a random walk, -0.5 if order is no matter, 1
of who goes straight."""
_STEPS: Final = 30
_LONGEST: Final = 3600.0
"""Seconds after which what a client does is thought its way."""
_TURN, _LONG_TURN = 60.0, 300.0
_SURE: Final = 25.0
"""Nats: chance does it once in 10^8 looks at 1,000 clients."""
_OTHERS: Final = 50
"""Rows of other clients from which their share is known."""
ROWS, OUTSIDE, SCORED, EDGE = range(4)
QUERIES, NEAR = range(2)


class _Turns:
    """Counts of the last one to two turns."""

    __slots__ = ("before", "now")

    def __init__(self, width: int) -> None:
        self.now = [0] * width
        self.before = [0] * width

    def turn(self) -> None:
        self.before, self.now = self.now, [0] * len(self.now)

    def total(self, place: int) -> int:
        return self.now[place] + self.before[place]

    def add(self, place: int, count: int = 1) -> None:
        self.now[place] += count


class _Memory:
    """Rows that a client asked about, as numbers."""

    __slots__ = ("before", "even", "even_before", "now", "steps", "trail")

    def __init__(self, columns: int) -> None:
        self.steps = [0.0, 0.0]
        """Cosines of neighbouring steps: how many, and their sum."""
        self.trail: Array | None = None
        """The last two rows."""
        self.now: set[int] = set()
        self.before: set[int] = set()
        self.even = np.zeros(columns * EVEN_BINS + 1, np.int64)
        self.even_before = self.even.copy()

    def knows(self, number: int) -> bool:
        return number in self.now or number in self.before

    def turn(self) -> None:
        self.even_before, self.even = self.even, np.zeros_like(self.even)
        self.steps = [part / 2 for part in self.steps]

    def walk(self, points: Array) -> None:
        """Take new rows, in their order."""
        trail = points if self.trail is None else np.concatenate([self.trail, points])
        self.trail = trail[-2:].copy()
        steps = np.diff(trail, axis=0)
        if len(steps) < 2:
            return
        lengths = np.sqrt((steps**2).sum(axis=1))
        both = lengths[1:] * lengths[:-1]
        fine = both > 0
        cosines = (steps[1:] * steps[:-1]).sum(axis=1)[fine] / both[fine]
        self.steps[0] += len(cosines)
        self.steps[1] += float(cosines.sum())

    @property
    def walks(self) -> bool:
        """Whether a client asks about what changes slowly; or too little is known of it."""
        count, cosines = self.steps
        return count < _STEPS or _WALKS[0] < cosines / count < _WALKS[1]


class _Asker:
    __slots__ = ("begun", "counts", "fresh", "memory", "queries", "shown")

    def __init__(self) -> None:
        self.counts = _Turns(4)
        self.queries = _Turns(2)
        self.fresh = [0, 0, 0]
        """Rows outside, near, at the edge since the last look."""
        self.memory: _Memory | None = None
        self.shown: dict[str, list[dict[str, Any]]] = {}
        self.begun: dict[str, float] = {}
        """When it was told first of each kind of event; while it goes on."""


class Askers:
    """Of one version."""

    def __init__(self, number: int, redact: frozenset[str]) -> None:
        self._number, self._redact = number, redact
        self._askers: OrderedDict[str, _Asker] = OrderedDict()
        self._heavy: OrderedDict[str, _Asker] = OrderedDict()
        self._all, self._all_queries = _Turns(4), _Turns(2)
        self._yardstick: Yardstick | None = None
        self._turned = self._turned_long = 0.0

    def use(self, yardstick: Yardstick | None) -> None:
        """Hold rows against another reference from now on."""
        if yardstick is not self._yardstick:
            self._yardstick = yardstick
            self._askers.clear()
            self._heavy.clear()
            self._all, self._all_queries = _Turns(4), _Turns(2)

    def hide(self, redact: frozenset[str]) -> None:
        """Show no values of these from now on."""
        self._redact = redact
        for asker in self._askers.values():
            asker.shown.clear()

    def take(self, rows: Rows) -> None:
        """Some hundreds of rows, with their clients."""
        if self._yardstick is None or not rows.count:
            return
        looked = self._yardstick.look(rows)
        places: dict[str, list[int]] = {}
        for place, client in enumerate(rows.clients or ("",) * rows.count):
            places.setdefault(client, []).append(place)
        for client, own in places.items():
            self._take(self._asker(client), client, own, looked, rows)

    def look(self, now: float) -> Iterator[Finding]:
        self._turn(now)
        yardstick = self._yardstick
        if yardstick is None:
            return
        for name, asker in self._askers.items():
            if not any(asker.fresh):
                continue
            told = {finding.kind: finding for finding in self._of(name, asker, yardstick)}
            asker.begun = {kind: asker.begun.get(kind, now) for kind in told}
            for kind, finding in told.items():
                if now - asker.begun[kind] <= _LONGEST:
                    yield finding
            asker.fresh = [0, 0, 0]
        rows, outside = self._all.total(ROWS), self._all.total(OUTSIDE)
        if rows >= 200 and outside >= 0.25 * rows and self._is_everybody():
            yield Finding(
                kind="out-of-distribution", severity="info", number=self._number, count=outside,
                fresh=self._all.now[OUTSIDE],
                words=f"{outside} of {rows} rows of all clients lie outside of what the reference "
                f"has: see drift", evidence={"rows": rows, "outside": outside},
            )  # fmt: skip

    def _is_everybody(self) -> bool:
        """Whether many rows of most clients lie outside."""
        shares = [
            asker.counts.total(OUTSIDE) / rows
            for asker in self._askers.values()
            if (rows := asker.counts.total(ROWS)) >= 20
        ]
        many = sum(share >= 0.25 for share in shares)
        return many >= 3 and many > len(shares) / 2

    # -- taking ----------------------------------------------------------------------------------

    def _asker(self, client: str) -> _Asker:
        found = self._askers.get(client)
        if found is None:
            if len(self._askers) >= _CLIENTS:
                name, _ = self._askers.popitem(last=False)
                self._heavy.pop(name, None)
            found = self._askers[client] = _Asker()
        self._askers.move_to_end(client)
        return found

    def _take(self, asker: _Asker, client: str, own: list[int], looked: Looked, rows: Rows) -> None:
        memory = self._memory(client, asker, len(own))
        counts, queries, new = asker.counts, asker.queries, []
        for place in own:
            if memory is not None:
                number = looked.hashes[place]
                if memory.knows(number):
                    continue
                memory.now.add(number)
                new.append(place)
                queries.add(QUERIES)
                self._all_queries.add(QUERIES)
                if looked.cells and self._is_near(memory, looked.cells[place]):
                    queries.add(NEAR)
                    self._all_queries.add(NEAR)
                    asker.fresh[1] += 1
                    self._show("near", asker, rows, place)
            counts.add(ROWS)
            self._all.add(ROWS)
            if looked.outside[place]:
                counts.add(OUTSIDE)
                self._all.add(OUTSIDE)
                asker.fresh[0] += 1
                self._show("outside", asker, rows, place)
            if looked.edge:
                counts.add(SCORED)
                self._all.add(SCORED)
                if looked.edge[place]:
                    counts.add(EDGE)
                    self._all.add(EDGE)
                    asker.fresh[2] += 1
                    self._show("edge", asker, rows, place)
        if memory is not None and new:
            memory.walk(looked.points[new])
        if memory is not None and new and looked.even.shape[1]:
            even = looked.even[new].ravel() + 1
            memory.even += np.bincount(even, minlength=len(memory.even))
            asker.fresh[1] += 1
            self._show("even", asker, rows, new[0])
        if memory is not None and len(memory.now) > 3 * _REMEMBERED:
            memory.before, memory.now = memory.now, set()

    def _is_near(self, memory: _Memory, cells: tuple[int, int]) -> bool:
        near = any(memory.knows(cell) for cell in cells)
        memory.now.update(cells)
        return near

    def _memory(self, client: str, asker: _Asker, count: int) -> _Memory | None:
        """Of a client that asks much; whoever asked least lately makes room."""
        if asker.memory is None:
            if asker.counts.total(ROWS) + count < _ENOUGH:
                return None
            assert self._yardstick is not None
            asker.memory = _Memory(len(self._yardstick.even))
            if len(self._heavy) >= _HEAVY:
                self._heavy.popitem(last=False)[1].memory = None
            self._heavy[client] = asker
        self._heavy.move_to_end(client)
        return asker.memory

    def _show(self, why: str, asker: _Asker, rows: Rows, place: int) -> None:
        kept = asker.shown.setdefault(why, [])
        if len(kept) < MOST:
            kept += shown(rows, [place], self._redact)

    def _turn(self, now: float) -> None:
        if now - self._turned >= _TURN:
            self._turned = now
            self._all.turn()
            for name, asker in list(self._askers.items()):
                asker.counts.turn()
                idle = not asker.counts.before[ROWS] and not asker.queries.total(QUERIES)
                if idle:
                    del self._askers[name]
                    self._heavy.pop(name, None)
                asker.shown.clear()
        if now - self._turned_long >= _LONG_TURN:
            self._turned_long = now
            self._all_queries.turn()
            for asker in self._askers.values():
                asker.queries.turn()
                if asker.memory is not None:
                    asker.memory.turn()

    # -- judging ---------------------------------------------------------------------------------

    def _of(self, name: str, asker: _Asker, yardstick: Yardstick) -> Iterator[Finding]:
        counts, queries = asker.counts, asker.queries
        rows, outside = counts.total(ROWS), counts.total(OUTSIDE)
        usual = _usual(0.02, 0.0, self._all, counts, ROWS, OUTSIDE)
        if asker.fresh[0] and rows >= 20 and _stands_out(rows, outside, 0.25, usual):
            yield self._found(
                "out-of-distribution", name, asker, "outside", outside, asker.fresh[0],
                f"{outside} of {rows} rows of {name} lie outside of what the reference has",
                rows=rows, outside=outside, usual=round(min(usual, 1.0), 4),
            )  # fmt: skip
        asked, near = queries.total(QUERIES), queries.total(NEAR)
        usual = _usual(0.03, yardstick.near, self._all_queries, queries, QUERIES, NEAR)
        if asker.fresh[1] and asked >= 150:
            even = self._evenness(asker, yardstick)
            if _stands_out(asked, near, 0.3, usual) and not _walks(asker):
                yield self._found(
                    "extraction", name, asker, "near", near, asker.fresh[1],
                    f"{near} of {asked} rows of {name} are next to others that it asked about, "
                    f"and not the same", rows=asked, near=near, usual=round(min(usual, 1.0), 4),
                )  # fmt: skip
            elif even >= 0.6:
                yield self._found(
                    "extraction", name, asker, "even", asked, asker.fresh[1],
                    f"{asked} rows of {name} cover the ranges of {len(yardstick.even)} columns "
                    f"evenly, as no data do", rows=asked, evenness=round(even, 3),
                )  # fmt: skip
        scored, edge = counts.total(SCORED), counts.total(EDGE)
        usual = _usual(0.1, yardstick.edge, self._all, counts, SCORED, EDGE)
        searches = asker.fresh[2] and scored >= 100 and not _walks(asker)
        if searches and _stands_out(scored, edge, 0.4, usual):
            yield self._found(
                "probing", name, asker, "edge", edge, asker.fresh[2],
                f"{edge} of {scored} rows of {name} lie at the boundary of two classes",
                rows=scored, edge=edge, usual=round(min(usual, 1.0), 4),
            )  # fmt: skip

    def _evenness(self, asker: _Asker, yardstick: Yardstick) -> float:
        memory = asker.memory
        if memory is None or not len(yardstick.even):
            return 0.0
        counts = memory.even + memory.even_before
        beyond, inside = int(counts[0]), counts[1:].reshape(-1, EVEN_BINS)
        total = int(inside.sum())
        if total < 200 * len(inside) or beyond > 0.1 * total:
            return 0.0
        return yardstick.evenness(inside)

    def _found(
        self, kind: str, name: str, asker: _Asker, why: str, count: int, fresh: int, words: str,
        **evidence: Any,
    ) -> Finding:  # fmt: skip
        if rows := asker.shown.get(why):
            evidence["examples"] = list(rows)
        return Finding(
            kind=kind, severity="warning", words=words, number=self._number, client=name or None,
            evidence=evidence, count=count, fresh=fresh,
        )  # fmt: skip


def _walks(asker: _Asker) -> bool:
    return asker.memory is None or asker.memory.walks


def _usual(
    least: float, reference: float, everybody: _Turns, own: _Turns, whole: int, part: int
) -> float:
    """The share that is usual: the reference's, or that of all other clients if it is more."""
    count = everybody.total(whole) - own.total(whole)
    others = (everybody.total(part) - own.total(part)) / count if count >= _OTHERS else 0.0
    return max(least, 1.5 * reference, 1.5 * others)


def _stands_out(count: int, part: int, least: float, usual: float) -> bool:
    """Whether so large a part is too much for chance (Chernoff's bound)."""
    share = part / count
    if usual >= 1.0 or share < max(least, usual):
        return False
    found = share * math.log(share / usual)
    if share < 1:
        found += (1 - share) * math.log((1 - share) / (1 - usual))
    return count * found >= _SURE
