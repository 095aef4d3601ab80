"""Deploying: what is wished is looked up and written down. Nothing is loaded yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.registry.access.door import known_name
from modelyard.registry.deployments.changing import Held, Wish, change
from modelyard.registry.deployments.loadable import check_loadable
from modelyard.registry.lookup import moment

if TYPE_CHECKING:
    from modelyard.core.deployment import Deployment, DeploymentSpec
    from modelyard.registry.house import House

__all__ = ["apply", "undeploy"]


def apply(house: House, spec: DeploymentSpec, *, generation: int | None = None) -> Deployment:
    """Deploy, or change what is deployed. See `core.deploying.Deployments.apply`."""
    trust = Trust.of(TRUST_ALL if "*" in spec.trusted else spec.trusted)
    for share in spec.shares:
        known_name(house, house.caller, share.model, "writer")
        check_loadable(house, share, trust, paused=spec.paused)

    def work(held: Held) -> Wish:
        return Wish("deploy", _begun(held, spec))

    return change(house, spec.name, work, generation=generation, is_new=True)


def undeploy(house: House, name: str) -> Deployment:
    """Serve it no more; its history stays."""

    def work(held: Held) -> Wish | None:
        return None if held.spec is None else Wish("undeploy", held.spec)

    return change(house, name, work)


def _begun(held: Held, spec: DeploymentSpec) -> DeploymentSpec:
    """With the time of the next step, if it has a rollout that nobody has begun."""
    rollout = spec.rollout
    if rollout is None or not spec.canaries:
        return replace(spec, rollout=None)
    due = None
    if not spec.paused:
        due = rollout.due or moment(held.now) + timedelta(seconds=rollout.every)
    return replace(spec, rollout=replace(rollout, due=due))
