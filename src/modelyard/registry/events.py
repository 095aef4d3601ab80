"""The feed of events: every one once, in the order of their ids, to those who may read them.

PostgreSQL and MySQL hand out the numbers of audit lines before the transactions commit: a line may
appear below one that was seen. So lines are told up to the last number from which none is missing;
behind a missing one they are held back until it is sure that nobody writes it any more. Numbers of
transactions that were undone stay missing for ever: about these, the gate tells (`outlast`).
"""

from __future__ import annotations

import threading
import time
import weakref
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from modelyard.catalog.queries import events as queries
from modelyard.core.events import KIND_OF, Event, EventPage, Wanted, kind_of
from modelyard.core.version import RefKind
from modelyard.registry.access import readable
from modelyard.registry.lookup import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelyard.catalog.engine import Catalog
    from modelyard.catalog.queries.events import EventRow
    from modelyard.core.access import Caller
    from modelyard.registry.house import House

__all__ = [
    "event_by_id", "event_of", "event_page", "events", "follow", "seen_by", "settled", "sight",
]  # fmt: skip

_PAGE = 500
_WINDOW = 1000
_LOOKED_THROUGH = 20_000
"""Numbers for one page."""
_PATIENCE = 1.0
"""Seconds in which a transaction usually ends; until then nobody is held up for a gap."""
_BETWEEN = 3.0
"""Seconds between two questions at the gate."""
_TRIES = 8
_MESSAGE = 200


class _Settling:
    """What one process knows of a catalog: up to which number nothing can appear any more."""

    def __init__(self) -> None:
        self.upto = 0
        self.known = False
        """Whether `upto` was ever sure; before, the whole log would have to be looked through."""
        self.gap_since: float | None = None
        self.asked = float("-inf")
        self.lock = threading.Lock()


_settlings: weakref.WeakKeyDictionary[Catalog, _Settling] = weakref.WeakKeyDictionary()
_settlings_lock = threading.Lock()


def settled(house: House) -> int:
    """The number up to which all lines are there that ever will be."""
    catalog = house.catalog
    with _settlings_lock:
        state = _settlings.setdefault(catalog, _Settling())
    with state.lock:
        return _settle(catalog, state)


def _settle(catalog: Catalog, state: _Settling) -> int:
    with catalog.fresh() as connection:
        top, whole = queries.newest(connection, state.upto if state.known else None)
        in_order = connection.dialect.name == "sqlite"  # one writer at a time
    if whole or in_order or (top <= state.upto and state.known):
        _now_sure(state, max(top, state.upto))
    elif _may_ask(state) and _outlast(catalog, tries=1 if state.known else _TRIES):
        _now_sure(state, top)
    else:
        with catalog.fresh() as connection:
            upto = queries.unbroken(connection, state.upto)
        if upto > state.upto:
            state.upto, state.gap_since = upto, None
    return state.upto


def _now_sure(state: _Settling, upto: int) -> None:
    state.upto, state.known, state.gap_since = upto, True, None


def _may_ask(state: _Settling) -> bool:
    """Whether the gap is old enough, and the last question was not just now."""
    now = time.monotonic()
    if not state.known:
        return True
    if state.gap_since is None:
        state.gap_since = now
    if now - state.gap_since < _PATIENCE or now - state.asked < _BETWEEN:
        return False
    state.asked = now
    return True


def _outlast(catalog: Catalog, tries: int) -> bool:
    return any(catalog.outlast() for _ in range(tries))


def events(
    house: House,
    *,
    after: int = 0,
    wanted: Wanted | None = None,
    readable: Callable[[str], bool] | None = None,
    upto: int | None = None,
) -> Iterator[Event]:
    """What happened since the event `after`, in the order of ids.

    Args:
        wanted: Of which kinds and models; all if None.
        readable: Which models the caller may read; all if None.
        upto: The last id; what `settled` says if None.
    """
    last = settled(house) if upto is None else upto
    while after < last:
        lines, after, found = _page(house, after, last)
        for event in found:
            if wanted is not None and not wanted.takes(event):
                continue
            shown = seen_by(event, readable)
            if shown is not None:
                yield shown
        if lines < _PAGE:
            return


