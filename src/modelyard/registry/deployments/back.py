"""Rolling a deployment back: to what was served before, at once; history stays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from modelyard.catalog.queries import deployments, models, refs, versions
from modelyard.core.names import ByName, Latest, parse_revision
from modelyard.errors import Conflict, NotFound
from modelyard.registry.deployments.changing import Held, Wish, change
from modelyard.registry.deployments.values import named_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.deployments import ChangeRow
    from modelyard.core.deployment import Deployment, DeploymentSpec, Share
    from modelyard.registry.house import House

__all__ = ["roll_back"]


def roll_back(house: House, name: str, to: int | None) -> Deployment:
    """See `core.deploying.Deployments.roll_back`.

    What followed an alias that has moved on is paused: it would follow it right away again.
    """

    def work(held: Held) -> Wish | None:
        if held.spec is None or held.row is None:
            raise NotFound("no-deployment", f"deployment {name} is served no more")
        if to is None and held.spec.canaries:
            return Wish("rollback", _without_canaries(held.spec), {"dropped": _named(held.spec)})
        past = _past(held)
        found = _before(held, past) if to is None else _at(past, to)
        if found is None:
            raise _nothing(name, to)
        shares = _living(held.connection, found.spec.shares)
        if shares is None:
            raise _nothing(name, to)
        spec = replace(
            held.spec, shares=shares, rollout=None, paused=_has_moved(held.connection, shares)
        )
        return Wish("rollback", spec, {"to": found.generation})

    return change(house, name, work)


class _Past(NamedTuple):
    generation: int
    action: str
    spec: DeploymentSpec

    @property
    def stable(self) -> tuple[str, int | None]:
        return self.spec.stable.model, self.spec.stable.number


def _without_canaries(spec: DeploymentSpec) -> DeploymentSpec:
    stable = replace(spec.stable, percent=100.0)
    return replace(spec, shares=(stable, *spec.shadows), rollout=None, paused=spec.paused)


def _named(spec: DeploymentSpec) -> list[int | None]:
    """Numbers alone: the audit log names no model that may be hidden."""
    return [share.number for share in spec.canaries]


def _past(held: Held) -> list[_Past]:
    """Every change of it, oldest first."""
    found = [
        _Past(row.generation, row.action, named_now(held.connection, row.spec))
        for row in _rows(held)
    ]
    found.reverse()
    if held.spec is not None and (now := _Past(0, "follow", held.spec)).stable != found[-1].stable:
        found.append(now)  # its alias moved, and no server was there to write that down
    return found


def _rows(held: Held) -> Iterator[ChangeRow]:
    if held.row is None:
        return
    below = held.row.generation + 1
    while below > 1:
        rows = deployments.changes_of(held.connection, held.row.id, below)
        yield from rows
        below = rows[-1].generation if rows else 0


def _before(held: Held, past: Sequence[_Past]) -> _Past | None:
    """The last one with another stable version; rolled back again, it goes one further back."""
    line: list[_Past] = []
    for each in past:
        if each.action == "undeploy":
            line.clear()
            continue
        known = [at for at, other in enumerate(line) if other.stable == each.stable]
        if each.action == "rollback" and known:
            del line[known[-1] + 1 :]
        elif not line or line[-1].stable != each.stable:
            line.append(each)
    now = past[-1].stable if past else None
    for each in reversed(line[:-1]):
        if each.stable != now and _living(held.connection, each.spec.shares[:1]) is not None:
            return each._replace(spec=_without_canaries(each.spec))
    return None


def _at(past: Sequence[_Past], generation: int) -> _Past | None:
    return next((each for each in past if each.generation == generation), None)


def _living(connection: sa.Connection, shares: Sequence[Share]) -> tuple[Share, ...] | None:
    """These shares, if all their versions are there; without shadows that are not."""
    found = []
    for share in shares:
        model = models.by_name(connection, share.model)
        row = None
        if model is not None and share.number is not None:
            row = versions.by_number(connection, model.id, share.number)
        if row is not None and not row.deleted:
            found.append(share)
        elif not share.shadow:
            return None
    return tuple(found)


def _has_moved(connection: sa.Connection, shares: Sequence[Share]) -> bool:
    """Whether what one of them follows means another version now."""
    for share in shares:
        model = models.by_name(connection, share.model)
        if model is None:
            continue
        parsed = parse_revision(share.revision)
        if isinstance(parsed, ByName):
            there = refs.get(connection, model.id, parsed.name.text)
            if there is not None and there.number != share.number:
                return True
        elif isinstance(parsed, Latest):
            newest = versions.latest(connection, model.id)
            if newest is not None and newest.number != share.number:
                return True
    return False


def _nothing(name: str, to: int | None) -> Conflict:
    what = "served nothing before" if to is None else f"can't go back to generation {to}"
    return Conflict(
        "nothing-before", f"deployment {name} {what}",
        hint=f"yard deployments {name} shows its history",
    )  # fmt: skip
