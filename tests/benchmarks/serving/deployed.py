"""A `yard server` with accounts that serves deployments, as a team runs it."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.benchmarks.serving.ours import ask_infer
from tests.server.running import Running, running

import modelyard
from modelyard.core.deployment import DeploymentSpec, Share

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.benchmarks.serving.peers import Asked

    from modelyard.core.deploying import Deployments
    from modelyard.core.deployment import Deployment

__all__ = ["Site", "served_yard", "shares"]


@dataclass(frozen=True, slots=True)
class Site:
    """A server, and its deployments as a client sees them."""

    server: Running
    deployments: Deployments
    pid: int

    @property
    def port(self) -> int:
        return int(self.server.url.rpartition(":")[2])

    def ask(
        self, deployment: str, values: Sequence[float], path: str = "", tensor: str | None = None
    ) -> Asked:
        """One row for a deployment."""
        where = path or f"/v2/models/{deployment}/infer"
        return ask_infer(
            self.port, deployment, values, self.server.token or "", path=where, tensor=tensor
        )

    def settled(self, name: str, patience: float = 30.0) -> Deployment:
        """Once all servers have made true what is wished, or failed to."""
        until = time.monotonic() + patience
        while True:
            found = self.deployments.get(name)
            current = found.servers and all(s.generation >= found.generation for s in found.servers)
            # where loading failed, requests go as before, and the server says so
            if found.state == "failed" or (current and found.state in ("ready", "asleep")):
                return found
            if time.monotonic() > until:
                raise RuntimeError(f"{name} is {found.state}: {found.servers}")
            time.sleep(0.02)

    def deploy(self, name: str, model: str, revision: str = "latest", **options: Any) -> Deployment:
        """All requests to one version, and wait until it answers."""
        spec = DeploymentSpec(name=name, shares=shares((model, revision, 100.0)), **options)
        self.deployments.apply(spec)
        return self.settled(name)


def shares(*wanted: tuple[str, str, float]) -> tuple[Share, ...]:
    """(model, revision, percent) each."""
    return tuple(Share(model=m, revision=r, percent=p) for m, r, p in wanted)


@contextlib.contextmanager
def served_yard(folder: Path, *, token: str | None = None, **settings: Any) -> Iterator[Site]:
    """A server of the yard in a folder, as long as the block lasts.

    Args:
        token: What the first server of the yard showed, if this is another.
    """
    with (
        running(folder, **settings) as server,
        modelyard.open(server.url, token=token or server.token) as yard,
    ):
        server.token = token or server.token
        yield Site(server, yard.deployments, server.process.pid)
