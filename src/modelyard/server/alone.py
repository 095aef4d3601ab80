"""The data plane by itself: some versions of a yard, without its pages and its API.

Neither FastAPI nor templates are imported, so that it starts fast and stays small.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from modelyard.core.deployment import Deployment, DeploymentSpec, Share
from modelyard.core.exposition import OPENMETRICS, TEXT, as_openmetrics, wants_open
from modelyard.errors import Conflict, ModelyardError, NotFound, Unavailable
from modelyard.server.addresses import Addresses
from modelyard.server.door import Door
from modelyard.server.run import host, leave, listen
from modelyard.serving.app import PlaneApp
from modelyard.serving.engines.embedded import Embedded
from modelyard.serving.failures import body_of, status_of
from modelyard.serving.gates import AccountsGate, OpenGate
from modelyard.serving.life import Life
from modelyard.serving.plane import Plane
from modelyard.serving.slots import Slots
from modelyard.serving.token_gate import TokenGate

if TYPE_CHECKING:
    from modelyard.core.deployment import ServerStatus
    from modelyard.core.version import VersionInfo
    from modelyard.registry.desk import Desk
    from modelyard.registry.house import House
    from modelyard.server.settings import Settings
    from modelyard.serving.interface import Gate, Line, Slot

__all__ = ["Begun", "serve_alone", "wished_for"]


@dataclass(frozen=True, slots=True)
class Begun:
    """What answers now."""

    url: str
    grpc: str | None
    """`host:port`, if it speaks gRPC too."""
    models: Mapping[str, Sequence[str]]
    """Versions by the name that the protocol has for their model."""


def wished_for(
    versions: Sequence[VersionInfo], *, called: str | None = None, **options: Any
) -> dict[str, Deployment]:
    """Deployments that serve these versions, by the last part of their model's name.

    Of several versions of a model, the first answers where a request names none.

    Args:
        called: The name that they have instead.

    Conflict: `names-clash`: two models would have the same name.
    """
    models: dict[str, list[VersionInfo]] = {}
    for info in versions:
        name = called or info.model.rpartition("/")[2]
        there = models.setdefault(name, [])
        if there and there[0].model != info.model:
            raise Conflict(
                "names-clash", f"{there[0].model} and {info.model} would both be served as {name}",
                hint="serve one of them from another port",
            )  # fmt: skip
        if all(other.number != info.number for other in there):
            there.append(info)
    now = datetime.now(UTC)
    return {
        name: Deployment(
            # names of models may have what names of deployments may not
            spec=_spec(f"model-{place}", infos, options),
            generation=1, created=now, updated=now, who="",
        )
        for place, (name, infos) in enumerate(models.items(), 1)
    }  # fmt: skip


def _spec(name: str, infos: Sequence[VersionInfo], options: Mapping[str, Any]) -> DeploymentSpec:
    shares = tuple(
        Share(
            model=info.model, revision=str(info.number), percent=0.0 if place else 100.0,
            number=info.number, commit=info.commit,
        )
        for place, info in enumerate(infos)
    )  # fmt: skip
    return DeploymentSpec(name=name, shares=shares, **options)


def serve_alone(
    desk: Desk,
    wished: Mapping[str, Deployment],
    settings: Settings,
    *,
    house: House | None,
    token: str | None = None,
    grpc_port: int | None = None,
    name: str | None = None,
    announce: Callable[[Begun], None] = lambda begun: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is under way.

    Args:
        house: Whose accounts may ask; None lets everybody in who reaches it.
        token: Only who shows it may ask; no account counts then.
        name: What the protocol calls this server.

    Raises:
        ModelyardError: The first version that can't be served; nothing answers then.
    """
    settings.check()
    listener = listen(settings)
    gc.disable()  # nothing that is loaded goes again
    sys.setswitchinterval(0.0005)
    try:
        gate: Gate = OpenGate()
        if token is not None:
            gate = TokenGate(token)
        elif house is not None:
            gate = AccountsGate(house, guessing=_guessing(settings))
        plane = _Named(gate, {d.name: name for name, d in wished.items()})
        plane.name = name or plane.name
        alone = _Alone(desk, tuple(wished.values()), plane, settings, grpc_port)
        app = Door(PlaneApp(plane, patience=settings.patience), alone, settings)

        def started() -> None:
            announce(alone.begun(listener))

        try:
            host(app, settings, listener, started, alone.stop, lambda: alone.busy)
        finally:
            if alone.error is not None:
                raise alone.error
    finally:
        listener.close()
    if alone.busy:
        leave(0)


class _Named(Plane):
    """Lines by the names that models have in the protocol."""

    strict = True

    def __init__(self, gate: Gate, names: Mapping[str, str]) -> None:
        super().__init__(gate)
        self._names = names

    def put(self, line: Line) -> None:
        super().put(replace(line, name=self._names[line.name]))


