"""Changing what is wished: one row of history and one line of the audit log for each change.

A change is made while no other transaction writes, so that of several servers only one takes a
step, and no version is deleted that is just being deployed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from modelyard.catalog.queries import audit, deployments
from modelyard.errors import Conflict
from modelyard.registry.deployments.forgetting import forget_watched
from modelyard.registry.deployments.resolving import known, resolved
from modelyard.registry.deployments.rights import check_change, may_see, no_deployment
from modelyard.registry.deployments.values import (
    deployment_of,
    encode_spec,
    live,
    micros,
    named_now,
    spec_of,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import sqlalchemy as sa

    from modelyard.catalog.queries.deployments import DeploymentRow, ShareRow
    from modelyard.core.deployment import Action, Deployment, DeploymentSpec
    from modelyard.registry.house import House

__all__ = ["ACTION", "FORGOTTEN", "Held", "Wish", "change", "read_one"]

ACTION = "deployment"
"""What lines of the audit log call it; `detail.action` says more."""
FORGOTTEN = 15_000_000
"""Microseconds after which a server that says nothing is not there any more."""


class Wish(NamedTuple):
    """What is wished from now on, and why."""

    action: Action
    spec: DeploymentSpec
    detail: Mapping[str, Any] = {}
    who: str | None = None
    """None: whoever the house works for."""
    trusted: bool = False
    """A server's own doing, which nobody needs to be allowed."""
    about: int | None = None
    """Id of the model that `detail` tells of, if it is of one."""


class Held(NamedTuple):
    """A deployment within the transaction that changes it."""

    connection: sa.Connection
    now: int
    row: DeploymentRow | None
    spec: DeploymentSpec | None
    """With the versions that are meant now; None if it is new."""
    shares: tuple[ShareRow, ...] = ()


def change(
    house: House,
    name: str,
    work: Callable[[Held], Wish | None],
    *,
    generation: int | None = None,
    is_new: bool = False,
) -> Deployment:
    """Change a deployment as `work` says; None: it is as it should be.

    Args:
        generation: The one that the caller has seen.
        is_new: Whether it may be a new one.

    Raises:
        NotFound: `no-deployment`.
        Conflict: `deployment-changed`, `deployment-exists`.
        Denied: `not-allowed`, `guarded`.
    """

    changed = False

    def run(connection: sa.Connection) -> Deployment:
        nonlocal changed
        held = _held(house, connection, name, is_new=is_new)
        seen = held.row.generation if held.row is not None and not held.row.deleted else 0
        if generation is not None and generation != seen:
            raise Conflict(
                "deployment-changed",
                f"deployment {name} is at generation {seen}, not at {generation}",
                hint="look at it, then try again",
            )
        wish = work(held)
        changed = wish is not None
        if wish is not None:
            _write(house, held, name, wish)
        elif held.spec is not None:  # who may not change it is not told that it is so already
            check_change(house, connection, name, [share.model for share in held.spec.shares])
        row = deployments.by_name(connection, name)
        if row is None:
            raise AssertionError("a deployment went while it was changed")
        return _whole(house, connection, row)

    made = house.catalog.write_alone(run)
    if changed:
        for call in house.deployed:
            call(name)
    return made


def read_one(house: House, connection: sa.Connection, name: str) -> DeploymentRow:
    """A deployment that the caller may see, or could before it was undeployed."""
    row = deployments.by_name(connection, name)
    if row is None or not may_see(house, named_now(connection, row.spec)):
        raise no_deployment(name)
    return row


def _held(house: House, connection: sa.Connection, name: str, *, is_new: bool) -> Held:
    now = house.catalog.now(connection)
    row = deployments.by_name(connection, name)
    gone = row is None or bool(row.deleted)
    if row is not None and not may_see(house, named_now(connection, row.spec)):
        if is_new and not gone:
            raise Conflict(
                "deployment-exists", f"the name {name} is taken by another deployment",
                hint="choose another name",
            )  # fmt: skip
        if not gone:
            raise no_deployment(name)
    if row is None or gone:
        if not is_new:
            raise no_deployment(name)
        return Held(connection, now, row, None)
    found = tuple(deployments.shares(connection, row.id))
    return Held(connection, now, row, live(spec_of(row.spec), found), found)


def _write(house: House, held: Held, name: str, wish: Wish) -> None:
    connection, now = held.connection, held.now
    if not wish.trusted:
        served = [share.model for share in held.spec.shares] if held.spec else []
        wanted = [share.model for share in wish.spec.shares]
        check_change(house, connection, name, [*served, *wanted])
    gone = wish.action == "undeploy"
    if gone:
        spec, rows = wish.spec, _rows(held)
    else:
        before = known(held.spec, held.shares)
        spec, rows = resolved(connection, wish.action, wish.spec, before)
    who = (wish.who or house.author)[:200]
    values: dict[str, Any] = {
        "generation": held.row.generation + 1 if held.row else 1,
        "spec": encode_spec(spec, [row[0] for row in rows]),
        "due": 0 if gone else micros(spec), "updated": now, "who": who, "paused": spec.paused,
        "deleted": now if gone else 0,
    }  # fmt: skip
    if held.row is None:
        key = deployments.create(connection, name=name, created=now, **values)
    else:
        key = held.row.id
        if held.row.deleted:
            values["created"] = now
            forget_watched(connection, key, firing=True)
        deployments.update(connection, key, **values)
    deployments.set_shares(connection, key, [] if gone else rows)
    if gone:
        deployments.forget(connection, key=key)
        forget_watched(connection, key, firing=False)
    generation = values["generation"]
    line = deployments.ChangeRow(
        generation, now, who, wish.action, values["spec"],
        json.dumps(dict(wish.detail), ensure_ascii=False, sort_keys=True),
    )  # fmt: skip
    deployments.add_change(connection, key, line)
    caller = house.caller
    # the line is seen by who maintains the first model: others are not named in it
    own = [s for s, row in zip(spec.shares, rows, strict=True) if row[0] == rows[0][0]]
    shown = told(own)
    more = wish.detail if wish.about in (None, rows[0][0]) else {}
    what = {
        "deployment": name, "action": wish.action, "generation": generation, "shares": shown,
        **more,
    }  # fmt: skip
    audit.add(
        connection,
        audit.AuditRow(
            # under the negative id, as all that the journal does not hold (`access.notes`)
            now, ACTION, -rows[0][0], who,
            detail=json.dumps(what, ensure_ascii=False, sort_keys=True),
            account=caller.name, address=caller.address, request=caller.request,
        ),
    )  # fmt: skip


def _rows(held: Held) -> list[tuple[int, str, int]]:
    return [(row.model_id, row.ref, row.number) for row in held.shares]


def _whole(house: House, connection: sa.Connection, row: DeploymentRow) -> Deployment:
    since = house.catalog.now(connection) - FORGOTTEN
    servers = deployments.servers_of(connection, since, row.id).get(row.id, ())
    return deployment_of(row, deployments.shares(connection, row.id), servers)
