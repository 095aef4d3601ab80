"""Which deployment is meant, and whether the caller may look at it, or change it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from modelyard.catalog.queries import deployments, models
from modelyard.core.deployment import check_name
from modelyard.registry.access.door import readable
from modelyard.registry.access.rights import acting
from modelyard.registry.deployments.changing import read_one
from modelyard.registry.deployments.reading import all_deployments
from modelyard.registry.deployments.rights import check_change, no_deployment
from modelyard.registry.deployments.values import deployment_of, models_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import sqlalchemy as sa

    from modelyard.catalog.queries.deployments import ShareRow
    from modelyard.core.deployment import DeploymentSpec
    from modelyard.registry.house import House

__all__ = [
    "Served", "Sight", "Watched", "bare", "may_read", "models_since", "sight", "sights", "watched",
]  # fmt: skip

_ROWS: Final = ("rows", "examples")
"""What evidence calls rows that show something, and counts of them too."""
_WHO: Final = ("client", "clients")


class Sight(NamedTuple):
    """What the caller may see of a deployment."""

    name: str
    whole: bool
    """Also rows, and who asked: the caller may write every model in it."""


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


def sight(house: House, name: str) -> dict[int, Sight]:
    """One deployment, by its id. NotFound: `no-deployment`."""
    found = watched(house, name)
    return {found.id: Sight(name, _whole(house, found.spec))}


def sights(house: House) -> dict[int, Sight]:
    """All deployments that the caller may see, by id."""
    seen = {each.name: each.spec for each in all_deployments(house)}
    with house.catalog.fresh() as connection:
        living = deployments.living(connection)
    return {
        row.id: Sight(row.name, _whole(house, seen[row.name])) for row in living if row.name in seen
    }


def models_since(connection: sa.Connection, deployment_id: int, since: int) -> tuple[int, ...]:
    """Ids of all models that a deployment served since a time (microseconds), and serves now.

    Also those that it served before it was undeployed, if that is no longer ago: servers may still
    tell of them.
    """
    found: set[int] = set()
    for change in deployments.changes_of(connection, deployment_id):
        if change.action == "undeploy" and change.time <= since:
            break
        found.update(models_in(change.spec))
        if change.time <= since:
            break
    return tuple(sorted(found))


def may_read(house: House, keys: Iterable[int]) -> Callable[[Iterable[int]], bool]:
    """Whether the caller may read all of some models, which are among these ids."""
    if acting(house).reads_all:
        return lambda _: True
    with house.catalog.read() as connection:
        names = models.names_of(connection, sorted(set(keys)))
    may = readable(house, house.caller)
    seen = {key for key, name in names.items() if may(name)}
    return lambda wanted: seen.issuperset(wanted)


def bare(evidence: Mapping[str, Any], words: str, client: str | None) -> tuple[dict[str, Any], str]:
    """Evidence and words without rows, and without who asked: for readers, as the request log."""
    told = {
        name: _unnamed(value, client) if isinstance(value, str) else value
        for name, value in evidence.items()
        if name not in _WHO and not (name in _ROWS and not isinstance(value, int | float))
    }
    return told, _unnamed(words, client)


def _unnamed(words: str, client: str | None) -> str:
    if not client:
        return words
    return re.sub(rf"(?<!\w){re.escape(client)}(?!\w)", "one client", words)


def _whole(house: House, spec: DeploymentSpec) -> bool:
    caller = acting(house)
    return all(caller.may(share.model, "writer") for share in spec.shares)


def _ordered(shares: list[ShareRow]) -> list[ShareRow]:
    return sorted(shares, key=lambda share: share.place)
