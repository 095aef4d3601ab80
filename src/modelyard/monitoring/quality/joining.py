"""Feedback: truths are joined to the answers that they are of, and counted in tiles.

An answer is joined once: what is sent again changes nothing, whichever server takes it. What was
joined and what that adds to tiles is written in one transaction. A truth that comes before its
answer was written down waits for an hour.
"""

from __future__ import annotations

import time
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from modelyard.catalog.queries import watch_answers
from modelyard.catalog.queries.watch_answers import WaitingRow
from modelyard.core.monitoring import FeedbackSummary
from modelyard.errors import Unavailable
from modelyard.monitoring.looking import profiles_of
from modelyard.monitoring.quality.answers import join_answers
from modelyard.monitoring.quality.finding import find, opened
from modelyard.monitoring.quality.given import Given, batches
from modelyard.monitoring.quality.settling import Outcome, Settled, settle
from modelyard.registry.watching import answers as kept
from modelyard.registry.watching.seeing import watched
from modelyard.registry.watching.versions import name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import sqlalchemy as sa

    from modelyard.catalog.engine import Catalog
    from modelyard.core.monitoring import Schema
    from modelyard.monitoring.quality.finding import Found
    from modelyard.monitoring.rows import Array
    from modelyard.registry.house import House

__all__ = ["JOINED", "feedback", "join_waiting", "tend_answers"]

JOINED: Final = 30 * 86_400
"""Seconds after an answer in which its truth counts."""
_ATTEMPTS: Final = 5
_MOST_WAITING: Final = 100_000
"""Truths of a deployment that wait for their answers."""
_EARLY: Final = 120
"""Seconds that an answer may be older than its truth, and not be written down yet."""

_looked: weakref.WeakKeyDictionary[Catalog, dict[int, tuple[int, ...]]] = (
    weakref.WeakKeyDictionary()
)
"""By deployment: newest answers and truths that were looked at in vain, and in which minute."""


def feedback(house: House, name: str, truths: Iterable[Mapping[str, Any]]) -> FeedbackSummary:
    """What was true of requests: `{"request": ID, "truth": VALUE}`, with `"row": N` (from 0) or a
    list of truths if the request had several rows.

    Classes match by value: 1, 1.0 and "1" are one. Truths of answers that several versions gave
    (a shadow is one) count for each of them. What is wrong with a truth is told in `problems`;
    the others count all the same.

    Raises:
        NotFound: `no-deployment`.
        Denied: `not-signed-in`, `not-allowed`, `guarded`.
        Unavailable: `catalog-busy`, and so on: send all again, what was joined is known.
    """
    at = watched(house, name, change=True)
    problems: list[str] = []
    total: Counter[int] = Counter()
    since = time.time() - kept.KEPT
    for given in batches(truths, time.time(), problems):
        total.update(_join(house, at.id, given, since).tolist())
    return FeedbackSummary(
        joined=total[Outcome.JOINED], late=total[Outcome.LATE],
        duplicate=total[Outcome.DUPLICATE], unknown=total[Outcome.UNKNOWN],
        conflicting=total[Outcome.CONFLICTING], problems=tuple(problems),
    )  # fmt: skip


