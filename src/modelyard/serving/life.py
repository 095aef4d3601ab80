"""Making true what is wished: one process's part of all deployments.

Looks four times a second for what changed; asked by the same process, at once.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from modelyard.errors import ModelyardError, NotFound
from modelyard.serving.courses import STRIKES, Course

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from modelyard.core.deployment import Deployment, ServerStatus
    from modelyard.serving.interface import Line, Slot
    from modelyard.serving.slots import Slots

__all__ = ["Life", "Lines", "Wishes"]

_log = logging.getLogger("modelyard.serving")

_LOOK = 0.25
_TICK = 0.1
_BEAT = 2.0


class Wishes(Protocol):
    """Where deployments are wished, and what became of them is told. Called in threads."""

    def poll(self) -> Sequence[Deployment] | None:
        """All of them; None if nothing changed since it was asked last."""

    def beat(self, statuses: Mapping[str, ServerStatus]) -> None:
        """Tell how far this server got, by the deployment's name."""

    def fell_back(self, line: Line, slot: Slot, heir: Slot) -> None:
        """Tell that a version's share was given away."""


class Lines(Protocol):
    """What the data plane gives: `Plane` is one."""

    on_load: Callable[[str, Line | None], Awaitable[None]] | None
    on_unload: Callable[[str, Line], Awaitable[None]] | None

    def put(self, line: Line) -> None: ...

    def drop(self, name: str) -> None: ...


