"""Versions on Ray: one Serve application for each, asked by its handle."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modelyard.core.deployment import ServedVersion
from modelyard.core.extras import need
from modelyard.errors import ModelyardError, Unavailable
from modelyard.serving.engines.ray.cluster import Cluster
from modelyard.serving.engines.ray.executor import RayExecutor, failure_of
from modelyard.serving.engines.ray.leases import Leases
from modelyard.serving.engines.ray.replica import Replica
from modelyard.serving.engines.ray_settings import RaySettings
from modelyard.serving.executors import Pace
from modelyard.serving.interface import Served

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.core.deployment import ServedState
    from modelyard.serving.engines.ray.replica import HasDesk, Loaded
    from modelyard.serving.interface import Feeds, Outputs, Timing, Wanted

__all__ = ["RayEngine"]

_TRIP = 2e-3
"""Seconds that a call takes at least, until it was seen how long it does."""
_KEEP_SECONDS = 10.0
_ABANDON_SECONDS = 30.0
_LANES = 2
"""Calls under way for each replica: one is computed while the next travels."""


@dataclass(slots=True, eq=False)
class _Running:
    """One application of this engine."""

    wanted: Wanted
    task: asyncio.Task[Served] | None = None
    served: Served | None = None
    note: str | None = None
    draining: asyncio.Task[None] | None = None
    given_up: threading.Event = field(default_factory=threading.Event)
    """Set when nobody waits for it any more: a thread that starts it can't be cancelled."""


