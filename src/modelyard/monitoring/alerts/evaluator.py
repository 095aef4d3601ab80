"""Looks at facts with rules: what holds long enough fires, what came back long enough is over.

What fires is in the catalog, so that it survives a restart and fires once, however many servers see
it. Each server that sees it says so again every second; it is over when no server did for a few.
For how long something has been bad is known to each process alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from modelyard.core.monitoring import Alert
from modelyard.monitoring.alerts.rules import fires, is_over, quantity
from modelyard.monitoring.alerts.ruling import Rulings
from modelyard.monitoring.alerts.signals import SIGNALS
from modelyard.registry.watching import alerts
from modelyard.registry.watching.alerts import Changes, Firing, Key
from modelyard.registry.watching.rules import ruled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from modelyard.core.monitoring import Rule
    from modelyard.monitoring.alerts.signals import Fact
    from modelyard.registry.house import House

__all__ = ["Evaluator"]

_log = logging.getLogger("modelyard.monitoring")

REFRESH: Final = 1.0
"""Seconds until deployments, rules and what fires are read again."""
SAID_AGAIN: Final = 1.0
"""Seconds after which a server says again that something fires."""
QUIET: Final = 3.0
"""Seconds in which no server may have seen it before it is over."""
MISSING: Final = {True: 300.0, False: 900.0}
"""Seconds without a fact after which what fires is over: fast signals, slow ones."""
FORGOTTEN: Final = 86_400.0
"""Seconds after which an alert of an Alertmanager is over of which nothing was heard."""
_APART: Final = 0.2
"""Seconds by which clocks may differ: what is less is how long the catalog takes to answer."""
_ALERTS: Final = 200
"""Of one rule that may fire at once: as many columns are one problem."""

_SUBJECT: Final = 200
"""Characters."""


class _Watched(NamedTuple):
    id: int
    name: str
    rules: Mapping[bool, tuple[Rule, ...]]
    """Those that are looked at: about fast signals, and about slow ones."""


class Evaluator:
    """Of one process."""

    def __init__(
        self,
        house: House,
        changed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            changed: Called after something fired or ended, to tell people soon.
            clock: This machine's. Servers that share a yard go by the database's.
        """
        self._house = house
        self._changed = changed
        self._clock = clock
        self._apart = 0.0
        """Seconds that the database's clock is ahead."""
        self._rulings = Rulings(house)
        self._lock = threading.Lock()
        self._watched: dict[str, _Watched] = {}
        self._rules: dict[tuple[int, str], Rule] = {}
        self._firing: dict[Key, Firing] = {}
        self._refreshed = float("-inf")
        self._bad: dict[Key, float] = {}
        """Since when a rule's condition holds."""
        self._good: dict[Key, float] = {}
        """Since when it holds no more, of what fires."""
        self._said: dict[Key, float] = {}

    def tick(
        self, now: float, facts: Iterable[Fact], *, fast: bool
    ) -> tuple[list[Alert], list[Alert]]:
        """Look at what is known now; gives what began to fire and what is over since.

        Args:
            now: Seconds since 1970, by this machine's clock.
            facts: Of all deployments that this process knows about.
            fast: Whether these are the fast signals; only rules about those are looked at.
        """
        with self._lock:
            fired, ended = self._tick(now, facts, fast)
        if fired or ended:
            self._changed()
        return fired, ended

    def _tick(
        self, now: float, facts: Iterable[Fact], fast: bool
    ) -> tuple[list[Alert], list[Alert]]:
        self._refresh(now)
        now += self._apart
        by_signal: dict[tuple[str, str], list[Fact]] = defaultdict(list)
        for fact in facts:
            by_signal[fact.deployment, fact.signal].append(fact)
        fire: list[tuple[Key, Alert]] = []
        over: dict[Key, str] = {}
        told: set[Key] = set()
        for watched in self._watched.values():
            for rule in watched.rules[fast]:
                found = by_signal.get((watched.name, rule.signal), ())
                if found:
                    told |= self._look(now, watched, rule, found, fire, over)
        self._miss(now, told, fast, over)
        end = [(self._firing[key], self._ended(now, key, why)) for key, why in over.items()]
        if not fire and not end:
            return [], []
        changes = Changes(fire=fire, end=end, seen_before=now - QUIET)
        fired, ended = alerts.apply(self._house, now, changes)
        self._firing = alerts.firing(self._house)
        self._refreshed = now - self._apart
        return fired, ended

    def _refresh(self, now: float) -> None:
        if 0 <= now - self._refreshed < REFRESH:
            return
        self._watched = {}
        self._rules = {}
        for each in ruled(self._house):
            rules = [rule for rule in self._rulings.of(each).rules if rule.enabled]
            of = {
                fast: tuple(rule for rule in rules if SIGNALS[rule.signal].fast is fast)
                for fast in (True, False)
            }
            self._watched[each.name] = _Watched(each.id, each.name, of)
            self._rules |= {(each.id, rule.name): rule for rule in rules}
        with self._house.catalog.fresh() as connection:
            apart = self._house.catalog.now(connection) / 1e6 - self._clock()
        self._apart = apart if abs(apart) > _APART else 0.0
        self._firing = alerts.firing(self._house)
        self._refreshed = now

    def _look(
        self, now: float, watched: _Watched, rule: Rule, facts: Sequence[Fact],
        fire: list[tuple[Key, Alert]], over: dict[Key, str],
    ) -> set[Key]:  # fmt: skip
        """Look at one rule; gives what could be told about."""
        worst = _worst(rule, facts)
        told = {Key(watched.id, rule.name, subject) for subject in worst}
        for subject, fact in worst.items():
            key = Key(watched.id, rule.name, subject)
            if fires(rule, fact.value):
                self._good.pop(key, None)
                if now - self._bad.setdefault(key, now) >= rule.hold or key in self._firing:
                    self._fire(now, key, _alert(now, watched, rule, fact), fire)
                continue
            self._bad.pop(key, None)
            if key not in self._firing:
                continue
            if is_over(rule, fact.value):
                self._come_back(now, key, rule, over)
            else:  # between the two values: it fires on
                self._good.pop(key, None)
                self._fire(now, key, _alert(now, watched, rule, fact), fire)
        if "" in worst and SIGNALS[rule.signal].subjects:
            # it speaks for all subjects that have no fact: there is nothing about them
            for key in self._of(watched.id, rule.name) - told:
                told.add(key)
                self._bad.pop(key, None)
                if key in self._firing:
                    self._come_back(now, key, rule, over)
        return told

    def _fire(self, now: float, key: Key, alert: Alert, fire: list[tuple[Key, Alert]]) -> None:
        """It fires: say so if it is new, or was not said lately."""
        if key not in self._firing:
            known = {*self._firing, *(each for each, _ in fire)}
            if sum(each[:2] == key[:2] for each in known) >= _ALERTS:
                return
        elif now - self._said.get(key, float("-inf")) < SAID_AGAIN:
            return
        self._said[key] = now
        fire.append((key, alert))

    def _come_back(self, now: float, key: Key, rule: Rule, over: dict[Key, str]) -> None:
        since = self._good.setdefault(key, now)
        quiet = now - max(self._firing[key].seen, self._said.get(key, 0.0))
        if now - since >= rule.hold and quiet >= QUIET:
            over[key] = ""

    def _of(self, deployment_id: int, rule: str) -> set[Key]:
        both = (*self._firing, *self._bad)
        return {key for key in both if key[:2] == (deployment_id, rule)}

    def _miss(self, now: float, told: set[Key], fast: bool, over: dict[Key, str]) -> None:
        """What nothing is known of: forget how long it was bad; end what fires after a while."""
        for key in [key for key in self._bad if key not in told]:
            rule = self._rules.get(key[:2])
            if rule is None or SIGNALS[rule.signal].fast is fast:
                del self._bad[key]
        for key, found in self._firing.items():
            if key in told:
                continue
            if found.alert.source != "yard":  # who sent it says when it is over, or says it again
                if now - found.seen > FORGOTTEN:
                    over[key] = "nothing was heard of it for a day"
                continue
            rule = self._rules.get(key[:2])
            if rule is None:
                if now - found.seen >= QUIET:  # other servers know by then too
                    over[key] = "the rule holds no more"
            elif SIGNALS[rule.signal].fast is fast and now - found.seen > MISSING[fast]:
                over[key] = "nothing is known of it any more"
        for known in (self._good, self._said):
            for key in [key for key in known if key not in self._firing and key not in self._bad]:
                del known[key]

    def _ended(self, now: float, key: Key, why: str) -> Alert:
        alert = self._firing[key].alert
        evidence = {**alert.evidence, "ended": why} if why else alert.evidence
        until = datetime.fromtimestamp(now, UTC)
        return replace(alert, state="resolved", until=until, evidence=evidence)


