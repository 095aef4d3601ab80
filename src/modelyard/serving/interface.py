"""What the parts of the data plane know of each other.

A *line* is one deployment as requests see it: an immutable list of slots with weights, swapped
whole. A *slot* is one version's place in a process; it may be asleep. What is awake is `Served`:
a loaded version behind an executor, which decides where and with whom a request is computed.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from modelyard.core.deployment import DeploymentSpec, ServedState, ServedVersion

if TYPE_CHECKING:
    import asyncio

    import numpy as np

    from modelyard.core.access import Role
    from modelyard.runtimes.tensors import TensorSpec

__all__ = [
    "Array", "Client", "Engine", "Executor", "Feeds", "Gate", "Line", "Outputs", "Served", "Slot",
    "Timing", "Wanted",
]  # fmt: skip

Array: TypeAlias = "np.ndarray[Any, Any]"
Feeds: TypeAlias = Mapping[str, Array]
Outputs: TypeAlias = dict[str, Array]


@dataclass(slots=True)
class Timing:
    """Where a request's time went, in nanoseconds of `perf_counter_ns`. Filled on its way."""

    begun: int = 0
    queued: int = 0
    computed: int = 0
    rows: int = 1
    batch: int = 1
    """Rows that were computed together."""


class Executor(Protocol):
    """Runs tensors on one loaded version. Made by an engine; called on the event loop."""

    mode: str
    """`inline`, `tick`, `thread`, `pool`, `process` or `ray`."""

    @property
    def waiting(self) -> int:
        """Rows that wait or are computed."""

    def submit(
        self, feeds: Feeds, rows: int, outputs: Sequence[str] | None, deadline: float,
        timing: Timing,
    ) -> Outputs | asyncio.Future[Outputs]:  # fmt: skip
        """Compute now, or give a future.

        Args:
            deadline: As `time.monotonic()`; who waits longer is dropped with `Unavailable`
                `deadline`.

        Raises:
            Unavailable: `overloaded`: it would be too late; with the seconds to wait.
        """

    async def close(self) -> None:
        """Answer what is under way, then free threads. Idempotent."""


@dataclass(slots=True, eq=False)
class Served:
    """One loaded version that answers."""

    model: str
    """Its name in the yard."""
    number: int
    commit: str
    framework: str
    platform: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    rows: bool
    columns: bool
    executor: Executor
    memory: int | None = None
    """Bytes that loading it took, as measured."""
    example: Mapping[str, Array] | None = None
    """What it was tried with."""
    classes: tuple[Any, ...] | None = None
    free: Callable[[], Awaitable[None]] | None = None
    """Called once, when nobody uses it any more."""
    under_way: int = 0
    """Requests inside."""

    @property
    def version(self) -> str:
        """As the protocol says it."""
        return str(self.number)


@dataclass(slots=True, eq=False)
class Slot:
    """A version's place in this process. One for all lines that serve the same version alike."""

    model: str
    number: int
    commit: str
    wake: Callable[[], Awaitable[Served]]
    """Load it, or wait for who does already. Raises what loading raises."""
    served: Served | None = None
    """None while it is asleep."""
    state: ServedState = "waiting"
    reason: str | None = None
    used: float = field(default_factory=time.monotonic)
    """When a request last asked for it."""
    requests: int = 0
    failures: int = 0
    strikes: int = 0
    """Failures of the server's own (5xx) since the last answer: the circuit looks at them."""
    unloaded: bool = False
    """By the repository protocol: not ready until it is loaded by it again."""

    @property
    def version(self) -> str:
        return str(self.number)

    def told(self) -> ServedVersion:
        """For people."""
        served = self.served
        return ServedVersion(
            model=self.model, number=self.number, commit=self.commit, state=self.state,
            mode=served.executor.mode if served else None, reason=self.reason,
            memory=served.memory if served else None, requests=self.requests,
            failures=self.failures, waiting=served.executor.waiting if served else 0,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """How the requests of one deployment are shared out. Never changed, only replaced."""

    name: str
    spec: DeploymentSpec
    generation: int
    slots: tuple[Slot, ...]
    """Those that answer; the stable one first."""
    bounds: tuple[float, ...]
    """Cumulative shares of `slots` in [0, 1]; the last is 1."""
    shadows: tuple[tuple[Slot, float], ...] = ()
    """With the share of requests that they get a copy of."""
    fallback: Slot | None = None
    """The stable version before, while it is kept: what an open circuit falls back to."""

    def slot(self, version: str) -> Slot | None:
        """By the number of its version."""
        return next((s for s in self.everything() if s.version == version), None)

    def everything(self) -> tuple[Slot, ...]:
        return (*self.slots, *(slot for slot, _ in self.shadows))


@dataclass(frozen=True, slots=True)
class Client:
    """Who sends requests."""

    id: str
    """What rates are counted by: an account's id, or an address."""
    name: str
    """For the log."""


class Gate(Protocol):
    """Who may ask what. Looked through at every request, so it remembers for a second."""

    def known(
        self, headers: Mapping[bytes, bytes], address: str | None, line: Line | None
    ) -> Client | None:
        """Who it is, if that is known by now and they may ask the line; None: `look`.

        With a line of None any client that may read something.
        Counts the request. Unavailable: `too-many-requests`.
        """

    async def look(
        self, headers: Mapping[bytes, bytes], address: str | None, line: Line | None
    ) -> Client:
        """Denied: `not-signed-in`, `bad-token`. NotFound: `no-deployment`, if they may not read
        its model. Unavailable: `too-many-requests`.
        """

    def reads(self, headers: Mapping[bytes, bytes], address: str | None, line: Line) -> bool:
        """Whether who was just let in by `known` or `look` may ask a line. Counts nothing."""

    async def may(
        self, headers: Mapping[bytes, bytes], address: str | None, line: Line, role: Role
    ) -> None:
        """Denied `not-allowed`, for loading and unloading (`writer`)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A version that an engine is to run, and how. Equal ones share what is loaded."""

    model: str
    number: int
    commit: str
    placement: str = "auto"
    trusted: tuple[str, ...] = ()
    replicas: int = 1
    threads: int = 1
    memory: int = 8 << 30
    queue_rows: int = 4096


class Engine(Protocol):
    """What runs versions: in this process, or on many machines. Shares are not its matter."""

    name: str

    async def apply(self, wanted: Wanted) -> Served:
        """Load, warm up with the stored example, and try it; once at a time for equal ones.

        Raises:
            ModelyardError: Why it can't be served; nothing is left of it then.
        """

    def infer(
        self, served: Served, feeds: Feeds, rows: int, outputs: Sequence[str] | None,
        deadline: float, timing: Timing,
    ) -> Outputs | asyncio.Future[Outputs]:  # fmt: skip
        """As `Executor.submit`."""

    def status(self) -> tuple[ServedVersion, ...]:
        """Of all that it has loaded or is loading."""

    async def drain(self, served: Served, seconds: float) -> None:
        """Answer what is under way, at most so long, then free it."""

    async def close(self) -> None: ...