class RayEngine:
    """`Engine` on a Ray cluster. Used on one event loop; what blocks goes to threads.

    Args:
        open_yard: Opens the yard where a replica runs. It is pickled, so make it of module-level
            functions: `partial(LocalYard.at, folder)` where all machines see the folder, or
            `partial(open_remote, url)`, which takes its token from the replica's environment.
        yard: The yard's address; versions of one name and commit in two yards are two.
    """

    name = "ray"

    def __init__(
        self, open_yard: Callable[[], HasDesk], yard: str, settings: RaySettings | None = None
    ) -> None:
        self._open_yard = open_yard
        self._yard = yard
        self._settings = settings or RaySettings()
        self._cluster = Cluster(self._settings)
        self._running: dict[Wanted, _Running] = {}
        self._leases: Leases | None = None
        if self._settings.address is not None:  # others may use the same cluster
            self._leases = Leases(secrets.token_hex(8))
        self._keeping: asyncio.Task[None] | None = None

    async def apply(self, wanted: Wanted) -> Served:
        """As `interface.Engine` has it. Beside its errors Unavailable: `no-ray`, `not-ready`."""
        running = self._running.get(wanted)
        while running is not None and running.draining is not None:
            await asyncio.shield(running.draining)
            running = self._running.get(wanted)
        if running is None:
            running = _Running(wanted)
            running.task = asyncio.get_running_loop().create_task(self._apply(running))
            running.task.add_done_callback(lambda _: self._settle(running))
            self._running[wanted] = running
        assert running.task is not None
        return await asyncio.shield(running.task)

    def infer(
        self, served: Served, feeds: Feeds, rows: int, outputs: Sequence[str] | None,
        deadline: float, timing: Timing,
    ) -> Outputs | asyncio.Future[Outputs]:  # fmt: skip
        """As `Executor.submit`."""
        return served.executor.submit(feeds, rows, outputs, deadline, timing)

    def status(self) -> tuple[ServedVersion, ...]:
        """Of all that it runs or starts; replicas are Ray's matter."""
        return tuple(_told(running) for running in self._running.values())

    def note(self, served: Served) -> str | None:
        """What people should know of how it answers."""
        return next((r.note for r in self._running.values() if r.served is served), None)

    async def replicas(self, wanted: Wanted) -> int:
        """How many of a version's replicas run now."""
        return await asyncio.to_thread(self._cluster.replicas, self.application(wanted))

    async def drain(self, served: Served, seconds: float) -> None:
        """As `interface.Engine` has it."""
        running = next((r for r in self._running.values() if r.served is served), None)
        if running is None:
            return
        if running.draining is None:
            free = self._free(running, served, seconds)
            running.draining = asyncio.get_running_loop().create_task(free)
        await asyncio.shield(running.draining)

    async def close(self) -> None:
        """Let go of everything; a cluster that was started here is stopped."""
        tasks = [running.task for running in self._running.values() if running.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # what was half done is stopped
        done = [running.served for running in self._running.values() if running.served]
        await asyncio.gather(*(self.drain(served, 0) for served in done))
        self._running.clear()
        if self._keeping is not None:
            self._keeping.cancel()
        await asyncio.to_thread(self._cluster.disconnect)

    def application(self, wanted: Wanted) -> str:
        """Its name in Ray Serve: the same on every server that wants the same."""
        known = hashlib.sha256(f"{self._yard}\n{wanted!r}".encode()).hexdigest()
        return f"{wanted.model.replace('/', '.')}--{wanted.number}--{known[:12]}"

    async def _apply(self, running: _Running) -> Served:
        name = self.application(running.wanted)
        deploying = asyncio.get_running_loop().create_task(
            asyncio.to_thread(self._deploy, name, running.wanted, running.given_up)
        )
        try:
            return await self._ready(running, await asyncio.shield(deploying))
        except BaseException as error:
            running.given_up.set()
            await self._abandon(name, deploying)
            if isinstance(error, ModelyardError) or not isinstance(error, Exception):
                raise
            if isinstance(error, TimeoutError):  # of Ray's own calls: no request is late
                raise Unavailable("model-died", "Ray did not answer in time") from error
            raise failure_of(error) from error

    async def _ready(self, running: _Running, handle: Any) -> Served:
        """Ask an application that runs what it is."""
        wanted = running.wanted
        if self._leases is not None and self._keeping is None:
            self._keeping = asyncio.get_running_loop().create_task(self._keep(self._leases))
        loaded: Loaded | ModelyardError = await handle.about.remote()
        if isinstance(loaded, ModelyardError):
            raise loaded
        running.note = loaded.note
        lanes = _LANES * max(wanted.replicas, self._settings.most or 1)
        pace = Pace(_TRIP, wanted.queue_rows, lanes)
        executor = RayExecutor(handle, lanes=lanes, pace=pace)
        return Served(
            model=wanted.model, number=wanted.number, commit=wanted.commit, executor=executor,
            framework=loaded.framework, platform=loaded.platform, inputs=loaded.inputs,
            outputs=loaded.outputs, rows=loaded.rows, columns=loaded.columns,
            # what runs on other machines takes nothing of this one's
            memory=None if self._settings.address else loaded.memory,
            example=loaded.example, classes=loaded.classes,
        )  # fmt: skip

    async def _abandon(self, name: str, deploying: asyncio.Task[Any]) -> None:
        """Stop what did not get ready, once no thread can start it after that."""
        await asyncio.wait({deploying}, timeout=_ABANDON_SECONDS)
        if deploying.done() and not deploying.cancelled():
            deploying.exception()  # is told already
        if self._cluster.is_connected:
            with contextlib.suppress(Exception):  # what went wrong first is what is told
                await asyncio.to_thread(self._stop, name)

    def _deploy(self, name: str, wanted: Wanted, given_up: threading.Event) -> Any:
        self._cluster.connect()
        if self._leases is not None and not given_up.is_set():
            self._leases.wait_for(name, self._settings.seconds)
        serve: Any = need("ray.serve", "ray")
        options: dict[str, Any] = {
            "name": "version",
            "user_config": {"commit": wanted.commit},
            "max_ongoing_requests": 2 * _LANES,
            "max_queued_requests": 64 * max(wanted.replicas, self._settings.most or 1),
            "ray_actor_options": {"num_cpus": self._settings.cpus_of(wanted.threads)},
            "graceful_shutdown_wait_loop_s": 0.2,
            "graceful_shutdown_timeout_s": 20.0,
            "health_check_period_s": 2.0,
            "max_surge_percent": 100,
            "logging_config": {"enable_access_log": False, "log_level": "WARNING"},
        }
        if (self._settings.most or 0) > wanted.replicas:
            options["autoscaling_config"] = {
                "min_replicas": wanted.replicas, "max_replicas": self._settings.most,
                "target_ongoing_requests": 1.0, "upscale_delay_s": 3.0, "downscale_delay_s": 60.0,
            }  # fmt: skip
        else:
            options["num_replicas"] = wanted.replicas
        replica = serve.deployment(Replica, **options)
        return self._cluster.deploy(name, replica.bind(self._open_yard, wanted), given_up)

    async def _free(self, running: _Running, served: Served, seconds: float) -> None:
        until = time.monotonic() + seconds
        while served.under_way and time.monotonic() < until:
            await asyncio.sleep(0.005)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(served.executor.close(), max(0.1, until - time.monotonic()))
        await asyncio.to_thread(self._stop, self.application(running.wanted))
        if self._running.get(running.wanted) is running:
            del self._running[running.wanted]

    def _stop(self, name: str) -> None:
        """Stop an application, unless another server uses it too."""
        if self._leases is None:
            self._cluster.delete(name)
        elif self._leases.release(name):
            self._cluster.delete(name)
            self._leases.stopped(name)

    async def _keep(self, leases: Leases) -> None:
        """Say again and again what is used here, and stop what nobody uses any more."""
        while True:
            await asyncio.sleep(_KEEP_SECONDS)
            names = [self.application(wanted) for wanted in self._running]
            with contextlib.suppress(Exception):  # the cluster may be back the next time
                await asyncio.to_thread(leases.hold, names)
                for name in await asyncio.to_thread(leases.left):
                    await asyncio.to_thread(self._cluster.delete, name)
                    await asyncio.to_thread(leases.stopped, name)

    def _settle(self, running: _Running) -> None:
        """Nothing is left of a version that can't be served."""
        task = running.task
        assert task is not None
        if task.cancelled() or task.exception() is not None:
            if self._running.get(running.wanted) is running:
                del self._running[running.wanted]
        else:
            running.served = task.result()


def _told(running: _Running) -> ServedVersion:
    served, wanted = running.served, running.wanted
    state: ServedState = "loading"
    if served is not None:
        state = "ready" if running.draining is None else "draining"
    return ServedVersion(
        model=wanted.model, number=wanted.number, commit=wanted.commit, state=state, mode="ray",
        reason=running.note, memory=served.memory if served else None,
        waiting=served.executor.waiting if served else 0,
    )  # fmt: skip