def event_page(
    house: House,
    *,
    after: int | None,
    limit: int,
    wanted: Wanted,
    readable: Callable[[str], bool] | None = None,
) -> EventPage:
    """Some events after one, or the newest; a page may hold few where few of many are wanted."""
    last = settled(house)
    given: dict[str, Any] = {"wanted": wanted, "readable": readable}
    if after is not None:
        end = min(last, after + _LOOKED_THROUGH)
        found = list(islice(events(house, after=after, upto=end, **given), limit))
        return EventPage(tuple(found), found[-1].id if len(found) == limit else max(after, end))
    newest: list[Event] = []
    begin, lowest = last, last - _LOOKED_THROUGH
    while begin > max(0, lowest) and len(newest) < limit:
        end, begin = begin, max(0, begin - _WINDOW)
        newest = [*events(house, after=begin, upto=end, **given), *newest]
    return EventPage(tuple(newest[-limit:]), last)


def follow(
    house: House,
    *,
    after: int | None = None,
    wanted: Wanted | None = None,
    seconds: float = 0.5,
    stop: threading.Event | None = None,
) -> Iterator[Event]:
    """`events`, and those that are yet to come, until `stop` is set."""
    over = threading.Event() if stop is None else stop
    position = settled(house) if after is None else after
    while not over.is_set():
        last = settled(house)
        if last > position:
            yield from events(house, after=position, wanted=wanted, upto=last)
            position = last
        else:
            over.wait(seconds)


def sight(house: House, caller: Caller) -> Callable[[str], bool] | None:
    """Which models somebody may read; None: all, also those that are gone for good."""
    return None if caller.reads_all else readable(house, caller)


def seen_by(event: Event, readable: Callable[[str], bool] | None) -> Event | None:
    """An event as somebody may see it who can read these models alone; None: not at all."""
    if readable is None:
        return event
    if not event.model or not readable(event.model):
        return None
    named = {"from": event.detail.get("from", ""), "data": event.detail.get("data", "")}
    named["data"] = named["data"].rpartition("@")[0]  # a dataset is a model too
    hidden = {key for key, name in named.items() if name and not readable(name)}
    if not hidden:
        return event
    return replace(event, detail={k: v for k, v in event.detail.items() if k not in hidden})


def event_by_id(house: House, key: int) -> Event | None:
    """One event; None if it is none, or its model is gone for good."""
    with house.catalog.fresh() as connection:
        row = queries.one(connection, key)
    return None if row is None else event_of(row)


def _page(house: House, after: int, last: int) -> tuple[int, int, list[Event]]:
    """How many lines there were, the number of the last of them, and the events among them."""
    with house.catalog.fresh() as connection:
        rows = queries.page(connection, after, last, list(KIND_OF), _PAGE)
    found = [event for event in map(event_of, rows) if event is not None]
    return len(rows), rows[-1].id if rows else last, found


def event_of(row: EventRow) -> Event | None:
    """What a line of the audit log tells; None if that is no event."""
    kind = kind_of(row.action, moves=row.kind is not None, old=row.old, new=row.new)
    if kind is None or (row.model is None and kind != "model-forgotten"):
        return None
    detail: dict[str, Any] = {} if row.detail is None else msgspec.json.decode(row.detail)
    number = detail.pop("number", None)
    if kind == "version-committed":
        number = row.new
        if row.commit_id is not None:
            detail = {"commit": row.commit_id.hex(), "message": (row.message or "")[:_MESSAGE]}
    elif row.kind is not None:
        detail["reason"] = row.action
        number = row.new or row.old
    elif kind == "deployment-changed":  # what else there is may name models that are hidden
        detail = {name: detail.get(name) for name in ("deployment", "action", "generation")}
    elif kind == "model-copied":
        del detail["from"]  # a path of the machine that did it
    ref_kind = get_args(RefKind)[get_args(RefKind).index(row.kind)] if row.kind else None
    return Event(
        id=row.id, time=moment(row.time), kind=kind, model=row.model or "", number=number or None,
        ref=row.ref, ref_kind=ref_kind, old=row.old, new=row.new, who=row.who,
        account=row.account, detail=detail,
    )  # fmt: skip
