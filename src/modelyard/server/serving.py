"""Deployments served by this process: its data plane, what keeps it true, and who may ask it."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from concurrent.futures import TimeoutError as TooLate
from contextlib import suppress
from typing import TYPE_CHECKING

from modelyard.errors import NotFound
from modelyard.registry.deployments import beat, due, fall_back, leave, poll
from modelyard.server.served_metrics import write_down
from modelyard.serving.app import PlaneApp
from modelyard.serving.gates import AccountsGate, OpenGate
from modelyard.serving.life import Life
from modelyard.serving.pace import Pace
from modelyard.serving.plane import Plane
from modelyard.serving.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelyard.core.deployment import Deployment, ServerStatus
    from modelyard.registry.deployments import Stamp
    from modelyard.registry.house import House
    from modelyard.server.state import Server
    from modelyard.serving.grpc.server import Listening
    from modelyard.serving.interface import Engine, Gate, Line, Slot

__all__ = ["Serving", "Wishes", "serving_of"]

_FIRST_LOOK = 10.0
_STEPS_SECONDS = 1.0
"""How often is looked whether a rollout's next step is due."""


def serving_of(server: Server) -> Serving:
    """The data plane of this process."""
    found: Serving = server.parts["serving"]
    return found


class Serving:
    """A part of the server: starts and stops with it, on its event loop."""

    def __init__(self, server: Server) -> None:
        self._server = server
        settings = server.settings
        gate: Gate = OpenGate()
        if settings.accounts:
            gate = AccountsGate(
                server.house, guessing=server.rates.guessing,
                per_minute=(settings.predictions_per_minute, settings.strangers_per_minute),
            )  # fmt: skip
        self.plane = Plane(gate)
        self.plane.ready = False
        self.plane.aliases = settings.metric_aliases
        self.tellers: list[Callable[[], str]] = []
        """What else this process counts, as Prometheus' text."""
        self.app = PlaneApp(self.plane, patience=settings.patience)
        self.slots = Slots(
            {"embedded": self._embedded, "ray": self._ray}, budget=settings.models_memory
        )
        self.name = f"{socket.gethostname()[:60]}-{os.getpid()}-{secrets.token_hex(3)}"
        wishes = Wishes(
            server.house, self.name, Pace(self.plane.statistics),
            lambda: write_down(self.metrics()),
        )  # fmt: skip
        self.life = Life(self.plane, self.slots, wishes, server=self.name)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._grpc: Listening | None = None

    async def listen(self) -> None:
        """Know what is wished before the first request comes; answer gRPC too, if that is wished.

        Conflict: `port-taken`.
        """
        settings = self._server.settings
        with suppress(TimeoutError):  # the catalog does not answer: whoever asks is told so
            async with asyncio.timeout(_FIRST_LOOK):
                await self.life.looked.wait()
        if settings.grpc_port is None:
            return
        from modelyard.serving.grpc.server import listen

        self._grpc = await listen(
            self.plane, host=settings.host, port=settings.grpc_port, shared=settings.workers > 1
        )

    def start(self) -> None:
        """Called on the event loop."""
        self._loop = asyncio.get_running_loop()
        self.plane.recorder.start()
        self.plane.ready = True
        self._server.house.deployed.append(self._deployed)
        self.life.start()

    def stop(self) -> None:
        """Called in a thread, once no request is left."""
        if self._loop is None:
            return
        with suppress(ValueError):
            self._server.house.deployed.remove(self._deployed)
        done = asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        with suppress(TooLate):
            done.result(self._server.settings.stop_seconds)
        self.plane.recorder.stop()
        with suppress(Exception):  # it is forgotten by itself
            leave(self._server.house, self.name)
        write_down(self.metrics())

    @property
    def busy(self) -> bool:
        """Whether threads still load or compute, after `stop`: no request waits for them."""
        return self.slots.busy

    def metrics(self) -> str:
        """What this process counted, for Prometheus."""
        return self.plane.metrics() + "".join(tell() for tell in self.tellers)

    def _deployed(self, name: str) -> None:
        """A deployment was changed by this process: it need not wait for the next look."""
        try:
            deployment = self._server.yard.deployments.get(name)
        except NotFound:
            deployment = None
        self.life.apply_now(deployment)

    async def _end(self) -> None:
        if self._grpc is not None:
            await self._grpc.close(self._server.settings.stop_seconds / 2)
        await self.plane.close()
        await self.life.close()

    def _embedded(self) -> Engine:
        from modelyard.serving.engines.embedded import Embedded

        return Embedded(self._server.yard.desk, died=self.slots.died)

    def _ray(self) -> Engine:
        from modelyard.serving.engines.ray import RayEngine, RaySettings

        folder, settings = self._server.house.root, self._server.settings.ray or RaySettings()
        return RayEngine(settings.open_yard(folder), str(folder), settings)


class Wishes:
    """`life.Wishes` of a yard's catalog."""

    def __init__(
        self, house: House, server: str, pace: Pace, beaten: Callable[[], None] = lambda: None
    ) -> None:
        """`beaten`: called each time that something is told, at least every few seconds."""
        self._house = house
        self._server = server
        self._pace = pace
        self._beaten = beaten
        self._stamp: Stamp | None = None
        self._stepped = 0.0

    def poll(self) -> Sequence[Deployment] | None:
        now = time.monotonic()
        if self._stamp and now - self._stepped > _STEPS_SECONDS:
            self._stepped = now
            due(self._house)
        self._stamp, wished = poll(self._house, self._stamp)
        return wished

    def beat(self, statuses: Mapping[str, ServerStatus]) -> None:
        told = {
            name: (status.generation, self._pace.told(name, status).versions)
            for name, status in statuses.items()
        }
        if told or self._stamp:
            beat(self._house, self._server, told)
            self._beaten()

    def fell_back(self, line: Line, slot: Slot, heir: Slot) -> None:
        fall_back(
            self._house, line.name, generation=line.generation,
            model=slot.model, number=slot.number, commit=slot.commit,
            reason=f"it failed again and again; version {heir.version} answers for it",
        )  # fmt: skip