class _Alone:
    """The life of the process, and answers to what is no prediction."""

    def __init__(
        self,
        desk: Desk,
        wished: Sequence[Deployment],
        plane: Plane,
        settings: Settings,
        grpc_port: int | None,
    ) -> None:
        self.plane = plane
        self.error: ModelyardError | None = None
        self._settings = settings
        self._addresses = Addresses(settings)
        self._wished: Sequence[Deployment] | None = wished
        self._grpc_port = grpc_port
        self._grpc: Any = None
        self._stopping = asyncio.Event()
        self._late = False
        """Whether not all could be unloaded in time."""
        self._slots = Slots({"embedded": lambda: Embedded(desk, died=self._slots.died)})
        self._life = Life(plane, self._slots, self, server="alone")

    @property
    def busy(self) -> bool:
        """Whether threads still load or compute, though nobody waits for them any more."""
        return self._late or self._slots.busy

    def stop(self) -> None:
        """It is to stop: versions that are being loaded for the start are not waited for."""
        self._stopping.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    # -- what `Life` asks ------------------------------------------------------------------------

    def poll(self) -> Sequence[Deployment] | None:
        wished, self._wished = self._wished, None
        return wished

    def beat(self, statuses: Mapping[str, ServerStatus]) -> None:
        """Nobody is to be told."""

    def fell_back(self, line: Line, slot: Slot, heir: Slot) -> None:
        """Nobody is to be told."""

    # -- starting and stopping -------------------------------------------------------------------

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        try:
            await self._begin()
        except ModelyardError as error:
            self.error = error
            await self._end()
            await send({"type": "lifespan.startup.failed", "message": error.message})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._end()
        await send({"type": "lifespan.shutdown.complete"})

    async def _begin(self) -> None:
        self.plane.recorder.start()
        self._life.start()
        settled = asyncio.ensure_future(self._life.settled())
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait([settled, stopping], return_when=asyncio.FIRST_COMPLETED)
        settled.cancel()
        stopping.cancel()
        if self._stopping.is_set():
            return
        for place in self._slots.everything():
            if place.error is not None:
                raise place.error
        if self._grpc_port is not None:
            from modelyard.serving.grpc.server import listen as listen_grpc

            self._grpc = await listen_grpc(
                self.plane, host=self._settings.host, port=self._grpc_port
            )
        gc.freeze()
        gc.enable()

    async def _end(self) -> None:
        if self._grpc is not None:
            await self._grpc.close(self._settings.stop_seconds)
        await self.plane.close()
        try:
            async with asyncio.timeout(self._settings.stop_seconds):
                await self._life.close()
        except TimeoutError:
            self._late = True
        self.plane.recorder.stop()

    def begun(self, listener: socket.socket) -> Begun:
        """What answers now."""
        where, port = listener.getsockname()[:2]
        where = f"[{where}]" if ":" in where else where
        grpc = None
        if self._grpc is not None:
            grpc = f"{where}:{self._grpc.port}"
        models = {
            line.name: [slot.version for slot in line.slots] for line in self.plane.lines.values()
        }
        return Begun(f"http://{where}:{port}", grpc, models)

    # -- what is no prediction -------------------------------------------------------------------

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        kind = b"application/json"
        try:
            seen = self._addresses.seen(scope, dict(scope["headers"]))
            if scope["method"] not in ("GET", "HEAD"):
                raise NotFound("no-route", "there is no such path here")
            if scope["path"] == "/health":
                if not self.plane.ready:
                    raise Unavailable("not-ready", "the server starts or stops")
                status, body = 200, b'{"status":"ok"}'
            elif scope["path"] == "/metrics":
                headers = dict(scope["headers"])
                await self.plane.gate.look(headers, seen.address, None)
                status, (text, told) = 200, self._metrics(headers)
                body, kind = text.encode(), told.encode()
            else:
                raise NotFound("no-route", "there is no such path here", hint="GET /v2")
        except ModelyardError as error:
            status, body = status_of(error), body_of(error)
        head = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": head})
        body = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": body})

    def _metrics(self, headers: Mapping[bytes, bytes]) -> tuple[str, str]:
        """What Prometheus reads, and its media type."""
        text = self.plane.metrics()
        if wants_open(headers.get(b"accept", b"").decode("latin-1")):
            return as_openmetrics(text, self.plane.exemplars()), OPENMETRICS
        return text, TEXT


def _guessing(settings: Settings) -> Callable[[str, str | None], AbstractContextManager[None]]:
    """Counts wrong passwords and tokens; made when the first is shown."""
    from functools import cache

    @cache
    def rates() -> Any:
        from modelyard.server.limits import Rates

        return Rates(settings)

    return lambda shown, address: rates().guessing(shown, address)
