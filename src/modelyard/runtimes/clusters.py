"""How this process connects to Ray: it has one connection at most, whoever wants it."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import secrets
import socket
import subprocess
import sys
from typing import Any, Final

from modelyard.core.extras import need
from modelyard.errors import Unavailable

__all__ = ["begin_ray", "check_ray", "imported_ray"]

_REACHED_WITHIN: Final = 5.0
_ANSWERS_WITHIN: Final = 20.0

_SET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is told to anybody
    # under `uv run` Ray would start its workers by uv, in a copy of the working folder
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_raylet_start_wait_time_s": "120",  # a busy machine is no reason to give up
    "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": str((1 << 31) - 1),  # answers may be large
    # Ray ends each process that loses its cluster for so long: this one has other things to do
    "RAY_gcs_rpc_server_reconnect_timeout_s": "3600",
    "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",  # SIGTERM is the server's matter
    "RAY_SERVE_QUEUE_LENGTH_RESPONSE_DEADLINE_S": "1",
}


def imported_ray(*, own: bool) -> Any:
    """Ray, with what it reads from the environment when it is imported, or hands on.

    Args:
        own: Whether a cluster is to be started here: nobody else on this machine can give it work.

    Raises:
        Unsupported: `no-extra`: Ray is not installed.
    """
    for name, value in _SET.items():
        os.environ.setdefault(name, value)
    if own and "ray" not in sys.modules:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    return need("ray", "ray")


def check_ray(address: str, *, seconds: float = _ANSWERS_WITHIN) -> None:
    """Whether a cluster answers at an address; Ray itself would go on trying for ever.

    Args:
        address: `HOST:PORT`, `ray://HOST:PORT` or `auto`.
        seconds: In which a cluster must answer once it is reached.

    Raises:
        Unavailable: `no-ray`: nobody is there, or what is there is no Ray.
    """
    host, port = _host_and_port(address)
    if port:
        try:
            socket.create_connection((host, port), timeout=_REACHED_WITHIN).close()
        except (OSError, OverflowError, UnicodeError) as error:
            said = str(getattr(error, "strerror", None) or error)
            raise Unavailable(
                "no-ray", f"nobody answers at {address}: {said}",
                hint="ray start --head on that machine tells its address",
            ) from None  # fmt: skip
    if address == "auto" or (port and "://" not in address):
        _ask_status(address, seconds)


def _host_and_port(address: str) -> tuple[str, int]:
    """The port is 0 where none is told."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    told = port.isascii() and port.isdigit() and host
    return host.strip("[]"), int(port) if told else 0


def _ask_status(address: str, seconds: float) -> None:
    """By a process of its own: what waits in Ray's own code can't be given up otherwise."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "status", "--address", address]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        said = f"it said nothing for {seconds:g} seconds"
    else:
        if done.returncode == 0:
            return
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        said = lines[-1].strip()[:200] if lines else f"ray status ended with {done.returncode}"
    raise Unavailable(
        "no-ray", f"no Ray that can be used answers at {address}: {said}",
        hint="look into /tmp/ray/session_latest/logs on that machine",
    )  # fmt: skip


def begin_ray(ray: Any, *, address: str | None, cpus: int, store: int) -> None:
    """Connect to the cluster at an address, or start one that listens to loopback only.

    Args:
        store: Bytes of shared memory for objects, of a cluster that is started here.
    """
    for name in ("ray", "ray.serve"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with contextlib.suppress(Exception):  # what the cluster says would end up in our stdout
        worker: Any = importlib.import_module("ray._private.worker")
        worker._worker_logs_enabled = False
    with contextlib.suppress(Exception):  # where Ray was imported before its variable was set
        constants: Any = importlib.import_module("ray._private.ray_constants")
        constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV = False
    common = {"log_to_driver": False, "configure_logging": False}
    if address is not None:
        ray.init(address=address, namespace="modelyard", **common)
        return
    ray.init(
        address="local", num_cpus=cpus, include_dashboard=False, object_store_memory=store,
        _node_ip_address="127.0.0.1", namespace="modelyard", **common,
    )  # fmt: skip
