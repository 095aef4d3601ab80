"""The data plane of one process: a request finds its line, its version, its place in time.

HTTP, gRPC and plain bodies all come through `Plane.ask`; what they differ in is how tensors are
read and written.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import secrets
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from modelyard.errors import ModelyardError, NotFound, Unavailable
from modelyard.serving.checking import check_feeds, check_outputs
from modelyard.serving.exposition import exemplars_of, exposition
from modelyard.serving.failures import Late
from modelyard.serving.interface import Timing
from modelyard.serving.oip.encoding import head_of
from modelyard.serving.records import Record, Recorder
from modelyard.serving.routes import choose
from modelyard.serving.statistics import Counts, Statistics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from modelyard.serving.interface import Client, Feeds, Gate, Line, Outputs, Served, Slot
    from modelyard.serving.tracing import Trace

__all__ = ["Answered", "Call", "Plane", "Target"]

_OURS: Final = frozenset({"failed", "model-failed", "model-died", "model-timeout"})
"""Kinds of errors that speak against a version, not against a request."""
_HELD: Final = 1 << 30
"""Bytes that bodies under way may take together, of one process."""
_SHADOWS: Final = 256
"""Copies that may wait for all shadows of a process."""


@dataclass(slots=True, eq=False)
class Target:
    """Where a request goes; found before its body is read."""

    line: Line
    slot: Slot
    served: Served
    counts: Counts
    head: bytes
    """What every answer of it begins with."""


@dataclass(slots=True, eq=False)
class Call:
    """A request that was read."""

    target: Target
    feeds: dict[str, Any]
    outputs: Sequence[str] | None
    deadline: float
    """As `time.monotonic()`."""
    client: Client
    request: str
    """Its id, in logs and headers."""
    timing: Timing
    decoded: int = 0
    """When it was read, as `perf_counter_ns`."""
    trace: Trace | None = None


@dataclass(slots=True, eq=False)
class Answered:
    """What came of a call."""

    outputs: Outputs
    target: Target


@dataclass(slots=True, eq=False)
class _Shadow:
    slot: Slot
    line: Line
    feeds: Feeds
    rows: int
    call: Call


class Plane:
    """Everything that is served in this process. All methods are called on its event loop."""

    strict = False
    """Whether the server is ready only if all its lines are."""

    def __init__(self, gate: Gate, recorder: Recorder | None = None) -> None:
        self.gate = gate
        self.name = "modelyard"
        """What the protocol calls this server."""
        self.recorder = recorder or Recorder()
        self.statistics = Statistics()
        self.lines: dict[str, Line] = {}
        self.ready = True
        """False while the server starts or stops: nobody is to send requests then."""
        self.on_load: Callable[[str, Line | None], Awaitable[None]] | None = None
        """The repository protocol asks for a line to be loaded; set by who looks after lines."""
        self.on_unload: Callable[[str, Line], Awaitable[None]] | None = None
        self.active = 0
        """Requests under way."""
        self.held = 0
        """Bytes of bodies under way."""
        self.most_held = _HELD
        self.aliases: Sequence[str] = ()
        """Servers by whose names metrics are told too: of `exposition.ALIASES`."""
        self._targets: dict[tuple[int, int], Target] = {}
        self._numbers = itertools.count(1)
        self._prefix = secrets.token_hex(6) + format(os.getpid() & 0xFFFF, "04x")
        self._shadows: deque[_Shadow] = deque()
        self._shadowing: asyncio.Task[None] | None = None
        self.shadows_dropped = 0

    # -- lines ---------------------------------------------------------------------------------

    def put(self, line: Line) -> None:
        """From now on requests are shared out so. Requests under way end where they began."""
        self.lines[line.name] = line
        self._targets.clear()

    def drop(self, name: str) -> None:
        self.lines.pop(name, None)
        self._targets.clear()
        self.statistics.forget(name)
        self.recorder.forget(name)

    def line(self, name: str) -> Line:
        """NotFound: `no-deployment`, in the words that clients look for."""
        line = self.lines.get(name)
        if line is None:
            raise self.unknown(name)
        return line

    @staticmethod
    def unknown(name: str) -> NotFound:
        """What is said of a line that is not there, or not for this caller."""
        return NotFound(
            "no-deployment", f"Request for unknown model: '{name[:80]}' is not found",
            hint="POST /v2/repository/index lists what is served",
        )  # fmt: skip

    # -- requests ------------------------------------------------------------------------------

    def target(
        self, line: Line, version: str | None, headers: Mapping[bytes, bytes], deadline: float
    ) -> Target | Awaitable[Target]:
        """Who is to answer; a version that sleeps is woken, which takes an await until `deadline`.

        Until `ask` is called, nothing keeps the version from being freed: who awaits between the
        two counts itself in `served.under_way`.
        """
        slot = choose(line, version, headers)
        served = slot.served
        if served is None or slot.unloaded:
            return self._woken(line, slot, deadline)
        return self._target(line, slot, served)

    def _target(self, line: Line, slot: Slot, served: Served) -> Target:
        key = (id(line), id(served))
        found = self._targets.get(key)
        if found is None or found.served is not served or found.line is not line:
            counts = self.statistics.of(line.name, slot.model, slot.version)
            head = head_of(line.name, slot.version)
            found = self._targets[key] = Target(line, slot, served, counts, head)
        return found

    async def _woken(self, line: Line, slot: Slot, deadline: float) -> Target:
        if slot.unloaded:
            raise Unavailable(
                "not-ready", f"Request for unknown model: '{line.name}' is not ready",
                hint="it was unloaded; load it again",
            )  # fmt: skip
        slot.used = time.monotonic()
        self.statistics.of(line.name, slot.model, slot.version).cold += 1
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                served = await slot.wake()
        except TimeoutError:
            raise Unavailable(
                "not-ready", f"'{line.name}' is still being loaded", hint="come again in 5 s"
            ) from None
        return self._target(line, slot, served)

    async def ask(self, call: Call) -> Answered:
        """Check, compute, count, record.

        Raises:
            InvalidInput: `bad-inputs`, `no-output`: the request is wrong.
            Unavailable: `overloaded`, `deadline`, `not-ready`, `model-failed`, `model-died`.
        """
        target, timing = call.target, call.timing
        served, slot, line = target.served, target.slot, target.line
        served.under_way += 1
        try:
            timing.rows = rows = check_feeds(line.name, served, call.feeds)
            if call.outputs is not None:
                check_outputs(line.name, served, call.outputs)
            call.decoded = timing.queued = timing.computed = time.perf_counter_ns()
            if call.deadline <= time.monotonic():  # reading or waking took too long
                raise Late()
            found = served.executor.submit(call.feeds, rows, call.outputs, call.deadline, timing)
            if type(found) is not dict:
                found = await _within(found, call.deadline)  # type: ignore[arg-type]
            slot.strikes = 0
        except Exception as error:
            self.failed(target, call, error)
            raise
        finally:
            served.under_way -= 1
        if line.shadows:
            self._copy(line, call, rows)
        return Answered(found, target)

    def answered(self, call: Call, outputs: Outputs) -> None:
        """Count and record an answer, once it is written."""
        target = call.target
        ended = time.perf_counter_ns()
        counts = target.counts
        counts.success(call.timing, call.decoded, ended)
        counts.last = now = time.time()
        if call.trace is not None:
            counts.trace(call.trace, ended - call.timing.begun, now)
        slot = target.slot
        slot.requests += 1
        slot.used = time.monotonic()
        self.recorder.add(self._record(call, ended, None, outputs))

    def failed(self, target: Target, call: Call, error: BaseException) -> None:
        """Count and record what went wrong with a request whose version was known."""
        ended = time.perf_counter_ns()
        kind = error.kind if isinstance(error, ModelyardError) else "failed"
        slot = target.slot
        slot.requests += 1
        slot.used = time.monotonic()
        if kind in _OURS:
            slot.failures += 1
            slot.strikes += 1
        target.counts.failure(kind, ended - call.timing.begun)
        self.recorder.add(self._record(call, ended, kind, None))

    def _record(self, call: Call, ended: int, error: str | None, outputs: Outputs | None) -> Record:
        target = call.target
        slot = target.slot
        return Record(
            target.line, time.time() - (ended - call.timing.begun) / 1e9, call.request,
            call.client.name, slot.version, slot.model, slot.commit, call.timing, ended, error,
            call.trace, call.feeds, outputs, decoded=call.decoded or call.timing.begun,
        )  # fmt: skip

    def request_id(self) -> str:
        """A new one; ids of several servers differ."""
        return f"{self._prefix}-{next(self._numbers):x}"

    # -- shadows -------------------------------------------------------------------------------

    def _copy(self, line: Line, call: Call, rows: int) -> None:
        """Let shadows have a copy later, with a queue of their own: the answer never waits."""
        for slot, share in line.shadows:
            if share < 1 and random.random() >= share:
                continue
            if len(self._shadows) >= _SHADOWS:
                self.shadows_dropped += 1
                continue
            self._shadows.append(_Shadow(slot, line, call.feeds, rows, call))
        if self._shadowing is None or self._shadowing.done():
            self._shadowing = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        while self._shadows:
            await asyncio.sleep(0)  # those whose answers count go first
            one = self._shadows.popleft()
            with suppress(Exception):
                await self._shadow(one)

    async def _shadow(self, one: _Shadow) -> None:
        slot = one.slot
        line = self.lines.get(one.line.name)
        if line is None or slot not in line.everything():  # nobody wants it awake any more
            return
        served = slot.served or await slot.wake()
        counts = self.statistics.of(one.line.name, slot.model, slot.version, shadow=True)
        timing = Timing(begun=time.perf_counter_ns(), rows=one.rows)
        record = Record(
            one.line, time.time(), one.call.request, one.call.client.name, slot.version,
            slot.model, slot.commit, timing, timing.begun, None, one.call.trace, one.feeds, None,
            shadow=True,
        )  # fmt: skip
        served.under_way += 1
        slot.used = time.monotonic()
        slot.requests += 1
        try:
            feeds = dict(one.feeds)
            timing.rows = check_feeds(one.line.name, served, feeds)
            decoded = timing.queued = timing.computed = time.perf_counter_ns()
            deadline = time.monotonic() + one.line.spec.limits.deadline
            found = served.executor.submit(feeds, timing.rows, None, deadline, timing)
            if type(found) is not dict:
                found = await found  # type: ignore[misc]
            record.ended, record.decoded = time.perf_counter_ns(), decoded
            record.outputs = found
            counts.success(timing, decoded, record.ended)
        except Exception as error:
            kind = error.kind if isinstance(error, ModelyardError) else "failed"
            record.ended, record.error = time.perf_counter_ns(), kind
            counts.failure(kind, record.ended - timing.begun)
            slot.failures += 1
        finally:
            served.under_way -= 1
            self.recorder.add(record)

    # -- looking -------------------------------------------------------------------------------

    def metrics(self) -> str:
        """Prometheus text of all lines."""
        lines = list(self.lines.values())
        for line in lines:  # those that nobody asked yet are told as 0
            for slot in line.slots:
                self.statistics.of(line.name, slot.model, slot.version)
            for slot, _ in line.shadows:
                self.statistics.of(line.name, slot.model, slot.version, shadow=True)
        return exposition(
            self.statistics.every(), lines, dropped=self.recorder.dropped,
            shadows_dropped=self.shadows_dropped, aliases=self.aliases,
        )  # fmt: skip

    def exemplars(self) -> dict[str, str]:
        """Traced requests, for OpenMetrics."""
        return exemplars_of(self.statistics.every())

    async def close(self) -> None:
        """Take no more, and let shadows end."""
        self.ready = False
        if self._shadowing is not None:
            self._shadowing.cancel()
            with suppress(asyncio.CancelledError):
                await self._shadowing


async def _within(future: asyncio.Future[Outputs], deadline: float) -> Outputs:
    """Wait, but no longer than the deadline."""
    loop = asyncio.get_running_loop()
    timer = loop.call_later(max(0.0, deadline - time.monotonic()) + 0.05, _expire, future)
    try:
        return await future
    finally:
        timer.cancel()


def _expire(future: asyncio.Future[Outputs]) -> None:
    if not future.done():
        future.set_exception(Late())
