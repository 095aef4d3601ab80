"""Deployments: wish, look, change; how they changed."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from fastapi import Path, Query
from pydantic import Field

from modelyard.core.deployment import (
    Deployment,
    DeploymentChange,
    DeploymentSpec,
    EngineName,
    Limits,
    Placement,
    Rollout,
    Share,
)
from modelyard.server.api.inputs import Body, Name
from modelyard.server.routing import SIGNED_IN, Routes, on_yard
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("deployments")

_LARGEST = (1 << 53) - 1
Deployed = Annotated[
    str,
    Path(
        description="Name of the deployment.", examples=["fraud"], min_length=1,
        json_schema_extra={
            "pattern": "^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$", "maxLength": 63
        },
    ),
]  # fmt: skip
Generation = Annotated[
    int | None,
    Query(ge=0, le=_LARGEST, description="The one that you have seen; 0: it must be new."),
]
Percent = Annotated[float, Field(ge=0, le=100)]
Seconds = Annotated[float, Field(gt=0, le=366 * 86_400)]
Text = Annotated[str, Field(min_length=1, max_length=200)]


class ShareBody(Body):
    """A version, or what an alias points at, and its part of the traffic."""

    model: Name = Field(examples=["own/net"])
    revision: Annotated[str, Field(max_length=200)] = Field("", examples=["prod"])
    percent: Percent = 100.0
    shadow: bool = False
    number: Annotated[int, Field(ge=1, le=_LARGEST)] | None = None
    commit: Annotated[str, Field(max_length=40)] | None = None


class LimitsBody(Body):
    """What it takes, and how long it may take; see the reference of `Limits`."""

    deadline: Annotated[float, Field(gt=0, le=3600)] = 30.0
    queue_rows: Annotated[int, Field(ge=1, le=1 << 24)] = 4096
    body: Annotated[int, Field(ge=1, le=1 << 34)] = 64 << 20
    per_minute: Annotated[int, Field(ge=1, le=1 << 31)] | None = None
    memory: Annotated[int, Field(ge=1 << 20, le=1 << 44)] = 8 << 30
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    idle: Annotated[float, Field(gt=0, le=366 * 86_400)] | None = None
    pinned: bool = False


class RolloutBody(Body):
    """Steps by which the canary's share grows."""

    steps: Annotated[list[Percent], Field(min_length=1, max_length=100, examples=[[5, 25, 100]])]
    every: Seconds = Field(examples=[600])


class DeploymentBody(Body):
    """What is wished."""

    shares: Annotated[list[ShareBody], Field(min_length=1, max_length=32)]
    engine: EngineName = "embedded"
    replicas: Annotated[int, Field(ge=1, le=256)] = 1
    sticky: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    placement: Placement = "auto"
    trusted: list[Text] = Field(
        default_factory=list, max_length=1000,
        description="Names that loading may import; `*` is everything.",
    )  # fmt: skip
    limits: LimitsBody = LimitsBody()
    sample: Annotated[float, Field(ge=0, le=1)] = 0.01
    redact: list[Text] = Field(default_factory=list, max_length=1000)
    rollout: RolloutBody | None = None
    paused: bool = False


class BackBody(Body):
    """Where to go back to."""

    to: Annotated[int, Field(ge=1, le=_LARGEST)] | None = Field(
        None, description="A generation; what was served before if it is not said."
    )


@routes.get("/deployments", needs=on_yard("none"), answers=list[Deployment])
def list_deployments(ask: Ask) -> list[Deployment]:
    """All deployments of which the caller may read every model, by name."""
    return list(ask.yard.deployments.list())


@routes.get("/deployments/{deployment}", needs=on_yard("none"), answers=Deployment)
def show_deployment(ask: Ask, deployment: Deployed) -> Deployment:
    """What is wished, and how far each server got."""
    return ask.yard.deployments.get(deployment)


@routes.put("/deployments/{deployment}", needs=SIGNED_IN, answers=Deployment)
def deploy(
    ask: Ask, deployment: Deployed, *, generation: Generation = None, body: DeploymentBody
) -> Deployment:
    """Deploy, or change what is deployed.

    It takes the role writer for every model in it. An alias or a branch is followed. Servers load
    new versions first and switch then: the answer tells what is wished, not what is done.
    """
    return ask.yard.deployments.apply(_spec(deployment, body), generation=generation)


@routes.delete("/deployments/{deployment}", needs=SIGNED_IN, answers=Deployment)
def undeploy(ask: Ask, deployment: Deployed) -> Deployment:
    """Serve it no more; its history stays."""
    return ask.yard.deployments.undeploy(deployment)


@routes.post("/deployments/{deployment}/rollout", needs=SIGNED_IN, answers=Deployment)
def roll_out_deployment(
    ask: Ask, deployment: Deployed, *, generation: Generation = None, body: RolloutBody
) -> Deployment:
    """Let the canary's share grow by steps, until it is promoted."""
    return ask.yard.deployments.roll_out(deployment, body.steps, body.every, generation=generation)


@routes.post("/deployments/{deployment}/promote", needs=SIGNED_IN, answers=Deployment)
def promote_deployment(
    ask: Ask, deployment: Deployed, *, generation: Generation = None
) -> Deployment:
    """The canary becomes the stable version, at once."""
    return ask.yard.deployments.promote(deployment, generation=generation)


@routes.post("/deployments/{deployment}/pause", needs=SIGNED_IN, answers=Deployment)
def pause_deployment(ask: Ask, deployment: Deployed) -> Deployment:
    """Take no step, and follow no alias, until it is resumed."""
    return ask.yard.deployments.pause(deployment)


@routes.post("/deployments/{deployment}/resume", needs=SIGNED_IN, answers=Deployment)
def resume_deployment(ask: Ask, deployment: Deployed) -> Deployment:
    """Go on after a pause."""
    return ask.yard.deployments.resume(deployment)


@routes.post("/deployments/{deployment}/rollback", needs=SIGNED_IN, answers=Deployment)
def roll_back_deployment(
    ask: Ask, deployment: Deployed, *, generation: Generation = None, body: BackBody
) -> Deployment:
    """Back to what was served before, or to all that was wished at a generation, at once.

    A canary is dropped first of all. What followed an alias that has moved on is paused.
    """
    return ask.yard.deployments.roll_back(deployment, to=body.to, generation=generation)


@routes.get(
    "/deployments/{deployment}/changes", needs=on_yard("none"), answers=list[DeploymentChange]
)
def deployment_changes(
    ask: Ask,
    deployment: Deployed,
    *,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[
        int, Query(ge=0, le=_LARGEST, description="Only generations below this one.")
    ] = _LARGEST,
) -> list[DeploymentChange]:
    """How it changed, newest first; also of one that is not served any more."""
    return list(islice(ask.yard.deployments.changes(deployment, before=before), limit))


def _spec(name: str, body: DeploymentBody) -> DeploymentSpec:
    rollout = body.rollout
    return DeploymentSpec(
        name=name,
        shares=tuple(
            Share(
                model=share.model, revision=share.revision, percent=share.percent,
                shadow=share.shadow, number=share.number,
            )
            for share in body.shares
        ),
        engine=body.engine,
        replicas=body.replicas,
        sticky=body.sticky,
        placement=body.placement,
        trusted=tuple(body.trusted),
        limits=Limits(**body.limits.model_dump()),
        sample=body.sample,
        redact=tuple(body.redact),
        rollout=None if rollout is None else Rollout(
            steps=tuple(rollout.steps), every=rollout.every
        ),
        paused=body.paused,
    )  # fmt: skip
