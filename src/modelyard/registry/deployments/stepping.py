"""Rollouts: the canary's share grows by steps, until it is promoted; paused and resumed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from modelyard.catalog.queries import deployments
from modelyard.core.deployment import Rollout
from modelyard.errors import Conflict, ModelyardError, NotFound
from modelyard.registry.deployments.changing import FORGOTTEN, Held, Wish, change
from modelyard.registry.deployments.values import deployment_of
from modelyard.registry.lookup import moment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from modelyard.core.deployment import Deployment, DeploymentSpec, Share
    from modelyard.registry.house import House

__all__ = ["due", "one_canary", "pause", "promote", "resume", "roll_out"]


def roll_out(
    house: House,
    name: str,
    steps: Sequence[float],
    every: float,
    generation: int | None = None,
) -> Deployment:
    """The canary gets the first step's share at once, and the next ones in time."""
    rollout = Rollout(steps=tuple(float(step) for step in steps), every=float(every))

    def work(held: Held) -> Wish:
        spec = _with_canary(held)
        if rollout.steps[0] == 100:
            return Wish("promote", spec.promoted())
        begun = replace(rollout, due=_later(held, rollout))
        moved = replace(spec, paused=False).with_canary(rollout.steps[0])
        return Wish("rollout", replace(moved, rollout=begun))

    return change(house, name, work, generation=generation)


def promote(house: House, name: str, generation: int | None = None) -> Deployment:
    """The canary is the stable version now."""

    def work(held: Held) -> Wish:
        return Wish("promote", _with_canary(held).promoted())

    return change(house, name, work, generation=generation)


def pause(house: House, name: str) -> Deployment:
    def work(held: Held) -> Wish | None:
        spec = _there(held)
        if spec.paused:
            return None
        rollout = None if spec.rollout is None else replace(spec.rollout, due=None)
        return Wish("pause", replace(spec, rollout=rollout, paused=True))

    return change(house, name, work)


def resume(house: House, name: str) -> Deployment:
    """Go on: the next step comes after a whole interval, and aliases are followed at once."""

    def work(held: Held) -> Wish | None:
        spec = _there(held)
        if not spec.paused:
            return None
        rollout = spec.rollout
        if rollout is not None:
            rollout = replace(rollout, due=_later(held, rollout))
        return Wish("resume", replace(spec, rollout=rollout, paused=False))

    return change(house, name, work)


def due(house: House, now: datetime | None = None) -> tuple[str, ...]:
    """Take the steps whose time has come; names of the deployments that took one.

    Of several servers one takes a step. None is taken while a server that was heard of lately has
    the canary not ready: it waits, and a canary that fails gets no more than it has.
    """
    with house.catalog.fresh() as connection:
        at = house.catalog.now(connection) if now is None else int(now.timestamp() * 1_000_000)
        names = [row.name for row in deployments.due(connection, at)]
    taken = []
    for name in names:
        generation = None

        def work(held: Held) -> Wish | None:
            nonlocal generation
            generation = held.row.generation if held.row else 0
            return _step(house, held, at)

        try:
            after = change(house, name, work)
        except ModelyardError:  # gone, or its version is; the others' time has come too
            continue
        if after.generation != generation:
            taken.append(name)
    return tuple(taken)


def one_canary(spec: DeploymentSpec) -> Share:
    """The only canary, whose share steps can set. Conflict: `no-canary`."""
    if len(spec.canaries) != 1:
        name = spec.name
        count = "no canary" if not spec.canaries else f"{len(spec.canaries)} canaries"
        raise Conflict(
            "no-canary", f"deployment {name} has {count}, and this needs one",
            hint=f"yard deploy {name} {spec.stable.source} --canary MODEL@REV=5",
        )  # fmt: skip
    return spec.canaries[0]


def _step(house: House, held: Held, at: int) -> Wish | None:
    """The next step, if it is still to be taken; by who wished for the rollout."""
    spec, row = held.spec, held.row
    if spec is None or row is None or spec.rollout is None or not 0 < row.due <= at:
        return None
    if len(spec.canaries) != 1:
        return Wish("step", replace(spec, rollout=None), who=row.who, trusted=True)
    servers = deployments.servers_of(held.connection, held.now - FORGOTTEN, row.id)
    seen = deployment_of(row, held.shares, servers.get(row.id, ()))
    if seen.servers and not _is_ready(seen, spec.canaries[0].commit):
        return None
    rollout = spec.rollout
    step = rollout.step + 1
    if step >= len(rollout.steps) or rollout.steps[step] == 100:
        return Wish("promote", spec.promoted(), {"step": step}, row.who, trusted=True)
    percent = rollout.steps[step]
    moved = replace(rollout, step=step, due=moment(at) + timedelta(seconds=rollout.every))
    told = {"step": step, "percent": percent}
    return Wish(
        "step", replace(spec.with_canary(percent), rollout=moved), told, row.who, trusted=True
    )


def _is_ready(seen: Deployment, commit: str | None) -> bool:
    """Whether the canary answers on every server."""
    return all(
        any(v.commit == commit and v.state in ("ready", "asleep") for v in server.versions)
        for server in seen.servers
    )


def _later(held: Held, rollout: Rollout) -> datetime:
    return moment(held.now) + timedelta(seconds=rollout.every)


def _there(held: Held) -> DeploymentSpec:
    if held.spec is None:
        raise NotFound("no-deployment", "it is served no more", hint="yard deployments")
    return held.spec


def _with_canary(held: Held) -> DeploymentSpec:
    """Conflict: `no-canary`."""
    spec = _there(held)
    one_canary(spec)
    return spec
