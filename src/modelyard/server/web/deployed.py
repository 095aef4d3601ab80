"""A deployment as pages show it: its versions on all servers together, and what changes changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from modelyard.core.deployment import (
    Deployment,
    DeploymentChange,
    DeploymentSpec,
    Rollout,
    ServedState,
    ServedVersion,
    Share,
)

if TYPE_CHECKING:
    from modelyard.core.access import Caller

__all__ = [
    "DeployedAs",
    "Difference",
    "Part",
    "Totals",
    "deployed_as",
    "differences",
    "may_change",
    "parts_of",
    "seconds_left",
    "totals_of",
]

_WORST: tuple[ServedState, ...] = (
    "failed", "loading", "waiting", "draining", "asleep", "ready",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One version of a deployment, on all servers together."""

    kind: Literal["stable", "canary", "shadow", "former"]
    """`former` is kept for going back to."""
    model: str
    number: int
    commit: str
    source: str
    """`MODEL@REV` as it was wished; of a former one, by its number."""
    percent: float
    """Of the requests; of a shadow, how many it gets a copy of."""
    state: ServedState
    """The worst of all servers."""
    modes: tuple[str, ...] = ()
    """How servers run it."""
    reason: str = ""
    """Why it failed, or why it runs as it does."""
    memory: int | None = None
    requests: int = 0
    failures: int = 0
    waiting: int = 0
    """Rows."""
    median: float | None = None
    """Seconds of a request, on the server that has most of them."""
    rate: float | None = None
    """Requests a second."""


@dataclass(frozen=True, slots=True)
class DeployedAs:
    """A deployment that serves a version."""

    name: str
    number: int
    percent: float
    kind: Literal["stable", "canary", "shadow"]
    state: ServedState
    """Of the version there."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a deployment did, since its servers began."""

    requests: int
    failures: int
    rate: float | None
    """Requests a second, lately."""
    median: float | None
    """Seconds of a request, of the version that has most of them."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What one change changed."""

    what: str
    """A share, `version` that a followed name moved to, or a field of the wish."""
    about: str
    """`MODEL@REV`, where it is about a share."""
    before: str
    """Empty if it was not there."""
    after: str
    """Empty if it is gone."""


def parts_of(deployment: Deployment) -> tuple[Part, ...]:
    """The stable version, canaries, shadows, and what servers still hold beside them."""
    found: dict[str, list[ServedVersion]] = {}
    for server in deployment.servers:
        for version in server.versions:
            found.setdefault(version.commit, []).append(version)
    spec, servers = deployment.spec, len(deployment.servers)
    parts = [_part(share, _kind(spec, share), found, servers) for share in spec.shares]
    wished = {share.commit for share in spec.shares}
    for commit, versions in found.items():
        if commit not in wished:
            one = versions[0]
            share = Share(model=one.model, revision=str(one.number), percent=0.0,
                          number=one.number, commit=commit)  # fmt: skip
            parts.append(_part(share, "former", found, len(versions)))
    return tuple(parts)


def deployed_as(
    deployments: Sequence[Deployment], model: str, number: int | None = None
) -> tuple[DeployedAs, ...]:  # fmt: skip
    """Where a model, or one version of it, is served."""
    return tuple(
        DeployedAs(one.name, part.number, part.percent, part.kind, part.state)
        for one in deployments
        for part in parts_of(one)
        if part.kind != "former" and part.model == model and number in (None, part.number)
    )


def totals_of(parts: Sequence[Part]) -> Totals:
    """Of those whose answers are given."""
    live = [part for part in parts if part.kind != "shadow"]
    rates = [part.rate for part in live if part.rate is not None]
    busiest = max(live, key=lambda part: part.requests, default=None)
    return Totals(
        sum(part.requests for part in live), sum(part.failures for part in live),
        sum(rates) if rates else None, busiest.median if busiest else None,
    )  # fmt: skip


