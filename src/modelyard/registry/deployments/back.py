"""Rolling a deployment back: to what was served before, at once; history stays."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from modelyard.catalog.queries import deployments, models, refs, versions
from modelyard.core.names import ByName, Latest, parse_revision
from modelyard.errors import Conflict, NotFound
from modelyard.registry.deployments.changing import Held, Wish, change
from modelyard.registry.deployments.rights import may_see
from modelyard.registry.deployments.values import named_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from modelyard.core.deployment import Deployment, DeploymentSpec, Share
    from modelyard.registry.house import House

__all__ = ["roll_back"]

_MOST = 2000
"""Changes that are looked through."""


def roll_back(house: House, name: str, to: int | None, generation: int | None = None) -> Deployment:
    """See `core.deploying.Deployments.roll_back`.

    What followed an alias that has moved on is paused: it would follow it right away again. What
    is paused already stays so.
    """

    def work(held: Held) -> Wish | None:
        if held.spec is None or held.row is None:
            raise NotFound("no-deployment", f"deployment {name} is served no more")
        if to is None and held.spec.canaries:
            return Wish("rollback", _without_canaries(held.spec), {"dropped": _named(held.spec)})
        found = _before(house, held) if to is None else _at(house, held, to)
        if found is None:
            raise _nothing(name, to)
        shares = _living(held.connection, found.spec.shares)
        if shares is None:
            raise _nothing(name, to)
        # to a generation: all that was wished then; else only what is served
        spec = replace(
            held.spec if to is None else found.spec,
            name=held.spec.name,
            shares=shares,
            rollout=None,
        )
        if _has_moved(held.connection, shares):
            spec = replace(spec, paused=True)
        return Wish("rollback", spec, {"to": found.generation})

    return change(house, name, work, generation=generation)


class _Past(NamedTuple):
    """What was wished once."""

    generation: int
    spec: DeploymentSpec


class _Line(NamedTuple):
    """A change, of which is known only what was stable then: there may be thousands."""

    generation: int
    action: str
    stable: tuple[int, int | None]
    """Id of the model, and number."""
    text: str


def _without_canaries(spec: DeploymentSpec) -> DeploymentSpec:
    stable = replace(spec.stable, percent=100.0)
    return replace(spec, shares=(stable, *spec.shadows), rollout=None, paused=spec.paused)


def _named(spec: DeploymentSpec) -> list[int | None]:
    """Numbers alone: the audit log names no model that may be hidden."""
    return [share.number for share in spec.canaries]


def _lines(held: Held) -> list[_Line]:
    """Its last changes, oldest first."""
    found: list[_Line] = []
    below = held.row.generation + 1 if held.row else 0
    while held.row is not None and below > 1 and len(found) < _MOST:
        rows = deployments.changes_of(held.connection, held.row.id, below)
        for row in rows:
            first = json.loads(row.spec)["shares"][0]
            stable = (int(first["model_id"]), first["number"])
            found.append(_Line(row.generation, row.action, stable, row.spec))
        below = rows[-1].generation if rows else 0
    found.reverse()
    first_now = held.shares[0]
    now = (first_now.model_id, first_now.number if first_now.paused else first_now.now)
    if now != found[-1].stable:  # its alias moved, and no server was there to write that down
        found.append(_Line(0, "follow", now, ""))
    return found


def _before(house: House, held: Held) -> _Past | None:
    """The last one with another stable version; rolled back again, it goes one further back.

    One with a model that is hidden from the caller is passed over: its name is not told.
    """
    past, line = _lines(held), list[_Line]()
    for each in past:
        if each.action == "undeploy":
            line.clear()
            continue
        known = [at for at, other in enumerate(line) if other.stable == each.stable]
        if each.action == "rollback" and known:
            del line[known[-1] + 1 :]
        elif not line or line[-1].stable != each.stable:
            line.append(each)
    for each in reversed(line[:-1]):
        if each.stable == past[-1].stable:
            continue
        spec = _without_canaries(named_now(held.connection, each.text))
        if _living(held.connection, spec.shares[:1]) is not None and may_see(house, spec):
            return _Past(each.generation, spec)
    return None


def _at(house: House, held: Held, generation: int) -> _Past | None:
    """None also of one with a model that is hidden from the caller, as its history has none."""
    if held.row is None:
        return None
    rows = deployments.changes_of(held.connection, held.row.id, generation + 1)
    if not rows or rows[0].generation != generation:
        return None
    spec = named_now(held.connection, rows[0].spec)
    return _Past(generation, spec) if may_see(house, spec) else None


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
