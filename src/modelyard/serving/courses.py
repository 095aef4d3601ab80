"""One deployment on its way: from what is wished to a line that requests are shared out by.

New versions are loaded and tried first, then the line is swapped in one step, then the old ones
are let go. What can't be loaded never gets into a line: the line stays as it was.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from modelyard.core.deployment import ServedVersion, ServerStatus
from modelyard.errors import ModelyardError, Unavailable
from modelyard.serving.interface import Line, Slot, Wanted
from modelyard.serving.routes import line_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from modelyard.core.deployment import Deployment, DeploymentSpec, Share
    from modelyard.serving.interface import Served
    from modelyard.serving.slots import Place, Slots

__all__ = ["STRIKES", "Course", "wanted_of"]

_log = logging.getLogger("modelyard.serving")

STRIKES = 5
"""Failures of the server's own in a row after which a version's share is given away."""
KEPT = 300.0
"""Seconds for which the stable version before stays loaded, to go back to."""
_MAKESHIFT = 0
"""Generation of a line that is not what is wished, because nothing was there before."""
_AFTER_ERROR = 1.0
"""Seconds until the next try after an error that nobody thought of."""
_WHY_NOT = "it was unloaded"


class Course:
    """What one process makes of one deployment.

    Args:
        put: Swaps the line that requests see.
    """

    def __init__(self, name: str, slots: Slots, put: Callable[[Line], None]) -> None:
        self.name = name
        self.line: Line | None = None
        self.reason: str | None = None
        """Why what is wished could not be made true."""
        self.fell_back: tuple[Slot, Slot] | None = None
        """What failed so often that its share was given away, and to whom."""
        self.adopted = 0.0
        """When something was wished of it last (monotonic)."""
        self.unloaded = False
        """By the repository protocol: it answers nothing until `load`, or another wish. Others that
        serve the same versions do."""
        self._slots = slots
        self._put = put
        self._wished: Deployment | None = None
        self._done: Deployment | None = None
        self._places: tuple[Place, ...] = ()
        """Of the shares that are wished now."""
        self._kept_until = 0.0
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # -- what others call ------------------------------------------------------------------------

    def wish(self, deployment: Deployment) -> None:
        """Make this true now. At once, if all that it takes is there already."""
        self.adopted = time.monotonic()
        if self._wished is not None:
            older = deployment.generation < self._wished.generation
            if older or _same(self._wished, deployment):
                return
        self._wished = deployment
        self.load()
        try:
            self._places = tuple(self._place(deployment.spec, s) for s in deployment.spec.shares)
        except ModelyardError as error:
            self.reason, self._places = error.message, ()
            self._done = deployment
            self._settled.set()
            return
        self._settled.clear()
        if self.line is None:  # requests that come wait until it is loaded
            slots = [place.slot for place in self._places]
            self.show(line_of(deployment.spec, _MAKESHIFT, slots))
        if all(self._is_ready(place) for place in self._places):
            self._swap(deployment)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._go())
        self._changed.set()

    async def settled(self) -> None:
        """Wait until what is wished is true, or has failed."""
        await self._settled.wait()

    def references(self) -> set[Slot]:
        """What must not be forgotten."""
        line = self.line
        found = {place.slot for place in self._places}
        if line is not None:
            found |= set(line.everything())
            if line.fallback is not None:
                found.add(line.fallback)
        return found

    def look(self) -> None:
        """Let the version before go, once it is kept long enough."""
        line = self.line
        if line is not None and line.fallback is not None and time.monotonic() > self._kept_until:
            self.show(replace(line, fallback=None))

    def show(self, line: Line) -> None:
        """Swap the line."""
        self.line = line
        self._put(_unloaded(line) if self.unloaded else line)

    def unload(self) -> None:
        """Answer nothing for now; what is loaded is not freed by this."""
        if self.line is not None and not self.unloaded:
            self.unloaded = True
            self.show(self.line)

    def load(self) -> None:
        """Answer again."""
        if self.line is not None and self.unloaded:
            self.unloaded = False
            self.show(self.line)

    def give_away(self, slot: Slot) -> Slot | None:
        """A version's share goes to another one, since it fails; to whom, or None."""
        line = self.line
        if line is None or slot not in line.slots:
            return None
        stable = line.slots[0]
        heir = line.fallback if slot is stable else stable
        if heir is None or heir is slot or heir.strikes >= STRIKES:
            return None
        self.fell_back = slot, heir
        slot.strikes = 0  # when it gets requests again, these are what counts
        slots = tuple(heir if each is slot else each for each in line.slots)
        fallback = None if heir is line.fallback else line.fallback
        self.show(replace(line, slots=slots, fallback=fallback))
        return heir

    def status(self, server: str, now: datetime) -> ServerStatus:
        """How far it got here."""
        line = self.line
        slots = list(dict.fromkeys(place.slot for place in self._places))
        if line is not None:
            slots += [slot for slot in line.everything() if slot not in slots]
        told = [slot.told() for slot in slots]
        if self.unloaded:
            told = [replace(each, state="asleep", reason=_WHY_NOT) for each in told]
        if not self._places and self._wished is not None:  # no engine for it
            told += [
                ServedVersion(
                    model=share.model, number=share.number or 0, commit=share.commit or "",
                    state="failed", reason=self.reason,
                )
                for share in self._wished.spec.shares
            ]  # fmt: skip
        return ServerStatus(
            server=server, generation=line.generation if line else 0, seen=now,
            versions=tuple(told),
        )  # fmt: skip

    async def stop(self) -> None:
        self._wished = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._settled.set()

    # -- on the way ------------------------------------------------------------------------------

    async def _go(self) -> None:
        while True:
            try:
                await self._go_on()
            except Exception:  # whatever it is: the deployment must not stay as it is for ever
                _log.exception("%s: it can't be made true", self.name)
                await asyncio.sleep(_AFTER_ERROR)

    async def _go_on(self) -> None:
        """One try to make true what is wished, until it is or something else is wished."""
        self._changed.clear()
        wished = self._wished
        if wished is None or wished is self._done:
            self._settled.set()
            await self._changed.wait()
            return
        waking = asyncio.create_task(self._all_woken())
        changed = asyncio.ensure_future(self._changed.wait())
        both: list[asyncio.Future[Any]] = [waking, changed]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if self._changed.is_set():  # something else is wished: what loads, loads on
                return
            errors = waking.result()
        finally:  # also when it is stopped: else it would wake what nobody wants any more
            waking.cancel()
            changed.cancel()
        failed = [
            (share, error)
            for share, error in zip(wished.spec.shares, errors, strict=True)
            if error is not None
        ]
        bad = [(share, error) for share, error in failed if not share.shadow]
        if bad and self.line is not None and self.line.generation == _MAKESHIFT:
            self._make_do(wished, [share for share, _ in failed])
        if not bad:
            self._swap(wished, without=[share for share, _ in failed])
        if not failed:
            return
        share, error = (bad or failed)[0]
        self.reason = f"{share.model}@{share.number}: {error.message}"
        self._settled.set()
        await self._pause(error)

    async def _all_woken(self) -> list[ModelyardError | None]:
        """Why each of the places can't be woken, or None."""
        tasks = [asyncio.create_task(self._woken(place)) for place in self._places]
        try:
            if tasks:
                await asyncio.wait(tasks)
            return [task.result() for task in tasks]
        finally:
            for task in tasks:
                task.cancel()

    async def _woken(self, place: Place) -> ModelyardError | None:
        if self._is_ready(place):
            return None
        try:
            async with self._slots.in_turn:
                await self._slots.wake(place)
        except ModelyardError as error:
            return error
        return None

    async def _pause(self, error: ModelyardError) -> None:
        """Until it may go better: for ever, if nothing but another wish can help."""
        waiting = [place.not_before for place in self._places if place.error is not None]
        again = isinstance(error, Unavailable) and error.kind != "self-test"
        # none may be left: a request has woken it meanwhile
        wait = max(0.1, max(waiting, default=0.0) - time.monotonic())
        with suppress(TimeoutError):
            async with asyncio.timeout(wait if again or not waiting else None):
                await self._changed.wait()

    def _swap(self, wished: Deployment, without: Sequence[Share] = ()) -> None:
        spec = wished.spec
        slots = [place.slot for place in self._places]
        if without:  # shadows that can't be loaded
            slots = [slot for slot, s in zip(slots, spec.shares, strict=True) if s not in without]
            spec = replace(spec, shares=tuple(s for s in spec.shares if s not in without))
        slots = self._without_failing(spec, slots)
        self.show(line_of(spec, wished.generation, slots, fallback=self._before(slots[0])))
        if not without:
            self.reason = None
            self._done = wished
            self._settled.set()

    def _make_do(self, wished: Deployment, failed: Sequence[Share]) -> None:
        """After a start, versions that can be loaded answer for those that can't."""
        shares = [share for share in wished.spec.shares if share not in failed]
        live = [share for share in shares if not share.shadow]
        if not live:
            return
        total = sum(share.percent for share in live)
        first = live[0]
        scaled = tuple(
            share if share.shadow
            else replace(share, percent=share.percent * 100 / total) if total
            else replace(share, percent=100.0 if share is first else 0.0)
            for share in shares
        )  # fmt: skip
        slots = [
            place.slot
            for place, share in zip(self._places, wished.spec.shares, strict=True)
            if share not in failed
        ]
        self.show(line_of(replace(wished.spec, shares=scaled), _MAKESHIFT, slots))

    def _without_failing(self, spec: DeploymentSpec, slots: list[Slot]) -> list[Slot]:
        """What fell back stays so, until the deployment goes on or others are wished."""
        if self.fell_back is None:
            return slots
        failing, heir = self.fell_back
        if not spec.paused or failing not in slots:
            self.fell_back = None
            return slots
        return [heir if slot is failing else slot for slot in slots]

    def _before(self, stable: Slot) -> Slot | None:
        """The stable version before, if there is one to go back to."""
        line = self.line
        if line is None or line.generation == _MAKESHIFT:
            return None
        if line.slots[0] is not stable:
            self._kept_until = time.monotonic() + KEPT
            return line.slots[0]
        return None if line.fallback is stable else line.fallback

    def _is_ready(self, place: Place) -> bool:
        """Whether requests may be sent to it: it is awake, or can be woken by them."""
        return place.slot.served is not None or (place.proven and place.error is None)

    def _place(self, spec: DeploymentSpec, share: Share) -> Place:
        place = self._slots.place(spec.engine, wanted_of(spec, share))
        place.pinned |= spec.limits.pinned
        return place


def _unloaded(line: Line) -> Line:
    """The same with slots of its own, that answer nothing: the others are shared by lines."""

    async def refuse() -> Served:
        raise Unavailable("not-ready", _WHY_NOT, hint="load it again")

    own = {
        slot: replace(
            slot, wake=refuse, served=None, state="asleep", reason=_WHY_NOT, unloaded=True
        )
        for slot in line.everything()
    }
    return replace(
        line, slots=tuple(own[slot] for slot in line.slots),
        shadows=tuple((own[slot], share) for slot, share in line.shadows), fallback=None,
    )  # fmt: skip


def wanted_of(spec: DeploymentSpec, share: Share) -> Wanted:
    """What an engine is asked for."""
    limits = spec.limits
    return Wanted(
        share.model, share.number or 0, share.commit or "", spec.placement, spec.trusted,
        spec.replicas, limits.threads, limits.memory, limits.queue_rows,
    )  # fmt: skip


def _same(a: Deployment, b: Deployment) -> bool:
    return a.generation == b.generation and a.spec == b.spec
