"""The Ray that this process is connected to: started here, or running elsewhere already.

A process has one connection to Ray at most; this is it. All calls block; none is made on a loop.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from modelyard.core.extras import need
from modelyard.errors import Unavailable
from modelyard.runtimes.clusters import begin_ray, check_ray, imported_ray

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.serving.engines.ray_settings import RaySettings

__all__ = ["Cluster"]


class Cluster:
    """Connects on first use, and lets go of what it started."""

    def __init__(self, settings: RaySettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._connected = False

    def connect(self, *, serve: bool = True) -> None:
        """Start Ray or connect to it, and start Serve in it. Idempotent.

        Raises:
            Unsupported: `no-extra`: Ray is not installed.
            Unavailable: `no-ray`: it does not start, or nobody is at the address.
        """
        with self._lock:
            if not self._connected:
                ray = self._imported()
                if self._settings.address is not None and not ray.is_initialized():
                    check_ray(self._settings.address)
                try:
                    self._begin(ray)
                    log = logging.getLogger("ray.serve")
                    log.disabled = not serve  # where it is not used it says so, at the end
                    if serve:
                        module: Any = need("ray.serve", "ray")
                        log.setLevel(logging.ERROR)  # its import had set another
                        module.start(proxy_location="Disabled")
                except Exception as error:
                    ray.shutdown()
                    where = self._settings.address or "this machine"
                    raise Unavailable(
                        "no-ray", f"Ray does not answer on {where}: {_first_line(error)}",
                        hint="look into /tmp/ray/session_latest/logs on that machine",
                    ) from error  # fmt: skip
                self._connected = True

    @property
    def is_connected(self) -> bool:
        """Whether there is a Ray to ask; what is asked of none starts one."""
        return self._connected

    def deploy(self, name: str, application: Any, given_up: threading.Event) -> Any:
        """Run an application; its handle, when all its replicas are ready.

        Args:
            given_up: Set when nobody waits for it any more; it is the caller's to delete then.

        Raises:
            Unavailable: `not-ready`: it did not become ready in time, or Ray can't place it.
        """
        serve: Any = need("ray.serve", "ray")
        if given_up.is_set():
            raise Unavailable("not-ready", "nobody wants this version any more")
        serve.run_many(
            [serve.RunTarget(application, name=name, route_prefix=None)],
            wait_for_applications_running=False,
        )
        until = time.monotonic() + self._settings.seconds
        while True:
            state, message = self.state(name)
            if state == "RUNNING":
                return serve.get_app_handle(name)
            if given_up.is_set():
                raise Unavailable("not-ready", "nobody wants this version any more")
            if state == "DEPLOY_FAILED" or time.monotonic() > until:
                self.delete(name)
                said = message or "its replicas found no place, or did not get ready"
                raise Unavailable(
                    "not-ready", f"Ray could not run this version: {said.strip()[-300:]}",
                    hint="ray status tells what the cluster has left",
                )  # fmt: skip
            time.sleep(0.05)

    def state(self, name: str) -> tuple[str, str]:
        """An application's state in Ray's words, and what it says of it."""
        serve: Any = need("ray.serve", "ray")
        told = serve.status().applications.get(name)
        if told is None:
            return "NOT_STARTED", ""
        parts = [told.message, *(each.message for each in told.deployments.values())]
        return str(told.status.value), " ".join(part for part in parts if part)

    def replicas(self, name: str) -> int:
        """How many of them run."""
        serve: Any = need("ray.serve", "ray")
        told = serve.status().applications.get(name)
        if told is None:
            return 0
        states = (each.replica_states for each in told.deployments.values())
        return sum(count for of in states for state, count in of.items() if state == "RUNNING")

    def delete(self, name: str) -> None:
        """Stop an application, when its replicas have answered what they have. Idempotent."""
        serve: Any = need("ray.serve", "ray")
        _within(30.0, lambda: serve.delete(name, _blocking=True))

    def disconnect(self) -> None:
        """Stop what was started here; what runs elsewhere goes on. Idempotent."""
        with self._lock:
            if not self._connected:
                return
            self._connected = False
            import ray

            serve: Any = need("ray.serve", "ray")
            if self._settings.address is None:
                serve.shutdown()
            ray.shutdown()

    def _imported(self) -> Any:
        return imported_ray(own=self._settings.address is None)

    def _begin(self, ray: Any) -> None:
        settings = self._settings
        begin_ray(ray, address=settings.address, cpus=settings.cpus, store=settings.store)


def _within(seconds: float, call: Callable[[], object]) -> None:
    """Wait for a call, but not for a cluster that is gone: Ray would wait for ever."""
    thread = threading.Thread(target=call, name="yard-ray", daemon=True)
    thread.start()
    thread.join(seconds)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__
