"""What runs in a replica: one version, loaded as the embedded engine loads it.

The replica measures how the version is best run, as a server of its own would, so that answers and
their bits are the same on both engines.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from modelyard.errors import (
    Conflict,
    Corrupt,
    Denied,
    InvalidInput,
    ModelyardError,
    NotFound,
    Unavailable,
    Unsupported,
)
from modelyard.serving.engines.embedded import Embedded
from modelyard.serving.interface import Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelyard.registry.desk import Desk
    from modelyard.runtimes.tensors import TensorSpec
    from modelyard.serving.engines.ray.executor import Reply, Request
    from modelyard.serving.interface import Array, Served, Wanted

__all__ = ["HasDesk", "Loaded", "Replica", "bare"]

_OF_THE_MODEL = ("self-test", "model-died", "model-timeout", "model-failed")
"""What is unavailable, and will be however often it is tried."""
_CLASSES = (InvalidInput, NotFound, Conflict, Denied, Unavailable, Corrupt, Unsupported)


class HasDesk(AbstractContextManager["HasDesk"], Protocol):
    """A yard here or on a server."""

    @property
    def desk(self) -> Desk: ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the front needs to know of a version that answers elsewhere."""

    framework: str
    platform: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    rows: bool
    columns: bool
    memory: int | None
    example: Mapping[str, Array] | None
    classes: tuple[Any, ...] | None
    note: str | None
    mode: str
    """How the replica runs it: `inline`, `process`, ..."""


class Replica:
    """The class that Ray Serve makes an actor of."""

    def __init__(self, open_yard: Callable[[], HasDesk], wanted: Wanted) -> None:
        self._open_yard = open_yard
        self._wanted = replace(wanted, replicas=1)
        self._engine: Embedded | None = None
        self._served: Served | None = None
        self._refusal: ModelyardError | None = None

    async def reconfigure(self, _: object) -> None:
        """Load. Ray Serve waits for it before it sends requests, and tries anew what raises."""
        yard = await asyncio.to_thread(self._open_yard)
        self._engine = Embedded(yard.desk, died=self._lost)
        try:
            await self._awake()
        except ModelyardError as error:
            if isinstance(error, Unavailable) and error.kind not in _OF_THE_MODEL:
                raise  # the yard does not answer now
            self._refusal = bare(error)

    async def about(self) -> Loaded | ModelyardError:
        """What it loaded, or why nobody can load it."""
        if self._refusal is not None:
            return self._refusal
        served = await self._awake()
        assert self._engine is not None
        return Loaded(
            framework=served.framework, platform=served.platform, inputs=served.inputs,
            outputs=served.outputs, rows=served.rows, columns=served.columns,
            memory=served.memory, example=served.example, classes=served.classes,
            note=self._engine.note(served), mode=served.executor.mode,
        )  # fmt: skip

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """Answer requests, each by itself or with others, as it was measured to be best."""
        try:
            executor = (await self._awake()).executor
        except ModelyardError as error:
            return [(bare(error), 0, 1)] * len(requests)
        now = time.monotonic()
        begun = time.perf_counter_ns()
        asked: list[tuple[Timing, Any]] = []
        for feeds, rows, outputs, left in requests:
            timing = Timing(begun=begun, rows=rows, batch=rows)
            try:
                found: Any = executor.submit(feeds, rows, outputs, now + left, timing)
            except Exception as error:
                found = error
            asked.append((timing, found))
        return [await _reply(timing, found) for timing, found in asked]

    async def __del__(self) -> None:
        """Ray Serve awaits it when the replica is stopped."""
        if self._engine is not None:
            await self._engine.close()

    async def _awake(self) -> Served:
        """What is loaded; loaded again by the first who asks after its worker died."""
        if self._served is None:
            assert self._engine is not None
            self._served = await self._engine.apply(self._wanted)
        return self._served

    def _lost(self, served: Served, left: int) -> None:
        assert self._engine is not None
        if self._served is served:
            self._served = None
        self._draining = asyncio.get_running_loop().create_task(self._engine.drain(served, 0))


async def _reply(timing: Timing, found: Any) -> Reply:
    try:
        if isinstance(found, Exception):
            raise found
        outputs = await found if isinstance(found, asyncio.Future) else found
    except ModelyardError as error:
        return bare(error), 0, 1
    except Exception as error:
        return Unavailable("model-failed", f"the model failed: {type(error).__name__}"), 0, 1
    return outputs, max(0, timing.computed - timing.queued), timing.batch


def bare(error: ModelyardError) -> ModelyardError:
    """The same without its cause and its own class, so that it can travel."""
    kind = next((each for each in _CLASSES if isinstance(error, each)), Unavailable)
    return kind(error.kind, error.message, hint=error.hint)
