"""`RemoteYard.deployments`: deployments of a server's yard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from modelyard.core.deployment import Deployment, DeploymentChange, check_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.client.connection import Connection
    from modelyard.core.deploying import Deployments
    from modelyard.core.deployment import DeploymentSpec

__all__ = ["RemoteDeployments"]

_PAGE = 100


class RemoteDeployments:
    """`core.deploying.Deployments` over HTTP."""

    def __init__(self, connection: Connection) -> None:
        self._at = connection

    def list(self) -> tuple[Deployment, ...]:
        return self._at.get(["deployments"], tuple[Deployment, ...])

    def get(self, name: str) -> Deployment:
        return self._at.get(["deployments", check_name(name)], Deployment)

    def apply(self, spec: DeploymentSpec, *, generation: int | None = None) -> Deployment:
        body: dict[str, Any] = msgspec.to_builtins(spec)
        del body["name"]
        if body["rollout"] is not None:  # how far it is says the server
            body["rollout"] = {key: body["rollout"][key] for key in ("steps", "every")}
        path, query = ["deployments", spec.name], {"generation": generation}
        return self._at.request("PUT", path, query=query, body=body).as_(Deployment)

    def roll_out(
        self, name: str, steps: Sequence[float], every: float, *, generation: int | None = None
    ) -> Deployment:
        return self._act(name, "rollout", {"steps": list(steps), "every": every}, generation)

    def promote(self, name: str, *, generation: int | None = None) -> Deployment:
        return self._act(name, "promote", None, generation)

    def pause(self, name: str) -> Deployment:
        return self._act(name, "pause")

    def resume(self, name: str) -> Deployment:
        return self._act(name, "resume")

    def roll_back(
        self, name: str, *, to: int | None = None, generation: int | None = None
    ) -> Deployment:
        return self._act(name, "rollback", {"to": to}, generation)

    def undeploy(self, name: str) -> Deployment:
        return self._at.delete(["deployments", check_name(name)], Deployment)

    def changes(self, name: str, *, before: int | None = None) -> Iterator[DeploymentChange]:
        """Page by page."""
        path = ["deployments", check_name(name), "changes"]
        while True:
            page = self._at.get(path, tuple[DeploymentChange, ...], limit=_PAGE, before=before)
            yield from page
            if len(page) < _PAGE:
                return
            before = page[-1].generation

    def _act(
        self,
        name: str,
        act: str,
        body: dict[str, Any] | None = None,
        generation: int | None = None,
    ) -> Deployment:
        path = ["deployments", check_name(name), act]
        return self._at.post(path, Deployment, body, generation=generation)


if TYPE_CHECKING:
    _: type[Deployments] = RemoteDeployments
