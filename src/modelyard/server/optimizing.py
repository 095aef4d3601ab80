"""Optimizations that a server runs: each in a thread, its trials in processes of their own.

Whoever may write a model may have it improved; what is made is made in their name, and with no more
rights than they showed. One at a time runs in a process of a server, others wait. What was under
way when a server ended is taken up again, by this server or another one of the yard.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from modelyard.catalog.queries import optimizations_served
from modelyard.catalog.queries.optimizations_served import ServedRow
from modelyard.core.access import EVERYONE, Account, Caller, Grant, Role
from modelyard.core.decoding import decode_json
from modelyard.core.trust import TRUST_ALL
from modelyard.errors import (
    Conflict,
    Denied,
    InvalidInput,
    ModelyardError,
    NotFound,
    Unavailable,
    Unsupported,
)
from modelyard.registry.access import caller_of
from modelyard.registry.local import LocalYard
from modelyard.server.datasets import check_dataset
from modelyard.server.optimizing_engine import Stopping, stoppable
from modelyard.server.optimizing_rights import YardOf

if TYPE_CHECKING:
    from modelyard.core.optimization import Optimization, Recipe
    from modelyard.server.state import Ask, Server

__all__ = [
    "Optimizing",
    "Wish",
    "begin_optimizing",
    "check_elsewhere",
    "check_engine",
    "optimizing_of",
]

_log = logging.getLogger("modelyard.server")

_LOOK: Final = 30.0
"""Seconds between two looks for what has stopped."""
_SIGN: Final = 5.0
"""Seconds between signs of life of what waits for its turn."""
_WAITING: Final = 20
_EACH: Final = 3
"""So many of one account may wait or run."""
_MOST_TRIALS: Final = 10_000
_MOST_SECONDS: Final = 7 * 86_400.0
_TAKEN: Final = 5
"""So often one is gone on with though no trial has ended since: what ends its server each time must
not do so for ever."""
_OVER: Final = ("done", "failed", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be run."""

    model: str
    revision: str | int | None
    recipe: Recipe
    """With its data: a committed dataset, or none."""
    engine: str = "local"
    alias: str | None = None
    trusted: tuple[str, ...] = ()


class _Rights(msgspec.Struct, frozen=True):
    """With which it goes on after a restart: never more than were shown when it began."""

    ceiling: Role
    only: tuple[str, ...]
    trusted: tuple[str, ...]
    taken: int = 0
    """How often its turn came since a trial of it ended."""
    done: int = 0
    """Trials that had ended when its turn last came."""
    ended: bool = False
    """It is over: nobody else says anything about it either."""


def optimizing_of(server: Server) -> Optimizing:
    """The part of this process that runs optimizations."""
    found: Optimizing = server.parts["optimizing"]
    return found


def begin_optimizing(ask: Ask, wish: Wish) -> Optimization:
    """Begin one in the caller's name; it runs when its turn comes.

    NotFound: `no-version`; `no-data`: what is named is no dataset that the caller may read.
    Unavailable: `not-ready` while the server stops; `too-many-optimizations`. InvalidInput:
    `bad-budget`.
    """
    wish = replace(wish, recipe=_within_bounds(wish.recipe))
    if wish.recipe.data is not None:
        check_dataset(ask, wish.recipe.data)
    return optimizing_of(ask.server).begin(ask.caller, wish)


def _within_bounds(recipe: Recipe) -> Recipe:
    """A server is never occupied for ever. InvalidInput: `bad-budget`."""
    if recipe.trials > _MOST_TRIALS:
        raise InvalidInput("bad-budget", f"a server runs {_MOST_TRIALS} trials at most",
                           hint="fewer trials")  # fmt: skip
    if recipe.seconds is not None and recipe.seconds > _MOST_SECONDS:
        raise InvalidInput("bad-budget", "a server takes 7 days at most", hint="a shorter budget")
    return recipe if recipe.seconds is not None else replace(recipe, seconds=_MOST_SECONDS)


def check_engine(ask: Ask, engine: str) -> None:
    """Whether the server has it. Unsupported: `no-cluster`."""
    if engine == "ray" and not ask.server.settings.has_cluster:
        raise Unsupported(
            "no-cluster", "this server was given no Ray cluster",
            hint="the engine local; or YARD_RAY_ADDRESS where the server is started",
        )  # fmt: skip


