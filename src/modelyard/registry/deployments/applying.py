"""Deploying: what is wished is looked up and written down. Nothing is loaded yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from modelyard.catalog.queries import deployments
from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.errors import NotFound
from modelyard.registry.access.door import known_name
from modelyard.registry.deployments.changing import Held, Wish, change
from modelyard.registry.deployments.loadable import check_loadable
from modelyard.registry.deployments.resolving import key_of, known
from modelyard.registry.deployments.stepping import one_canary
from modelyard.registry.deployments.values import spec_of
from modelyard.registry.lookup import find_model, find_version, moment

if TYPE_CHECKING:
    from modelyard.core.deployment import Deployment, DeploymentSpec, Share
    from modelyard.registry.house import House

__all__ = ["apply", "undeploy"]


def apply(house: House, spec: DeploymentSpec, *, generation: int | None = None) -> Deployment:
    """Deploy, or change what is deployed. See `core.deploying.Deployments.apply`."""
    trust = Trust.of(TRUST_ALL if "*" in spec.trusted else spec.trusted)
    for share in spec.shares:
        known_name(house, house.caller, share.model, "writer")
        check_loadable(house, share, trust, number=_meant(house, spec, share))

    def work(held: Held) -> Wish:
        return Wish("deploy", _begun(held, spec))

    return change(house, spec.name, work, generation=generation, is_new=True)


def undeploy(house: House, name: str) -> Deployment:
    """Serve it no more; its history stays."""

    def work(held: Held) -> Wish | None:
        return None if held.spec is None else Wish("undeploy", held.spec)

    return change(house, name, work)


def _meant(house: House, spec: DeploymentSpec, share: Share) -> int | None:
    """The version that a share will mean, if that is not what its revision means now."""
    if spec.paused and share.number is not None:
        return share.number
    with house.catalog.read() as connection:
        row = deployments.by_name(connection, spec.name)
        if row is None or row.deleted:
            return None
        before = known(spec_of(row.spec), deployments.shares(connection, row.id))
        found = before.get(key_of(connection, share))
        if found is None or found.is_held:
            return found and found.number
        try:
            find_version(connection, find_model(connection, share.model), share.revision or None)
        except NotFound:  # its name is gone
            return found.number
    return None


def _begun(held: Held, spec: DeploymentSpec) -> DeploymentSpec:
    """With its rollout begun, or going on where it is: an edit takes the canary nothing away.

    How far a rollout is says the catalog, and no client. Conflict: `no-canary`.
    """
    rollout = spec.rollout
    if rollout is None or not spec.canaries:
        return replace(spec, rollout=None)
    canary = one_canary(spec)
    was = held.spec.rollout if held.spec else None
    if was and held.spec and was.steps == rollout.steps and _is_canary(held, canary):
        due = was.due if was.every == rollout.every else None
        begun = replace(rollout, step=was.step, due=due)
    elif rollout.steps[0] == 100:
        return replace(spec.promoted(), paused=spec.paused)
    else:
        begun = replace(rollout, step=0, due=None)
    if spec.paused:
        begun = replace(begun, due=None)
    elif begun.due is None:
        begun = replace(begun, due=moment(held.now) + timedelta(seconds=begun.every))
    return replace(spec.with_canary(begun.steps[begun.step]), rollout=begun)


def _is_canary(held: Held, share: Share) -> bool:
    """Whether it is the only canary that there is."""
    found = held.spec.canaries if held.spec else ()
    return len(found) == 1 and key_of(held.connection, found[0]) == key_of(held.connection, share)
