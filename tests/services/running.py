"""Start, stop and restart services as ordinary processes on private ports.

Ports lie below the range that the system gives to outgoing connections: so a server that is
restarted finds its port free.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.services import state
from tests.services.kinds import SERVICES
from tests.services.service import Service, as_user

__all__ = ["Missing", "release", "restart", "running", "start", "stop"]

_PATIENCE = 90.0
"""Seconds that a server may take to become healthy: machines are busy when tests run."""
_ROOM = 8 << 30
"""Bytes that must be free in memory for servers to keep their data there."""


class Missing(Exception):
    """A service is not installed."""


def running() -> dict[str, dict[str, Any]]:
    """The services that run now: pid, port and folder by name."""
    return {
        name: entry
        for name, entry in state.read()["services"].items()
        if state.alive(entry["pid"], entry["born"])
    }


def start(name: str, user: int | None = None) -> str:
    """The address of a service that answers; it is started if need be.

    It runs until `stop`, or, for a `user` (a process id), until no user is left.
    Raises `Missing`; RuntimeError with the end of its log if it does not become healthy.
    """
    service = SERVICES[name]
    with state.changing() as current:
        if user is None:
            current["kept"] = sorted({*current["kept"], name})
        else:
            current["users"][str(user)] = state.born(user)
    with state.locked(name):
        entry = running().get(name) or _begin(service)
    return service.address(entry["port"])


def _begin(service: Service) -> dict[str, Any]:
    program = service.program()
    if program is None:
        raise Missing(f"{service.name} is not installed: run scripts/services install")
    dead = state.read()["services"].get(service.name)
    if dead:
        shutil.rmtree(dead["folder"], ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"yard-{service.name}-", dir=_quick_home()))
    if as_user(service):
        shutil.chown(folder, service.user, service.user)
    try:
        service.prepare(service, program, folder)
        for attempt in range(3):
            with contextlib.suppress(_PortTaken):
                return _launch(service, program, folder, _free_port(), last=attempt == 2)
        raise AssertionError("the last attempt returns or raises")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _quick_home() -> str | None:
    """Memory, where there is much of it: DDL waits for the disk whatever a server is told."""
    home = "/dev/shm"
    with contextlib.suppress(OSError):
        if os.access(home, os.W_OK) and shutil.disk_usage(home).free > _ROOM:
            return home
    return None


class _PortTaken(Exception):
    """Somebody else was quicker."""


def _free_port() -> int:
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _launch(
    service: Service, program: str, folder: Path, port: int, *, last: bool = True
) -> dict[str, Any]:
    log = folder / "log"
    with open(log, "ab") as output:
        process = subprocess.Popen(
            service.command(program, folder, port),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/" if as_user(service) else state.ROOT,
            start_new_session=True,
            **as_user(service),
        )
    process_born = state.born(process.pid)
    entry = {"pid": process.pid, "born": process_born, "port": port, "folder": str(folder)}
    with state.changing() as current:
        current["services"][service.name] = entry
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            if service.healthy(port) and process.poll() is None:
                return entry
        time.sleep(0.05)
    if process.poll() is None:
        _kill(entry)
    with state.changing() as current:
        del current["services"][service.name]
    told = log.read_text("utf-8", "replace")[-1500:]
    if not last and "in use" in told:
        raise _PortTaken
    raise RuntimeError(f"{service.name} does not become healthy; the end of its log:\n{told}")


def stop(name: str, *, unused: bool = False) -> bool:
    """End a service and forget its data; with `unused` only if no user is left."""
    with state.locked(name):
        current = state.read()
        if unused and (state.users(current) or name in current["kept"]):
            return False
        entry = current["services"].get(name)
        if entry is not None:
            _end(SERVICES[name], entry)
            shutil.rmtree(entry["folder"], ignore_errors=True)
        with state.changing() as current:
            current["services"].pop(name, None)
            current["kept"] = [kept for kept in current["kept"] if kept != name]
        return entry is not None


def release(user: int) -> None:
    """A user is done; whatever nobody uses ends."""
    with state.changing() as current:
        alive = {str(pid) for pid in state.users(current)} - {str(user)}
        current["users"] = {p: born for p, born in current["users"].items() if p in alive}
    for name in running():
        stop(name, unused=True)


def restart(name: str, *, kill: bool = False) -> str:
    """The same service with the same data on the same port; `kill`: all at once, by SIGKILL."""
    service = SERVICES[name]
    with state.locked(name):
        entry = state.read()["services"].get(name)
        program = service.program()
        if entry is None or program is None:
            raise Missing(f"{name} does not run")
        _kill(entry) if kill else _end(service, entry)
        folder = Path(entry["folder"])
        if service.pid_file:
            (folder / service.pid_file).unlink(missing_ok=True)
        try:
            _launch(service, program, folder, entry["port"])
        except RuntimeError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return service.address(entry["port"])


def _end(service: Service, entry: dict[str, Any]) -> None:
    """Ask, wait, then kill."""
    if state.alive(entry["pid"], entry["born"]):
        os.kill(entry["pid"], getattr(signal, service.stop_signal))
        until = time.monotonic() + 20
        while time.monotonic() < until and state.alive(entry["pid"], entry["born"]):
            time.sleep(0.02)
    _kill(entry)


def _kill(entry: dict[str, Any]) -> None:
    """At once, with all its processes."""
    if not state.alive(entry["pid"], entry["born"]):
        return
    family = {pid: state.born(pid) for pid in state.descendants(entry["pid"])}
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    while any(state.alive(pid, birth) for pid, birth in family.items()):
        time.sleep(0.01)
