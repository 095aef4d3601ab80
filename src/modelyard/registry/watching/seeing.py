"""Which deployment is meant, and whether the caller may look at it, or change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.catalog.queries import deployments
from modelyard.core.deployment import check_name
from modelyard.registry.deployments.changing import read_one
from modelyard.registry.deployments.rights import check_change, no_deployment
from modelyard.registry.deployments.values import deployment_of

if TYPE_CHECKING:
    from modelyard.catalog.queries.deployments import ShareRow
    from modelyard.core.deployment import DeploymentSpec
    from modelyard.registry.house import House

__all__ = ["Served", "Watched", "watched"]


@dataclass(frozen=True, slots=True)
class Served:
    """A version that a deployment serves now."""

    model_id: int
    model: str
    number: int
    percent: float
    shadow: bool


@dataclass(frozen=True, slots=True)
class Watched:
    """A deployment, for who looks at it."""

    id: int
    name: str
    spec: DeploymentSpec
    generation: int
    serves: tuple[Served, ...]


def watched(house: House, name: str, *, change: bool = False) -> Watched:
    """A deployment that the caller may see; with `change` one that the caller may change.

    Raises:
        NotFound: `no-deployment`.
        Denied: `not-signed-in`, `not-allowed`, `guarded`.
    """
    with house.catalog.read() as connection:
        row = read_one(house, connection, check_name(name))
        if row.deleted:
            raise no_deployment(name)
        shares = deployments.shares(connection, row.id)
        found = deployment_of(row, shares)
        if change:
            check_change(house, connection, name, {share.model for share in found.spec.shares})
    serves = tuple(
        Served(mine.model_id, share.model, share.number or mine.number, share.percent, share.shadow)
        for mine, share in zip(_ordered(shares), found.spec.shares, strict=True)
    )
    return Watched(row.id, row.name, found.spec, row.generation, serves)


def _ordered(shares: list[ShareRow]) -> list[ShareRow]:
    return sorted(shares, key=lambda share: share.place)