def check_elsewhere(ask: Ask, key: int) -> None:
    """Nobody else may say how far one is that servers run. Conflict: `optimization-served`.

    What it reads is decided when it begins: nothing that is sent later may change that.
    """
    with ask.server.house.catalog.fresh() as connection:
        served = optimizations_served.get(connection, key) is not None
    if served:
        raise Conflict(
            "optimization-served", f"the server runs optimization {key} by itself",
            hint=f"yard optimizations {key} --follow",
        )  # fmt: skip


class Optimizing:
    """A part of the server: starts and stops with it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._over = threading.Event()
        self._turn = threading.Semaphore(1)
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._own: set[int] = set()
        """Ids of what this process runs."""
        self._looking: threading.Thread | None = None

    def start(self) -> None:
        self._looking = threading.Thread(target=self._look_often, name="optimizing", daemon=True)
        self._looking.start()

    def stop(self) -> None:
        """What runs keeps what it has, and ends."""
        self._over.set()
        with self._lock:
            threads = list(self._threads)
        if self._looking is not None:
            threads.append(self._looking)
        for thread in threads:
            thread.join(timeout=self._server.settings.stop_seconds)

    def begin(self, caller: Caller, wish: Wish) -> Optimization:
        """As `begin_optimizing` says."""
        if self._over.is_set():
            raise Unavailable("not-ready", "the server stops", hint="try again in a moment")
        with self._lock:
            if len(self._threads) >= _WAITING:
                raise Unavailable(
                    "too-many-optimizations", "too many wait for their turn already",
                    hint="wait until one ends: yard optimizations lists them",
                )  # fmt: skip
        yard = LocalYard(self._server.house.on_behalf_of(caller))
        name = (caller.name or "") if caller.id != EVERYONE else ""
        with self._lock:  # so that who asks many times at once is counted each time
            if name and self._under_way(name) >= _EACH:
                raise Unavailable(
                    "too-many-optimizations", f"{_EACH} of yours wait or run already",
                    hint="wait until one ends, or cancel one: yard optimizations lists them",
                )  # fmt: skip
            found = yard.optimizations.begin(
                wish.model, wish.revision, wish.recipe, engine=wish.engine, alias=wish.alias
            )
            row = ServedRow(
                found.id, name, _body(_Rights(caller.ceiling, caller.only, wish.trusted))
            )
            yard.house.catalog.write(lambda connection: optimizations_served.put(connection, row))
        self._go(row, found)
        return found

    def _under_way(self, account: str) -> int:
        """How many of an account wait or run, in any server of the yard."""
        house, count = self._server.house, 0
        with house.catalog.fresh() as connection:
            rows = optimizations_served.all_rows(connection)
        for row in rows:
            if row.account != account or _rights(row).ended:
                continue
            with suppress(NotFound):
                found = LocalYard(house).optimizations.get(row.optimization_id)
                count += found.state not in _OVER
        return count

    # -- in threads ------------------------------------------------------------------------------

    def _go(self, row: ServedRow, found: Optimization) -> None:
        """Run one, which is this process's, in a thread of its own."""

        def run() -> None:
            try:
                self._run(row, found)
            except Stopping:
                _log.info("optimization %s stops with the server", found.id)
            except ModelyardError as error:  # it is kept with the optimization
                _log.warning("optimization %s: %s", found.id, error)
            except Exception:
                _log.exception("optimization %s", found.id)
                why = "this should not have happened; the server's log says more"
                self._give_up(found.id, why, found.claims)
            finally:
                with self._lock:
                    self._threads.discard(threading.current_thread())
                    self._own.discard(found.id)
                self._forget(found.id)

        thread = threading.Thread(target=run, name=f"optimization-{found.id}", daemon=True)
        with self._lock:
            self._threads.add(thread)
            self._own.add(found.id)
        thread.start()

    def _run(self, row: ServedRow, found: Optimization) -> None:
        from modelyard.optimization.running import optimize

        rights = _rights(row)
        house = self._server.house
        yard = YardOf(house, lambda: _caller(self._server, row.account, rights), found.model)
        try:
            while not self._turn.acquire(timeout=_SIGN):
                if self._over.is_set():
                    yard.optimizations.keep(replace(found, state="stopped"))
                    return
                if not yard.optimizations.keep(found):
                    return  # cancelled while it waited
            try:
                self._note_turn(row, found)
                settings = self._server.settings.ray
                with stoppable(
                    found.engine, self._over, at_once=max(1, (os.cpu_count() or 1) // 2),
                    ray=None if settings is None else settings.address,
                ) as engine:  # fmt: skip
                    optimize(
                        yard, found.model, found.number, begun=found, engine=engine,
                        trusted=_trusted(rights.trusted),
                    )  # fmt: skip
            finally:
                self._turn.release()
        finally:
            if yard.refused is not None:
                why = f"who began it may not go on: {yard.refused}"
                self._give_up(found.id, why, found.claims)

    def _note_turn(self, row: ServedRow, found: Optimization) -> None:
        """That it goes on, and with how many trials."""
        rights = _rights(row)
        taken = 1 if found.done > rights.done else rights.taken + 1
        now = msgspec.structs.replace(rights, taken=taken, done=found.done)
        self._put(row._replace(body=_body(now)))

    def _put(self, row: ServedRow) -> None:
        house = self._server.house
        house.catalog.write(lambda connection: optimizations_served.put(connection, row))

    def _give_up(self, key: int, why: str, claims: int | None = None) -> None:
        """Unless somebody has taken it up since `claims`."""
        yard = LocalYard(self._server.house)
        try:
            now = yard.optimizations.get(key)
            if now.state not in _OVER and claims in (None, now.claims):
                yard.optimizations.keep(replace(now, state="failed", sentence=why, reasons=(why,)))
        except ModelyardError as error:
            _log.warning("optimization %s: %s", key, error)

    def _forget(self, key: int) -> None:
        """What has ended is not taken up again; that servers ran it stays known."""
        house = self._server.house
        try:
            if LocalYard(house).optimizations.get(key).state not in _OVER:
                return
            with house.catalog.fresh() as connection:
                row = optimizations_served.get(connection, key)
            if row is not None:
                ended = msgspec.structs.replace(_rights(row), ended=True)
                self._put(row._replace(body=_body(ended)))
        except ModelyardError as error:  # the next look does it
            _log.warning("optimization %s: %s", key, error)

    # -- taking up -------------------------------------------------------------------------------

    def _look_often(self) -> None:
        while True:
            try:
                self._look()
            except ModelyardError as error:  # the catalog is away: the next look finds them
                _log.warning("optimizations: %s", error)
            except Exception:
                _log.exception("optimizations")
            if self._over.wait(_LOOK):
                return

    def _look(self) -> None:
        """Take up what has stopped."""
        house = self._server.house
        with house.catalog.fresh() as connection:
            rows = optimizations_served.all_rows(connection)
        for row in rows:
            if self._over.is_set():
                return
            if _rights(row).ended:
                continue
            try:
                found = LocalYard(house).optimizations.get(row.optimization_id)
            except NotFound:  # its model was deleted, and may come back
                continue
            if found.state in _OVER:
                self._forget(found.id)
            elif found.state == "stopped":
                self._take_up(row)

    def _take_up(self, row: ServedRow) -> None:
        """Go on with one, unless it is this process's, or another server is faster."""
        key, rights = row.optimization_id, _rights(row)
        with self._lock:
            if key in self._own:  # this process was asleep: its thread goes on by itself
                return
        try:
            caller = _caller(self._server, row.account, rights)
            kept = LocalYard(self._server.house.on_behalf_of(caller)).optimizations
            known = kept.get(key)
            if rights.taken >= _TAKEN and known.done <= rights.done:
                self._give_up(key, f"the server ended {_TAKEN} times while this ran", known.claims)
                return
            found = kept.claim(key)
        except Conflict:
            return
        except (Denied, NotFound) as error:
            self._give_up(key, f"who began it may not go on: {error}")
            return
        _log.info("optimization %s is taken up again", key)
        self._go(row, found)


def _rights(row: ServedRow) -> _Rights:
    return decode_json(row.body, _Rights)


def _caller(server: Server, account: str, rights: _Rights) -> Caller:
    """Whoever began it, with the rights that they have now, and no more than they showed."""
    if not account:
        if server.settings.accounts:
            raise NotFound("no-account", "it was begun on a server without accounts")
        local = Account(id=EVERYONE, name="local", title=server.house.author)
        return Caller(account=local, grants=(Grant("*", "admin"),))
    return replace(caller_of(server.house, account), ceiling=rights.ceiling, only=rights.only)


def _trusted(names: tuple[str, ...]) -> Any:
    return TRUST_ALL if names == ("*",) else names or None


def _body(rights: _Rights) -> str:
    return msgspec.json.encode(rights).decode()