class Life:
    """The deployments of one process. Used on one event loop, but for `apply_now`."""

    def __init__(self, plane: Lines, slots: Slots, wishes: Wishes, *, server: str) -> None:
        self.server = server
        self.courses: dict[str, Course] = {}
        self._plane = plane
        self._slots = slots
        self._wishes = wishes
        self._tasks: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._names: set[str] = set()
        """Of all that is wished, as it was read last."""
        self._news = asyncio.Event()
        """Something is to be told."""
        self._looking = asyncio.Lock()
        self._suspects: set[Slot] = set()
        self.looked = asyncio.Event()
        """Set once all deployments were seen for the first time."""
        plane.on_load, plane.on_unload = self.load, self.unload
        slots.changed = self._news.set
        slots.spared = self._is_spare

    def start(self) -> None:
        """Begin to look; it goes on until `close`. Called on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        for work in (self._look_on, self._tick_on, self._beat_on):
            self._tasks.append(self._loop.create_task(work()))

    async def close(self) -> None:
        """Stop looking, and unload everything."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.gather(*(course.stop() for course in self.courses.values()))
        await self._slots.close()

    def apply_now(self, deployment: Deployment | None = None) -> None:
        """Something changed: make it true without waiting for the next look. From any thread.

        Args:
            deployment: As it is wished now. When this returns, requests go where it says if all
                that takes is loaded, as after a rollback. None: look what is wished.
        """
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        if deployment is None:
            asyncio.run_coroutine_threadsafe(self.look(), loop)
            return
        done = asyncio.run_coroutine_threadsafe(self._adopt(deployment), loop)
        if threading.get_ident() != self._thread:
            with suppress(TimeoutError):
                done.result(1.0)

    async def look(self) -> None:
        """Read what is wished, and begin to make it true."""
        async with self._looking:
            began = time.monotonic()
            wished = await asyncio.to_thread(self._wishes.poll)
            if wished is not None:
                self._names = {deployment.name for deployment in wished}
                for deployment in wished:
                    await self._adopt(deployment)
            for name in self.courses.keys() - self._names:
                if self.courses[name].adopted < began:  # else it is newer than what was read
                    await self.drop(name)
            self.looked.set()

    async def drop(self, name: str) -> None:
        """Serve a deployment no more."""
        course = self.courses.pop(name, None)
        self._plane.drop(name)
        if course is not None:
            await course.stop()
        self._sweep()

    async def settled(self) -> None:
        """Wait until all that is wished now is true, or has failed."""
        await self.looked.wait()
        await asyncio.gather(*(course.settled() for course in self.courses.values()))

    def statuses(self) -> dict[str, ServerStatus]:
        """How far this server got, by the deployment's name."""
        now = datetime.now(UTC)
        return {name: c.status(self.server, now) for name, c in self.courses.items()}

    # -- the repository part of the protocol -----------------------------------------------------

    async def load(self, name: str, line: Line | None) -> None:
        """Wake all versions of a deployment; raises what loading raises."""
        course = self.courses.get(line.spec.name) if line else None
        if course is None or course.line is None:
            raise NotFound(
                "no-deployment", f"failed to load '{name[:80]}', no such deployment is wished",
                hint="yard deploy NAME MODEL@REV",
            )  # fmt: skip
        course.load()
        for slot in course.line.everything():
            await slot.wake()

    async def unload(self, name: str, line: Line) -> None:
        """Unload all versions of a deployment until `load`, or until it changes.

        What other deployments need stays loaded for them.
        """
        course = self.courses.get(line.spec.name)
        if course is None or course.line is None:
            return
        course.unload()
        needed: set[Slot] = set()
        for other in self.courses.values():
            if not other.unloaded:
                needed |= other.references()
        for slot in course.line.everything():
            if slot not in needed:
                self._slots.sleep(self._slots.of(slot))

    # -- what goes on ----------------------------------------------------------------------------

    async def _adopt(self, deployment: Deployment) -> None:
        course = self.courses.get(deployment.name)
        if course is None:
            course = Course(deployment.name, self._slots, self._plane.put)
            self.courses[deployment.name] = course
        course.wish(deployment)
        self._news.set()

    async def _look_on(self) -> None:
        told = ""
        while True:
            try:
                await self.look()
                told = ""
            except ModelyardError as error:
                if error.message != told:  # once, and not four times a second
                    told = error.message
                    _log.warning("deployments can't be read: %s", told)
            except Exception:
                _log.exception("deployments can't be read")
            await asyncio.sleep(_LOOK)

    async def _tick_on(self) -> None:
        for turn in itertools.count():
            await asyncio.sleep(_TICK)
            try:
                for course in list(self.courses.values()):
                    course.look()
                    await self._watch(course)
                if turn % 5 == 0:  # of a thousand deployments it takes milliseconds
                    self._put_to_sleep()
                    self._sweep()
            except Exception:
                _log.exception("looking after deployments")

    async def _beat_on(self) -> None:
        while True:
            with suppress(TimeoutError):  # no `wait_for`: if there is news, Python 3.11's goes on
                async with asyncio.timeout(_BEAT):  # though it was cancelled
                    await self._news.wait()
            self._news.clear()
            try:
                await asyncio.to_thread(self._wishes.beat, self.statuses())
            except ModelyardError as error:
                _log.warning("the state of deployments can't be told: %s", error)
            except Exception:
                _log.exception("the state of deployments can't be told")
            await asyncio.sleep(_LOOK)

    async def _watch(self, course: Course) -> None:
        """The circuit: what fails again and again gets no more requests."""
        line = course.line
        if line is None:
            return
        for slot in dict.fromkeys(line.slots):
            error = self._slots.of(slot).error if slot.state == "failed" else None
            dying = error is not None and error.kind == "model-died"
            if not dying and (slot.strikes < STRIKES or slot.state != "ready"):
                self._suspects.discard(slot)
                continue
            if slot not in self._suspects:  # a worker may just be starting again
                self._suspects.add(slot)
                continue
            heir = course.give_away(slot)
            if heir is None:
                continue
            self._suspects.discard(slot)
            self._news.set()
            _log.warning(
                "%s: version %s fails again and again; version %s answers for it",
                line.name, slot.version, heir.version,
            )  # fmt: skip
            try:
                await asyncio.to_thread(self._wishes.fell_back, line, slot, heir)
            except ModelyardError as error:
                _log.warning("%s: the fallback can't be written down: %s", line.name, error)

    def _put_to_sleep(self) -> None:
        """Versions that nobody asked for as long as all their deployments allow."""
        idle: dict[Slot, float | None] = {}
        pinned: set[Slot] = set()
        for course in self.courses.values():
            if course.line is None:
                continue
            seconds = course.line.spec.limits.idle
            if course.line.spec.limits.pinned:
                pinned |= set(course.line.everything())
            for slot in course.references():
                longest = idle.get(slot, 0.0)
                both = seconds is not None and longest is not None
                idle[slot] = max(seconds or 0.0, longest or 0.0) if both else None
        now = time.monotonic()
        for slot, seconds in idle.items():
            self._slots.of(slot).pinned = slot in pinned
            served = slot.served
            if seconds is None or served is None or served.under_way:
                continue
            if now - slot.used > seconds:
                self._slots.sleep(self._slots.of(slot))

    def _sweep(self) -> None:
        """Forget versions that no deployment needs any more."""
        needed: set[Slot] = set()
        for course in self.courses.values():
            needed |= course.references()
        for place in list(self._slots.everything()):
            if place.slot not in needed and place.loading is None:
                self._slots.forget(place)

    def _is_spare(self, slot: Slot) -> bool:
        return not any(
            course.line is not None and slot in course.line.everything()
            for course in self.courses.values()
        )