def _worst(rule: Rule, facts: Iterable[Fact]) -> dict[str, Fact]:
    """By subject, the worst fact of all versions that was made from enough rows."""
    rising = rule.op in (">", ">=")
    found: dict[str, Fact] = {}
    for fact in facts:
        speaks_for_all = not fact.subject and bool(SIGNALS[rule.signal].subjects)
        if fact.rows < rule.rows and not speaks_for_all:
            continue
        subject = fact.subject[:_SUBJECT]
        there = found.get(subject)
        if there is None or (fact.value > there.value) is rising:
            found[subject] = fact
    return found


def _alert(now: float, watched: _Watched, rule: Rule, fact: Fact) -> Alert:
    unit = SIGNALS[rule.signal].unit
    what = f" of {fact.subject}" if fact.subject else ""
    value, limit = quantity(fact.value, unit), quantity(rule.value, unit)
    said = fact.evidence.get("words") or f"{rule.signal}{what} is {value} ({rule.op} {limit})"
    evidence: dict[str, Any] = {"signal": rule.signal, "rows": fact.rows, **fact.evidence}
    return Alert(
        id=0, deployment=watched.name, rule=rule.name, severity=rule.severity, state="firing",
        since=datetime.fromtimestamp(now, UTC), until=None, value=fact.value, threshold=rule.value,
        words=f"{rule.words or rule.name}: {said}",
        number=fact.number, subject=fact.subject[:_SUBJECT], evidence=evidence,
        model=fact.model,
    )  # fmt: skip
