"""Deployments: the wished state of a service, what became of it, and how it changed. Pure.

A deployment has a name, under which it is asked, and shares: versions with a part of the traffic
each. Whoever serves makes what is wished true, and says how far it got.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal, Self

from modelyard.errors import InvalidInput

__all__ = [
    "Deployment",
    "DeploymentChange",
    "DeploymentSpec",
    "EngineName",
    "Limits",
    "Placement",
    "Rollout",
    "ServedState",
    "ServedVersion",
    "Share",
    "check_name",
]

EngineName = Literal["embedded", "ray"]
Placement = Literal["auto", "inline", "process", "environment"]
ServedState = Literal["waiting", "loading", "ready", "asleep", "draining", "failed"]
Action = Literal[
    "deploy", "rollout", "step", "promote", "pause", "resume", "rollback", "follow", "fallback",
    "undeploy",
]  # fmt: skip

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?", re.ASCII)
_LONGEST: Final = 366 * 86_400
"""Seconds between two steps, or without a request, at most."""
_SLOWEST: Final = 3600
"""Seconds in which a request is answered, at most."""
_HEADER: Final = re.compile(r"[a-z0-9-]{1,60}", re.ASCII)


def check_name(name: str) -> str:
    """A deployment's name is a part of URLs and metrics. InvalidInput: `bad-name`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidInput(
            "bad-name", f"{str(name)[:80]!r} can't name a deployment",
            hint="small letters, digits, '-', '.' and '_', at most 63, such as fraud-eu",
        )  # fmt: skip
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A version, or what an alias points at, and its part of the traffic."""

    model: str
    revision: str
    """As it was wished: `12`, `prod`, `main`. An alias or a branch is followed."""
    percent: float = 100.0
    """Of the requests; of a shadow, how many of them it gets a copy of."""
    shadow: bool = False
    """It gets copies, and its answers are dropped."""
    number: int | None = None
    """Of the version that the revision means now."""
    commit: str | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.percent, int | float) and 0 <= self.percent <= 100):
            raise InvalidInput(
                "bad-share", f"a share of {self.percent!r} is none", hint="0 to 100 percent"
            )

    @property
    def source(self) -> str:
        """`MODEL@REV`, as people write it."""
        return f"{self.model}@{self.revision}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Steps by which the canary's share grows. At the end it is promoted."""

    steps: tuple[float, ...]
    """Percents, growing; the last is 100."""
    every: float
    """Seconds between two steps."""
    step: int = 0
    """Which of them holds now."""
    due: datetime | None = None
    """When the next one comes; None while it is paused."""

    def __post_init__(self) -> None:
        steps = self.steps
        fine = bool(steps) and steps[0] > 0 and steps[-1] == 100
        if not fine or any(b <= a for a, b in itertools.pairwise(steps)):
            raise InvalidInput(
                "bad-steps", f"steps {list(steps)[:10]} can't be taken",
                hint="percents that grow to 100, such as 5,25,100",
            )  # fmt: skip
        if not 0 < self.every <= _LONGEST:  # nor is it NaN
            raise InvalidInput(
                "bad-steps", "the time between two steps must be more than 0, and at most 366 days"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a deployment takes and how long it may take."""

    deadline: float = 30.0
    """Seconds in which a request is answered, where its header says nothing else."""
    queue_rows: int = 4096
    """Rows that may wait for one version; more are told to come again."""
    body: int = 64 << 20
    """Bytes of one request."""
    per_minute: int | None = None
    """Requests of one client; None is what the server allows everybody."""
    memory: int = 8 << 30
    """Bytes of a worker process."""
    threads: int = 1
    """Of the library that predicts, for one request."""
    idle: float | None = None
    """Seconds without a request after which a version is unloaded, until one comes."""
    pinned: bool = False
    """Its versions are never unloaded because others want their memory."""

    def __post_init__(self) -> None:
        for name, value, most in (
            ("deadline", self.deadline, _SLOWEST), ("idle", self.idle, _LONGEST),
        ):  # fmt: skip
            if value is not None and not 0 < value <= most:  # nor is it NaN
                raise InvalidInput(
                    "bad-limits",
                    f"{name}: {value:g} seconds are not more than 0 and at most {most}",
                )
        for name in ("queue_rows", "body", "per_minute", "memory", "threads"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise InvalidInput("bad-limits", f"{name}: {count} is less than 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSpec:
    """What is wished."""

    name: str
    shares: tuple[Share, ...]
    """The first is the stable one; then canaries; then shadows. Those that are no shadows have
    100 percent together."""
    engine: EngineName = "embedded"
    """What runs it: `embedded`, in the servers themselves, or `ray`, on a cluster."""
    replicas: int = 1
    """Workers for each version, where it runs in workers."""
    sticky: str | None = None
    """A header (small letters): requests with the same value get the same version."""
    placement: Placement = "auto"
    """Where versions run: in the server, in a process of their own, or in one with the packages
    that they were made with. `auto`: foreign code and heavy libraries never in the server."""
    trusted: tuple[str, ...] = ()
    """Names that loading may import, or `*` for everything."""
    limits: Limits = Limits()
    """What it takes, and how long it may take."""
    sample: float = 0.01
    """Share of the requests whose inputs and outputs the log keeps."""
    redact: tuple[str, ...] = ()
    """Inputs and outputs whose values are never kept."""
    rollout: Rollout | None = None
    """By which steps the canary grows, if it does."""
    paused: bool = False
    """No step is taken, and no alias followed, until it goes on."""

    def __post_init__(self) -> None:
        check_name(self.name)
        live = [share for share in self.shares if not share.shadow]
        if not live:
            raise InvalidInput("bad-share", "a deployment needs a version that answers")
        if abs(sum(share.percent for share in live) - 100) > 1e-6:
            raise InvalidInput("bad-share", "shares of those that answer must make 100 percent")
        if len({(s.model, s.revision, s.shadow) for s in self.shares}) < len(self.shares):
            raise InvalidInput("bad-share", "a version has one share only")
        if not 1 <= self.replicas <= 256:
            raise InvalidInput("bad-replicas", "replicas: 1 to 256")
        if self.sticky is not None and not _HEADER.fullmatch(self.sticky):
            raise InvalidInput("bad-header", f"{self.sticky[:60]!r} is no name of a header")
        if not 0 <= self.sample <= 1:
            raise InvalidInput("bad-sample", "a sample is a share: 0 to 1")

    @property
    def stable(self) -> Share:
        """The first share."""
        return self.shares[0]

    @property
    def canaries(self) -> tuple[Share, ...]:
        """The others that answer."""
        return tuple(share for share in self.shares[1:] if not share.shadow)

    @property
    def shadows(self) -> tuple[Share, ...]:
        """Those that get copies."""
        return tuple(share for share in self.shares if share.shadow)

    def with_canary(self, percent: float) -> Self:
        """The only canary gets this share, the stable one the rest. Conflict: no canary."""
        (canary,) = self.canaries
        moved = replace(canary, percent=percent)
        stable = replace(self.stable, percent=100.0 - percent)
        return replace(self, shares=(stable, moved, *self.shadows))

    def promoted(self) -> Self:
        """The only canary is the stable one now, with all traffic, and the rollout is over."""
        (canary,) = self.canaries
        stable = replace(canary, percent=100.0)
        return replace(self, shares=(stable, *self.shadows), rollout=None, paused=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedVersion:
    """One version of a deployment on one server."""

    model: str
    number: int
    commit: str
    state: ServedState
    """`waiting`, `loading`, `ready`, `asleep` (unloaded until a request comes), `draining` or
    `failed`."""
    mode: str | None = None
    """How it is run: `inline`, `tick`, `thread`, `pool`, `process`, `ray`."""
    reason: str | None = None
    """Why it failed, or why it runs as it does."""
    memory: int | None = None
    """Bytes that loading it took."""
    requests: int = 0
    """Since it was loaded."""
    failures: int = 0
    """Of these, those that the server could not answer."""
    waiting: int = 0
    """Rows."""
    median: float | None = None
    """Seconds of a request, lately."""
    rate: float | None = None
    """Requests a second, lately."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """How far one server got."""

    server: str
    """Its name."""
    generation: int
    """Of the deployment, that its routes are of."""
    seen: datetime
    """When it was heard of last."""
    versions: tuple[ServedVersion, ...] = ()
    """All that it has, or tries to have, for this deployment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What is wished, and what became of it."""

    spec: DeploymentSpec
    """What is wished, with the versions that are meant now."""
    generation: int
    """One more with each change."""
    created: datetime
    updated: datetime
    who: str
    """Who changed it last."""
    servers: tuple[ServerStatus, ...] = ()
    """Those heard of lately; none if nobody serves."""
    state: ServedState = field(init=False, default="waiting")
    """The worst of what answers: `failed`, `loading`, `waiting` (no server runs) or `ready`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", self._state())

    @property
    def name(self) -> str:
        return self.spec.name

    def _state(self) -> ServedState:
        wanted = {s.commit for s in self.spec.shares if not s.shadow}
        found = [v.state for server in self.servers for v in server.versions if v.commit in wanted]
        current = [server for server in self.servers if server.generation >= self.generation]
        if "failed" in found:
            return "failed"
        if not self.servers:
            return "waiting"
        is_whole = all(wanted <= {v.commit for v in s.versions} for s in self.servers)
        if len(current) < len(self.servers) or "loading" in found or not is_whole:
            return "loading"
        return "asleep" if found and all(state == "asleep" for state in found) else "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentChange:
    """One change of a deployment; its history."""

    generation: int
    """Which the deployment had from then on."""
    time: datetime
    who: str
    action: Action
    """`deploy`, `rollout`, `step`, `promote`, `pause`, `resume`, `rollback`, `follow` (an alias
    moved), `fallback` (a version failed) or `undeploy`."""
    spec: DeploymentSpec
    """As it was wished from then on; of `undeploy`, as it was."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """What else belongs to the action: where a rollback went, which step was taken."""
