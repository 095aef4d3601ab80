"""The places of all versions in this process: awake or asleep, within the memory there is.

Equal wishes share a place. A version is loaded when something asks for it, once however many ask,
and goes to sleep when the memory is wanted by others or nobody asked for a while.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.errors import ModelyardError, Unavailable, Unsupported
from modelyard.serving.interface import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from modelyard.serving.interface import Engine, Served, Wanted

__all__ = ["Place", "Slots", "memory_budget"]

_AGAIN = (0.5, 30.0)
"""Seconds after which a version that could not be loaded is tried again: at first, at most."""
_IN_TURN = 2
_DEATHS, _DEATHS_SECONDS = 5, 60.0
"""A version whose workers die more often is not started again at once."""


@dataclass(slots=True, eq=False)
class Place:
    """What belongs to a slot."""

    slot: Slot
    wanted: Wanted
    engine: Engine
    proven: bool = False
    """It answered its example once: whoever asks may wake it."""
    loading: asyncio.Task[Served] | None = None
    error: ModelyardError | None = None
    tries: int = 0
    not_before: float = 0.0
    """When it may be tried again (monotonic), after an error."""
    deaths: list[float] = field(default_factory=list)
    pinned: bool = False
    """It never goes to sleep for others' sake."""


class Slots:
    """All places, by what is wanted of them. Used on one event loop.

    Args:
        engines: What makes them, by name; each is made when something is wished of it.
        budget: Bytes that all versions together may take.
        changed: Called when something became of a place.
    """

    def __init__(
        self,
        engines: Mapping[str, Callable[[], Engine]],
        *,
        budget: int | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._makers = engines
        self._engines: dict[str, Engine] = {}
        self.budget = memory_budget() if budget is None else budget
        self.changed = changed
        self._places: dict[tuple[str, Wanted], Place] = {}
        self._of: dict[Slot, Place] = {}
        self.in_turn = asyncio.Semaphore(_IN_TURN)
        """Held while something is loaded that no request waits for: after a start there may be
        hundreds, and a request is not to wait for all of them."""
        self._drains: dict[asyncio.Task[None], Served] = {}
        self.spared: Callable[[Slot], bool] = lambda slot: False
        """Whether something is kept only for a rollback: such go to sleep first."""

    def place(self, engine: str, wanted: Wanted) -> Place:
        """The place for a wish.

        Raises:
            Unsupported: `no-engine`, `no-extra`.
        """
        found = self._places.get((engine, wanted))
        if found is not None:
            return found
        if engine not in self._engines:
            if engine not in self._makers:
                raise Unsupported("no-engine", f"this server has no engine {engine!r}")
            self._engines[engine] = self._makers[engine]()
        slot = Slot(wanted.model, wanted.number, wanted.commit, _not_yet)
        place = Place(slot, wanted, self._engines[engine])
        slot.wake = partial(self._woken, place)
        self._places[engine, wanted] = place
        self._of[slot] = place
        return place

    def of(self, slot: Slot) -> Place:
        return self._of[slot]

    def everything(self) -> Iterable[Place]:
        return self._of.values()

    async def wake(self, place: Place) -> Served:
        """Load a version, or wait for who does. Raises what loading raises."""
        place = self._of_now(place)
        slot = place.slot
        if (served := slot.served) is not None:
            return served
        early = place.loading is None and time.monotonic() < place.not_before
        if early and place.error is not None:
            raise place.error
        loading = self._begin(place)
        try:
            return await asyncio.shield(loading)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():  # who asks was cancelled, not what loads
                raise
            raise Unavailable("not-ready", "the server stops") from None

    def _of_now(self, place: Place) -> Place:
        """The place of the same wish, if this one was forgotten: both would share what is loaded,
        and one free what the other needs."""
        if place.slot in self._of:
            return place
        same = (
            p for p in self._places.values()
            if p.engine is place.engine and p.wanted == place.wanted
        )  # fmt: skip
        return next(same, place)

    def _begin(self, place: Place) -> asyncio.Task[Served]:
        """Load it now, once however many ask."""
        if place.loading is None:
            place.loading = asyncio.get_running_loop().create_task(self._load(place))
            place.loading.add_done_callback(_seen)
        return place.loading

    async def _woken(self, place: Place) -> Served:
        """As `wake`, for a request: whatever it is, the request is not to blame."""
        try:
            return await self.wake(place)
        except Unavailable:
            raise
        except ModelyardError as error:
            raise Unavailable(
                "not-ready", f"{place.slot.model}@{place.slot.number}: {error.message}"
            ) from error

    async def _load(self, place: Place) -> Served:
        slot = place.slot
        if slot.served is None:
            slot.state, slot.reason = "loading", None
        self.changed()
        try:
            served = await place.engine.apply(place.wanted)
            if served in self._drains.values():  # it was let go just now: load it anew
                served = await place.engine.apply(place.wanted)
        except ModelyardError as error:
            self._failed(place, error)
            raise
        except Exception as error:
            told = Unavailable("load-failed", f"it can't be loaded: {type(error).__name__}")
            self._failed(place, told)
            raise told from error
        else:
            place.error, place.tries, place.proven = None, 0, True
            before, slot.served = slot.served, served
            slot.state, slot.strikes = "ready", 0
            note = getattr(place.engine, "note", None)
            slot.reason = note(served) if note else None
            slot.used = time.monotonic()
            self._of.setdefault(slot, place)
            if before is not None and before is not served:
                self._drain(place, before, 30.0)
            self.make_room()
            return served
        finally:
            place.loading = None
            self.changed()

    def _failed(self, place: Place, error: ModelyardError) -> None:
        first, most = _AGAIN
        place.error = error
        place.not_before = time.monotonic() + min(first * 2**place.tries, most)
        place.tries += 1
        if place.slot.served is None:
            place.slot.state, place.slot.reason = "failed", error.message
        else:  # of several workers some are left: nothing but this would ask for the others again
            place.slot.state, place.slot.reason = "ready", f"a worker is gone: {error.message}"
            wait = place.not_before - time.monotonic()
            asyncio.get_running_loop().call_later(wait, self._again, place)

    def _again(self, place: Place) -> None:
        """Another try to have all workers, if some are still gone."""
        lost = place.slot.served is not None and place.error is not None
        if lost and self._of.get(place.slot) is place:
            self._begin(place)

    def died(self, served: Served, left: int) -> None:
        """A worker ended: load the version anew, at once. Engines call this."""
        for place in [p for p in self._of.values() if p.slot.served is served]:
            self._lost(place, served, left)

    def _lost(self, place: Place, served: Served, left: int) -> None:
        slot, now = place.slot, time.monotonic()
        place.deaths = [when for when in place.deaths if now - when < _DEATHS_SECONDS] + [now]
        if not left:
            slot.served = None
            slot.state, slot.reason = "loading", "its process ended; it is started again"
            self._drain(place, served, 0.0)
        self.changed()
        if len(place.deaths) > _DEATHS:
            self.sleep(place)
            error = Unavailable("model-died", "its process ended again and again")
            place.tries = 10
            self._failed(place, error)
            return
        self._begin(place)

    # -- sleep ---------------------------------------------------------------------------------

    def sleep(self, place: Place, seconds: float = 30.0) -> None:
        """Unload a version; the next request loads it again."""
        slot = place.slot
        served, slot.served = slot.served, None
        if served is not None:
            slot.state, slot.reason = "asleep", None
            self._drain(place, served, seconds)
            self.changed()

    def forget(self, place: Place, seconds: float = 30.0) -> None:
        """Nothing refers to it any more. Who chose it a moment ago is still answered."""
        self.sleep(place, seconds)
        for key, found in list(self._places.items()):
            if found is place:
                del self._places[key]
        self._of.pop(place.slot, None)

    def make_room(self) -> None:
        """Put to sleep what nobody asked for the longest, until all fits."""
        awake = [p for p in self._of.values() if p.slot.served is not None]
        taken = sum(p.slot.served.memory or 0 for p in awake if p.slot.served)
        if taken <= self.budget or len(awake) < 2:
            return
        newest = max(awake, key=lambda p: p.slot.used)
        for place in sorted(awake, key=lambda p: (not self.spared(p.slot), p.slot.used)):
            served = place.slot.served
            if served is None or place is newest or place.pinned or served.under_way:
                continue
            taken -= served.memory or 0
            self.sleep(place)
            place.slot.reason = "others needed the memory"
            if taken <= self.budget:
                return

    @property
    def taken(self) -> int:
        """Bytes of all that is awake."""
        return sum(p.slot.served.memory or 0 for p in self._of.values() if p.slot.served)

    def _drain(self, place: Place, served: Served, seconds: float) -> None:
        if any(p.slot.served is served for p in self._of.values()):
            return  # engines share what equal wishes get: another place needs it
        task = asyncio.get_running_loop().create_task(place.engine.drain(served, seconds))
        self._drains[task] = served
        task.add_done_callback(lambda task: self._drains.pop(task, None))

    @property
    def busy(self) -> bool:
        """Whether threads still load or compute, after `close`."""
        return any(getattr(engine, "busy", False) for engine in self._engines.values())

    async def close(self) -> None:
        """Unload everything, and close the engines."""
        for place in list(self._of.values()):
            if place.loading is not None:
                place.loading.cancel()
            self.sleep(place, 1.0)
        if self._drains:
            await asyncio.wait(list(self._drains), timeout=5.0)
        for engine in self._engines.values():
            await engine.close()


def memory_budget() -> int:
    """Half of what this machine, or this container, has."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # no bound, or `max`
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return total // 2


async def _not_yet() -> Served:
    raise Unavailable("not-ready", "this version is not loaded yet")


def _seen(task: asyncio.Task[Served]) -> None:
    if not task.cancelled():
        task.exception()  # whoever waited was told; there may be nobody
