"""Running a server: one process, or several that share a port, until they are told to stop."""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from modelyard.errors import Conflict, Denied, InvalidInput
from modelyard.server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.registry.local import LocalYard

__all__ = ["Begun", "host", "leave", "listen", "run_worker", "serve"]

_SWITCH = 0.0005
"""Seconds for which a thread that computes keeps those waiting that hash, encode and send."""
Link = Literal["never", "first", "always"]


@dataclass(frozen=True, slots=True)
class Begun:
    """A server that answers now."""

    url: str
    token: str | None
    """Of the account `admin`: only when there was no account before."""
    code: str | None
    """For a one-time link to sign in with: `URL/login?code=CODE`."""


def serve(
    folder: Path | str,
    settings: Settings,
    *,
    author: str = "unknown",
    link: Link = "never",
    announce: Callable[[Begun], None] = lambda begun: None,
) -> None:
    """Serve a yard until SIGTERM or SIGINT, then let requests and jobs end.

    Args:
        link: When to make a one-time link for the account `admin`: `first` is the first run.
        announce: Called once it answers.

    Denied: `open-to-all`, `no-permission`. Conflict: `port-taken`. And what opening a yard raises.
    """
    from modelyard.registry import open_yard

    settings.check()
    listener = listen(settings)
    if settings.grpc_port is not None:
        listen(replace(settings, port=settings.grpc_port)).close()
    try:
        url = _url(listener, settings)
        if settings.workers > 1:
            from modelyard.server.workers import supervise

            def begun() -> None:
                with open_yard(folder, author=author) as yard:
                    announce(_first(yard, settings, url, link))

            supervise(Path(folder), settings, author, listener, begun)
            return
        with open_yard(folder, author=author) as yard:
            _run(yard, settings, listener, lambda: announce(_first(yard, settings, url, link)))
    finally:
        listener.close()


def run_worker(folder: Path, settings: Settings, author: str, listener: socket.socket) -> None:
    """One of several processes."""
    from modelyard.registry import open_yard

    with open_yard(folder, author=author) as yard:
        _run(yard, settings, listener, lambda: print("ready", flush=True))  # noqa: T201


def listen(settings: Settings) -> socket.socket:
    """The socket that all processes share. Conflict: `port-taken`."""
    try:
        found = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError:
        raise InvalidInput("bad-setting", f"--host: {settings.host!r} is no address here") from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except PermissionError:
        listener.close()
        raise Denied("no-permission", f"port {settings.port} may not be used by you") from None
    except OSError as error:
        listener.close()
        raise Conflict(
            "port-taken", f"{settings.host}:{settings.port}: {(error.strerror or '').lower()}",
            hint="--port 0 takes any that is free",
        ) from None  # fmt: skip
    listener.set_inheritable(True)
    return listener


def _first(yard: LocalYard, settings: Settings, url: str, link: Link) -> Begun:
    if not settings.accounts:
        return Begun(url, None, None)
    from modelyard.registry.access import caller_of, first_account, make_link

    token = first_account(yard.house)
    code = None
    if link == "always" or (link == "first" and token):
        with suppress(Denied):  # the account was disabled: others are admin
            admin = caller_of(yard.house, "admin").account
            code = make_link(yard.house, admin) if admin else None
    return Begun(url, token, code)


def _url(listener: socket.socket, settings: Settings) -> str:
    if settings.url:
        return settings.url.rstrip("/")
    host, port = listener.getsockname()[:2]
    host = settings.host if host in ("0.0.0.0", "::") else host
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"http://{host}:{port}{settings.prefix}"


def _run(
    yard: LocalYard, settings: Settings, listener: socket.socket, started: Callable[[], None]
) -> None:
    from modelyard.server.app import make_app
    from modelyard.server.logs import begin
    from modelyard.server.serving import serving_of

    begin(settings.logs)
    sys.setswitchinterval(_SWITCH)
    app = make_app(yard, settings)
    serving = serving_of(app.server)
    host(app, settings, listener, started, app.server.end_streams, lambda: serving.busy)
    if app.active or app.server.jobs.active:
        sys.stdout.flush()
        os._exit(1)  # threads that did not end in time: nothing else ends them
    if serving.busy:
        yard.close()
        leave(0)


def leave(code: int) -> NoReturn:
    """End the process now, whatever its threads do: the interpreter would wait for them first, and
    only then let others clean up."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def host(
    app: Any,
    settings: Settings,
    listener: socket.socket,
    started: Callable[[], None],
    stopping: Callable[[], None] = lambda: None,
    busy: Callable[[], bool] = lambda: False,
) -> None:
    """Answer requests until SIGTERM or SIGINT.

    Args:
        app: An ASGI application; it is told when it starts and stops.
        started: Called once it answers.
        stopping: Called when it is told to stop, before it waits for requests to end. That may be
            while it starts.
        busy: Whether threads still run in the end that nothing ends: they are not waited for, and
            the process is to be left by `leave`.
    """
    import uvicorn
    import uvloop

    from modelyard.server.protocol import bounded

    class Uvicorn(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.stop)
            await super().startup(sockets)
            if self.started and not self.should_exit:
                started()

        def stop(self) -> None:
            """Stop in peace; when told a second time, at once."""
            self.force_exit = self.should_exit
            self.should_exit = True
            stopping()

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(
        app, http=bounded(settings.largest_head, settings.patience, app.at_once), ws="none",
        lifespan="on",
        access_log=False, log_config=None, server_header=False, proxy_headers=False,
        timeout_keep_alive=20, timeout_graceful_shutdown=int(settings.stop_seconds),
        backlog=2048,
    )  # fmt: skip
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    try:
        runner.run(Uvicorn(config).serve([listener]))
    except BaseException:
        runner.close()
        raise
    if not busy():
        runner.close()
