"""`LocalYard.deployments`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.registry.deployments import applying, back, reading, stepping

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.core.deploying import Deployments
    from modelyard.core.deployment import Deployment, DeploymentChange, DeploymentSpec
    from modelyard.registry.house import House

__all__ = ["LocalDeployments"]


class LocalDeployments:
    """`core.deploying.Deployments` over a house. A server must run for anything to be served."""

    def __init__(self, house: House) -> None:
        self._house = house

    def list(self) -> tuple[Deployment, ...]:
        return reading.all_deployments(self._house)

    def get(self, name: str) -> Deployment:
        return reading.get(self._house, name)

    def apply(self, spec: DeploymentSpec, *, generation: int | None = None) -> Deployment:
        return applying.apply(self._house, spec, generation=generation)

    def roll_out(
        self, name: str, steps: Sequence[float], every: float, *, generation: int | None = None
    ) -> Deployment:
        return stepping.roll_out(self._house, name, steps, every, generation)

    def promote(self, name: str, *, generation: int | None = None) -> Deployment:
        return stepping.promote(self._house, name, generation)

    def pause(self, name: str) -> Deployment:
        return stepping.pause(self._house, name)

    def resume(self, name: str) -> Deployment:
        return stepping.resume(self._house, name)

    def roll_back(
        self, name: str, *, to: int | None = None, generation: int | None = None
    ) -> Deployment:
        return back.roll_back(self._house, name, to, generation)

    def undeploy(self, name: str) -> Deployment:
        return applying.undeploy(self._house, name)

    def changes(self, name: str, *, before: int | None = None) -> Iterator[DeploymentChange]:
        return reading.changes(self._house, name, before)


if TYPE_CHECKING:
    _: type[Deployments] = LocalDeployments
