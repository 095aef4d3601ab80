"""Delivers events to webhooks: each at least once, by one of the servers of a yard.

For each hook, rows of deliveries are made from the feed in one transaction with the mark up to
where that was done; so every event is there once, whoever makes them. A delivery is claimed in the
catalog before it is sent, one at a time for each hook, the oldest first. If the server dies between
sending and noting that, the claim runs out and the event is sent again, with the same id.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from modelyard.catalog.queries import accounts, deliveries, hooks
from modelyard.core.events import Event, Wanted
from modelyard.core.hooks import CONTENT_TYPE, Tried, payload, signed_headers
from modelyard.errors import ModelyardError
from modelyard.registry.access.rights import caller_for
from modelyard.registry.events import event_by_id, events, seen_by, settled, sight
from modelyard.registry.lookup import moment
from modelyard.server.outbound import post

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from modelyard.catalog.queries.deliveries import DeliveryRow
    from modelyard.catalog.queries.hooks import HookRow
    from modelyard.registry.house import House
    from modelyard.server.outbound import Resolver
    from modelyard.server.settings import Settings
    from modelyard.server.state import Server

__all__ = ["Deliverer", "ping"]

_log = logging.getLogger("modelyard.server")

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
LOOK_SECONDS = 0.5
_IDLE_SECONDS = 2.0
"""Between looks while there are no hooks."""
CLAIM = 60 * _SECOND
"""How long one server may take to send one; then another tries."""
WAITS = (5, 30, 120, 600, 1800, 3600, 7200)
"""Seconds until the next try; the last holds for all that follow."""
GIVE_UP = _DAY
PAUSE = 3 * _DAY
"""A hook to which nothing got through for so long is paused."""
KEPT = 14 * _DAY
_AT_ONCE = 16
_MADE_AT_ONCE = 1000
_GONE = 410


class Deliverer:
    """The part of a server that sends. Several servers share the work."""

    def __init__(self, server: Server, *, resolver: Resolver | None = None) -> None:
        self._server = server
        self._resolver = resolver
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(_AT_ONCE, "hooks")
        self._busy: set[int] = set()
        self._lock = threading.Lock()
        self._swept = time.monotonic()

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="hooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """What is being sent is sent to its end; all else waits for the next server."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown()

    @property
    def _house(self) -> House:
        return self._server.house

    def _run(self) -> None:
        wait = 0.0
        while not (self._stopped.wait(wait) or self._server.stopping.is_set()):
            try:
                wait = LOOK_SECONDS if self.look() else _IDLE_SECONDS
            except ModelyardError as error:
                _log.warning("webhooks wait: %s", error)
                wait = _IDLE_SECONDS
            except Exception:
                _log.exception("webhooks wait")
                wait = _IDLE_SECONDS

    def look(self) -> bool:
        """Make what is to be delivered, and begin to send what is due; whether there are hooks."""
        with self._house.catalog.fresh() as connection:
            found = hooks.active(connection)
        if not found:
            return False
        last = settled(self._house)
        for hook in found:
            if hook.seen < last:
                self._make(hook, last)
        with self._house.catalog.fresh() as connection:
            rows = deliveries.due(connection, self._house.catalog.now(connection), 1000)
        first: dict[int, DeliveryRow] = {}
        for row in rows:
            first.setdefault(row.hook_id, row)
        of = {hook.id: hook for hook in found}
        for key, row in first.items():
            if key in of:
                self._begin(of[key], row)
        self._sweep()
        return True

    def _make(self, hook: HookRow, last: int) -> None:
        """Rows for all events that a hook was not yet told of."""
        house = self._house
        wanted = Wanted(frozenset(hook.events.split()), hook.pattern)
        upto = min(last, hook.seen + _MADE_AT_ONCE)
        may = _readable(house, hook)
        found = [
            event.id
            for event in events(house, after=hook.seen, wanted=wanted, readable=may, upto=upto)
        ]

        def work(connection: sa.Connection) -> None:
            there = hooks.lock(connection, hook.id)
            if there == (hook.seen, True):
                deliveries.add(connection, hook.id, found, house.catalog.now(connection))
                hooks.change(connection, hook.id, seen=upto)

        house.catalog.write(work)

    def _begin(self, hook: HookRow, row: DeliveryRow) -> None:
        with self._lock:
            if hook.id in self._busy or len(self._busy) >= 2 * _AT_ONCE:
                return
            self._busy.add(hook.id)
        self._pool.submit(self._one_after_the_other, hook, row)

    def _one_after_the_other(self, hook: HookRow, row: DeliveryRow | None) -> None:
        """Send what is due to a hook, without a pause between two."""
        try:
            while row is not None and not self._stopped.is_set():
                if not self._claim(row):
                    return
                self._note(hook, row, self._send(hook, row))
                row = self._next(hook)
        except ModelyardError as error:
            _log.warning("webhook %d waits: %s", hook.id, error)
        except Exception:
            _log.exception("webhook %d waits", hook.id)
        finally:
            with self._lock:
                self._busy.discard(hook.id)

    def _next(self, hook: HookRow) -> DeliveryRow | None:
        with self._house.catalog.fresh() as connection:
            now = self._house.catalog.now(connection)
            rows = deliveries.due(connection, now, 1, hook.id)
        return rows[0] if rows else None

    def _claim(self, row: DeliveryRow) -> bool:
        """Whether this server is to send it."""
        catalog = self._house.catalog

        def work(connection: sa.Connection) -> bool:
            there = hooks.lock(connection, row.hook_id)
            now = catalog.now(connection)
            if there is None or not there[1]:
                return False
            if deliveries.is_sending(connection, row.hook_id, now):
                return False
            current = deliveries.by_id(connection, row.id)
            if current is None or (current.state, current.due) != (row.state, row.due):
                return False
            deliveries.change(
                connection, row.id, state="sending", due=now + CLAIM, attempts=row.attempts + 1
            )
            return True

        return catalog.write(work)

    def _send(self, hook: HookRow, row: DeliveryRow) -> Tried:
        event = event_by_id(self._house, row.event)
        seen = None if event is None else seen_by(event, _readable(self._house, hook))
        if seen is None:
            return Tried(status=None, error=_HIDDEN)
        return send(self._server.settings, hook, seen, self._resolver)

    def _note(self, hook: HookRow, row: DeliveryRow, tried: Tried) -> None:
        catalog = self._house.catalog
        attempts = row.attempts + 1

        def work(connection: sa.Connection) -> None:
            hooks.lock(connection, hook.id)
            now = catalog.now(connection)
            told = {"status": tried.status, "error": tried.error[:200]}
            if tried.is_good:
                deliveries.change(connection, row.id, state="done", due=now, **told)
                return
            due = now + WAITS[min(attempts, len(WAITS)) - 1] * _SECOND
            over = due > row.created + GIVE_UP or tried.error == _HIDDEN
            state = "failed" if over else "waiting"
            deliveries.change(connection, row.id, state=state, due=now if over else due, **told)
            if tried.status == _GONE or self._has_failed_long(connection, hook.id, now):
                hooks.change(connection, hook.id, active=False)
                deliveries.give_up(connection, hook.id, "the webhook was paused")
                _log.warning("webhook %d is paused: %s", hook.id, tried.error)

        catalog.write(work)

    def _has_failed_long(self, connection: sa.Connection, hook_id: int, now: int) -> bool:
        good = deliveries.last_good(connection, hook_id)
        since = deliveries.oldest_unsent(connection, hook_id, good)
        return since is not None and now - since > PAUSE

    def _sweep(self) -> None:
        if time.monotonic() - self._swept < 3600:
            return
        self._swept = time.monotonic()
        catalog = self._house.catalog
        catalog.write(
            lambda connection: deliveries.forget(connection, catalog.now(connection) - KEPT)
        )