def seconds_left(spec: DeploymentSpec) -> float | None:
    """Until a rollout's next step; None if there is none to come."""
    if spec.paused or spec.rollout is None or spec.rollout.due is None:
        return None
    return max((spec.rollout.due - datetime.now(UTC)).total_seconds(), 0.0)


def may_change(caller: Caller, spec: DeploymentSpec) -> bool:
    """Whether somebody may change a deployment: who may write all of its models."""
    return all(caller.may(share.model, "writer") for share in spec.shares)


def differences(
    change: DeploymentChange, before: DeploymentChange | None
) -> tuple[Difference, ...]:
    """From one change to the next; nothing of the first one."""
    if before is None or change.action == "undeploy" or before.action == "undeploy":
        return ()
    return tuple(_differences(before.spec, change.spec))


def _differences(old: DeploymentSpec, new: DeploymentSpec) -> Iterator[Difference]:
    was = {(share.source, share.shadow): share for share in old.shares}
    now = {(share.source, share.shadow): share for share in new.shares}
    for key in dict.fromkeys([*was, *now]):
        a, b = was.get(key), now.get(key)
        what = "shadow" if key[1] else "share"
        if (a.percent if a else None) != (b.percent if b else None):
            yield Difference(what, key[0], _percent(a), _percent(b))
        if a and b and a.number != b.number:
            yield Difference("version", key[0], f"@{a.number}", f"@{b.number}")
    if old.sample != new.sample:
        yield Difference("sample", "", f"{old.sample * 100:g} %", f"{new.sample * 100:g} %")
    for name in ("engine", "replicas", "sticky", "placement", "trusted", "redact"):
        yield from _changed(name, getattr(old, name), getattr(new, name))
    for name in ("deadline", "queue_rows", "body", "per_minute", "memory", "threads", "idle"):
        yield from _changed(name, getattr(old.limits, name), getattr(new.limits, name))
    if _plan(old.rollout) != _plan(new.rollout):
        yield Difference("rollout", "", _plan(old.rollout), _plan(new.rollout))


def _changed(name: str, old: object, new: object) -> Iterator[Difference]:
    if old != new:
        yield Difference(name, "", _written(old), _written(new))


def _written(value: object) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _percent(share: Share | None) -> str:
    return f"{share.percent:g} %" if share else ""


def _plan(rollout: Rollout | None) -> str:
    return ", ".join(f"{step:g} %" for step in rollout.steps) if rollout else ""


def _kind(spec: DeploymentSpec, share: Share) -> Literal["stable", "canary", "shadow"]:
    if share.shadow:
        return "shadow"
    return "stable" if share is spec.stable else "canary"


def _part(
    share: Share,
    kind: Literal["stable", "canary", "shadow", "former"],
    found: dict[str, list[ServedVersion]],
    servers: int,
) -> Part:
    versions = found.get(share.commit or "", [])
    states = {version.state for version in versions}
    if len(versions) < servers:  # a server has not heard of it yet
        states.add("loading")
    busiest = max(versions, key=lambda version: version.requests, default=None)
    memory = [version.memory for version in versions if version.memory is not None]
    rates = [version.rate for version in versions if version.rate is not None]
    bad = [v.reason for v in versions if v.reason and v.state == "failed"]
    return Part(
        kind=kind, model=share.model, number=share.number or 0, commit=share.commit or "",
        source=share.source, percent=share.percent,
        state=next((state for state in _WORST if state in states), "waiting"),
        modes=tuple(dict.fromkeys(v.mode for v in versions if v.mode)),
        reason=next(iter(bad or [v.reason for v in versions if v.reason]), ""),
        memory=sum(memory) if memory else None,
        requests=sum(v.requests for v in versions), failures=sum(v.failures for v in versions),
        waiting=sum(v.waiting for v in versions), median=busiest.median if busiest else None,
        rate=sum(rates) if rates else None,
    )  # fmt: skip