def join_waiting(house: House) -> int:
    """Join truths that came before their answers were written; gives how many were.

    Those that waited for an hour are let go. Cheap if there is nothing new.
    """
    joined = 0
    for deployment_id in kept.deployments_of(house, waiting=True):
        rows = kept.waiting(house, deployment_id)
        now = time.time()
        old = [row for row in rows if row.time < (now - kept.WAITS) * 1e6]
        rows = rows[len(old) :]
        if old:
            kept.join(house, lambda connection, old=old, of=deployment_id: (  # type: ignore[misc]
                watch_answers.drop_waiting(connection, of, [(r.request, r.place) for r in old])
            ))  # fmt: skip
        if not rows:
            continue
        since = rows[0].time / 1e6 - _EARLY
        newest = max((head.id for head in kept.heads(house, deployment_id, since)), default=0)
        seen = _looked.setdefault(house.catalog, {})
        state = (newest, rows[-1].time, int(now // 60))
        if seen.get(deployment_id) == state:
            continue
        given = Given()
        for row in rows:
            given.add(row.request, row.place, msgspec.json.decode(row.truth), row.time / 1e6)
        outcomes = _join(house, deployment_id, given, since, waited=True)
        joined += int((outcomes == Outcome.JOINED).sum())
        seen[deployment_id] = state
    return joined


def tend_answers(house: House, now: float) -> None:
    """What one of several servers does now and then: few large segments, none too old."""
    join_waiting(house)
    for deployment_id in kept.deployments_of(house):
        kept.let_go(house, deployment_id, now)
        kept.gather(house, deployment_id, now, join_answers)


def _join(
    house: House, deployment_id: int, given: Given, since: float, *, waited: bool = False
) -> Array:
    """What became of each truth: see `Outcome`."""
    keys = given.keys()
    for _ in range(_ATTEMPTS):
        outcomes = _attempt(house, deployment_id, given, keys, since, waited=waited)
        if outcomes is not None:
            return outcomes
    raise Unavailable(
        "catalog-busy", "answers were moved each time that truths were to be joined to them",
        hint="send these truths again",
    )  # fmt: skip


def _attempt(
    house: House, deployment_id: int, given: Given, keys: Array, since: float, *, waited: bool
) -> Array | None:
    """None if answers were made larger segments meanwhile, and have to be found again."""
    found, unread = find(house, deployment_id, keys, since)
    schemas = _schemas(house, found)
    ready = [each for each in found if (each.model_id, each.number) in schemas]
    wanted = {int(key) for each in ready for key in np.unique(each.segments) if key >= 0}
    segments = dict(opened(house, sorted(wanted)))
    looked = wanted | unread

    def work(connection: sa.Connection) -> Array | None:
        if watch_answers.count(connection, looked) < len(looked):
            return None
        settled = Settled(given, keys, time.time() - JOINED)
        for each in ready:
            settle(connection, deployment_id, each, segments, schemas, settled)
        _wait(connection, deployment_id, given, settled.outcomes, waited=waited)
        return settled.outcomes

    return kept.join(house, work)


def _schemas(house: House, found: list[Found]) -> dict[tuple[int, int], Schema]:
    """Of versions that have a reference; truths of others wait until they have one."""
    schemas = {}
    for each in found:
        name = name_of(house, each.model_id)
        reference = (
            None if name is None
            else profiles_of(house).of(house, each.model_id, name, each.number)
        )  # fmt: skip
        if reference is not None:
            schemas[each.model_id, each.number] = reference.info.schema
    return schemas


def _wait(
    connection: sa.Connection, deployment_id: int, given: Given, outcomes: Array, *, waited: bool
) -> None:
    """Let truths without an answer wait, and those that had waited go when they have one."""
    unknown = np.flatnonzero(outcomes == Outcome.UNKNOWN).tolist()
    if waited:
        settled = np.flatnonzero(outcomes != Outcome.UNKNOWN).tolist()
        gone = [(given.requests[at], given.places[at]) for at in settled]
        watch_answers.drop_waiting(connection, deployment_id, gone)
        return
    if not unknown:
        return
    there = watch_answers.waiting_at(
        connection, deployment_id, {given.requests[at] for at in unknown}
    )
    room = _MOST_WAITING - watch_answers.waiting_count(connection, deployment_id)
    rows: list[WaitingRow] = []
    for at in unknown:
        key = given.requests[at], given.places[at]
        truth = msgspec.json.encode(given.truths[at]).decode()
        if key in there:
            if there[key] != truth:
                outcomes[at] = Outcome.CONFLICTING
        elif len(rows) < room:
            there[key] = truth
            rows.append(WaitingRow(deployment_id, *key, truth, int(given.received[at] * 1e6)))
    watch_answers.add_waiting(connection, rows)