_HIDDEN = "the event is gone, or hidden from the webhook's owner"


def send(
    settings: Settings, hook: HookRow, event: Event, resolver: Resolver | None = None,
    message: str | None = None,
) -> Tried:  # fmt: skip
    """Send one event, once."""
    body = payload(event, settings.url or "urn:modelyard")
    headers = {
        "content-type": CONTENT_TYPE,
        "user-agent": "modelyard",
        "x-yard-event": event.kind,
        **signed_headers(hook.secret, message or f"event-{event.id}", int(time.time()), body),
    }
    return post(hook.url, body, headers, private=settings.private_hooks, resolver=resolver)


def ping(house: House, settings: Settings, hook: HookRow) -> Tried:
    """Send an event that means nothing, now."""
    with house.catalog.fresh() as connection:
        now = house.catalog.now(connection)
    event = Event(
        id=0, time=moment(now), kind="ping", model="", who=house.author,
        account=house.caller.name, detail={"hook": hook.id},
    )  # fmt: skip
    return send(settings, hook, event, message=f"ping-{now}")


def _readable(house: House, hook: HookRow) -> Callable[[str], bool] | None:
    """What the owner of a hook may read now; of one that was made at the yard's folder, all."""
    if hook.account_id <= 0:
        return None
    with house.catalog.fresh() as connection:
        owner = accounts.by_id(connection, hook.account_id)
        if owner is None or owner.disabled:
            return lambda _: False
        return sight(house, caller_for(connection, owner))
