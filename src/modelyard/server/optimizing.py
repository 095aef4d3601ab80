"""Optimizations that a server runs: each in a thread, its trials in processes of their own.

Whoever may write a model may have it improved; what is made is made in their name, and with no more
rights than they showed. One at a time runs in a process of a server, others wait. What was under
way when a server ended is taken up again, by this server or another one of the yard.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from modelyard.catalog.queries import optimizations_served
from modelyard.catalog.queries.optimizations_served import ServedRow
from modelyard.core.access import EVERYONE, Account, Caller, Grant, Role
from modelyard.core.decoding import decode_json
from modelyard.core.trust import TRUST_ALL
from modelyard.errors import Conflict, Denied, ModelyardError, NotFound, Unavailable
from modelyard.registry.access import caller_of
from modelyard.registry.local import LocalYard
from modelyard.server.datasets import check_dataset
from modelyard.server.optimizing_engine import Stopping, stoppable

if TYPE_CHECKING:
    from modelyard.core.optimization import Optimization, Recipe
    from modelyard.server.state import Ask, Server

__all__ = ["Optimizing", "Wish", "begin_optimizing", "check_elsewhere", "optimizing_of"]

_log = logging.getLogger("modelyard.server")

_LOOK: Final = 30.0
"""Seconds between two looks for what has stopped."""
_SIGN: Final = 5.0
"""Seconds between signs of life of what waits for its turn."""
_WAITING: Final = 20
_TAKEN: Final = 5
"""So often one is taken up again: what ends its server each time must not do so for ever."""
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
    """How often it was taken up."""


def optimizing_of(server: Server) -> Optimizing:
    """The part of this process that runs optimizations."""
    found: Optimizing = server.parts["optimizing"]
    return found


def begin_optimizing(ask: Ask, wish: Wish) -> Optimization:
    """Begin one in the caller's name; it runs when its turn comes.

    NotFound: `no-version`; `no-data`: what is named is no dataset that the caller may read.
    Unavailable: `not-ready` while the server stops; `too-many-optimizations`.
    """
    if wish.recipe.data is not None:
        check_dataset(ask, wish.recipe.data)
    return optimizing_of(ask.server).begin(ask.caller, wish)


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
        found = yard.optimizations.begin(
            wish.model, wish.revision, wish.recipe, engine=wish.engine, alias=wish.alias
        )
        name = (caller.name or "") if caller.id != EVERYONE else ""
        rights = _Rights(caller.ceiling, caller.only, wish.trusted)
        row = ServedRow(found.id, name, _body(rights))
        yard.house.catalog.write(lambda connection: optimizations_served.put(connection, row))
        self._go(yard, found, wish.trusted)
        return found

    # -- in threads ------------------------------------------------------------------------------

    def _go(self, yard: LocalYard, found: Optimization, trusted: tuple[str, ...]) -> None:
        """Run one, which is this process's, in a thread of its own."""

        def run() -> None:
            try:
                self._run(yard, found, trusted)
            except Stopping:
                _log.info("optimization %s stops with the server", found.id)
            except ModelyardError as error:  # it is kept with the optimization
                _log.warning("optimization %s: %s", found.id, error)
            except Exception:
                _log.exception("optimization %s", found.id)
                self._give_up(found.id, "this should not have happened; the server's log says more")
            finally:
                with self._lock:
                    self._threads.discard(threading.current_thread())
                self._forget(found.id)

        thread = threading.Thread(target=run, name=f"optimization-{found.id}", daemon=True)
        with self._lock:
            self._threads.add(thread)
        thread.start()

    def _run(self, yard: LocalYard, found: Optimization, trusted: tuple[str, ...]) -> None:
        from modelyard.optimization.running import optimize

        while not self._turn.acquire(timeout=_SIGN):
            if self._over.is_set():
                yard.optimizations.keep(replace(found, state="stopped"))
                return
            if not yard.optimizations.keep(found):
                return  # cancelled while it waited
        try:
            settings = self._server.settings.ray
            with stoppable(
                found.engine, self._over, at_once=max(1, (os.cpu_count() or 1) // 2),
                ray=None if settings is None else settings.address,
            ) as engine:  # fmt: skip
                optimize(
                    yard, found.model, found.number, begun=found, engine=engine,
                    trusted=_trusted(trusted),
                )  # fmt: skip
        finally:
            self._turn.release()

    def _give_up(self, key: int, why: str) -> None:
        yard = LocalYard(self._server.house)
        try:
            now = yard.optimizations.get(key)
            if now.state not in _OVER:
                yard.optimizations.keep(replace(now, state="failed", sentence=why, reasons=(why,)))
        except ModelyardError as error:
            _log.warning("optimization %s: %s", key, error)

    def _forget(self, key: int) -> None:
        """What has ended is not taken up again."""
        house = self._server.house
        try:
            if LocalYard(house).optimizations.get(key).state in _OVER:
                house.catalog.write(lambda connection: optimizations_served.drop(connection, key))
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
            try:
                found = LocalYard(house).optimizations.get(row.optimization_id)
            except NotFound:  # its model was deleted, and may come back
                continue
            if found.state in _OVER:
                self._forget(found.id)
            elif found.state == "stopped":
                self._take_up(row)

    def _take_up(self, row: ServedRow) -> None:
        """Go on with one, unless another server is faster."""
        key, rights = row.optimization_id, decode_json(row.body, _Rights)
        if rights.taken >= _TAKEN:
            self._give_up(key, f"the server ended {_TAKEN} times while this ran")
            return
        try:
            caller = _caller(self._server, row.account, rights)
            yard = LocalYard(self._server.house.on_behalf_of(caller))
            found = yard.optimizations.claim(key)
        except Conflict:
            return
        except (Denied, NotFound) as error:
            self._give_up(key, f"who began it may not go on: {error}")
            return
        again = row._replace(body=_body(msgspec.structs.replace(rights, taken=rights.taken + 1)))
        yard.house.catalog.write(lambda connection: optimizations_served.put(connection, again))
        _log.info("optimization %s is taken up again", key)
        self._go(yard, found, rights.trusted)


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
