"""Looking at deployments, and at how they changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import deployments
from modelyard.core.deployment import check_name
from modelyard.registry.deployments.changing import FORGOTTEN, read_one
from modelyard.registry.deployments.rights import may_see, no_deployment
from modelyard.registry.deployments.values import change_of, deployment_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.catalog.queries.deployments import ShareRow
    from modelyard.core.deployment import Deployment, DeploymentChange
    from modelyard.registry.house import House

__all__ = ["all_deployments", "changes", "get"]


def all_deployments(house: House) -> tuple[Deployment, ...]:
    """All that the caller may see, by name."""
    with house.catalog.read() as connection:
        rows = deployments.living(connection)
        servers = deployments.servers_of(connection, house.catalog.now(connection) - FORGOTTEN)
        shares: dict[int, list[ShareRow]] = {}
        for share in deployments.wished(connection):
            shares.setdefault(share.deployment_id, []).append(share)
    found = (deployment_of(row, shares[row.id], servers.get(row.id, ())) for row in rows)
    return tuple(each for each in found if may_see(house, each.spec))


def get(house: House, name: str) -> Deployment:
    """NotFound: `no-deployment`."""
    with house.catalog.read() as connection:
        row = read_one(house, connection, check_name(name))
        if row.deleted:
            raise no_deployment(name)
        since = house.catalog.now(connection) - FORGOTTEN
        servers = deployments.servers_of(connection, since, row.id).get(row.id, ())
        return deployment_of(row, deployments.shares(connection, row.id), servers)


def changes(house: House, name: str, before: int | None = None) -> Iterator[DeploymentChange]:
    """Newest first; of one that is undeployed too. Changes with a hidden model are left out."""
    with house.catalog.read() as connection:
        row = read_one(house, connection, check_name(name))
    below = row.generation + 1 if before is None else min(before, row.generation + 1)
    while below > 1:
        with house.catalog.read() as connection:
            found = deployments.changes_of(connection, row.id, below)
            told = [change_of(connection, each) for each in found]
        yield from (each for each in told if may_see(house, each.spec))
        below = found[-1].generation if found else 0
