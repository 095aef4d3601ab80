"""Deploying versions as services, and looking at what is deployed."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.command import command
from modelyard.cli.evaluate import Bytes
from modelyard.cli.params import DEPLOYED, DURATION, PART, TARGET, revision_of, trust_options
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.core.deployment import Deployment, DeploymentSpec, Share
    from modelyard.core.names import ModelRevision

__all__ = ["deploy_command", "deployments_command", "undeploy_command"]

_PLACEMENTS = ("auto", "inline", "process", "environment")
_CHANGES = 20
_CANARY = 5.0
"""Percent, where nobody says how much."""
_NOBODY = 10.0
"""Seconds in which a server that runs is heard of."""
_KNOWN = timedelta(seconds=1)
"""After which a server that runs knows what was wished: before, it tells of the wish before."""


@command(
    "deploy",
    examples=[
        "yard deploy fraud risk/fraud@prod --wait    # follows the alias",
        "yard deploy fraud --canary risk/fraud@13=5  # 5 percent of the requests",
        "yard deploy fraud risk/fraud@12 --trust risk.Features --idle 10m",
    ],
    see=["deployments", "rollout", "promote", "rollback", "undeploy"],
)
@click.argument("name", type=DEPLOYED, help="Under which it is asked: fraud, fraud-eu.")
@click.argument("target", metavar="[MODEL[@REV]]", type=TARGET, required=False,
                help="The stable version. Default: the one that it has.")  # fmt: skip
@click.option("--canary", "canaries", metavar="MODEL@REV=5", type=PART, multiple=True,
              help="A version that gets so many percent of the requests.")  # fmt: skip
@click.option("--shadow", "shadows", metavar="MODEL@REV=10", type=PART, multiple=True,
              help="Gets copies of so many percent; its answers are dropped.")  # fmt: skip
@click.option("--engine", type=click.Choice(["embedded", "ray"]), help="What runs it.")
@click.option("--replicas", metavar="N", type=click.IntRange(1, 256),
              help="Workers for each version.")  # fmt: skip
@click.option("--sticky", metavar="HEADER",
              help="Requests with the same value of it get the same version.")  # fmt: skip
@click.option("--no-sticky", is_flag=True, help="Each request gets any version again.")
@click.option("--placement", type=click.Choice(_PLACEMENTS),
              help="Where it runs: see the guide of deployments.")  # fmt: skip
@trust_options
@click.option("--no-trust", is_flag=True, help="Trust nothing any more.")
@click.option("--deadline", metavar="TIME", type=DURATION, help="For an answer: 0.5s.")
@click.option("--idle", metavar="TIME", type=DURATION,
              help="Unload a version that nobody asked for so long.")  # fmt: skip
@click.option("--no-idle", is_flag=True, help="Unload nothing for want of requests.")
@click.option("--pin/--no-pin", "pinned", default=None,
              help="Never unload it because others want its memory.")  # fmt: skip
@click.option("--threads", metavar="N", type=click.IntRange(1, 1024), help="For one request.")
@click.option("--memory", metavar="SIZE", type=Bytes(), help="Of a worker process.")
@click.option("--sample", metavar="SHARE", type=click.FloatRange(0, 1),
              help="Of the requests whose inputs and outputs the log keeps.")  # fmt: skip
@click.option("--redact", metavar="NAME", multiple=True,
              help="An input or output whose values are never kept.")  # fmt: skip
@click.option("--no-redact", is_flag=True, help="Keep all inputs and outputs again.")
@click.option("--wait", is_flag=True, help="Until it answers, or fails.")
@pass_session
def deploy_command(
    session: Session,
    /,
    name: str,
    target: ModelRevision | None,
    canaries: tuple[tuple[ModelRevision, float | None], ...],
    shadows: tuple[tuple[ModelRevision, float | None], ...],
    trust: tuple[str, ...],
    trust_all: bool,
    no_trust: bool,
    wait: bool,
    **given: Any,
) -> None:
    """Deploy a version, or change what is deployed.

    An alias or a branch is followed. A server ('yard up') loads a new version and tries it before
    requests come to it; one that fails gets none. What is not said stays as it is.
    """
    from modelyard.cli.views.deployments import DeploymentView
    from modelyard.errors import NotFound

    deployments = session.yard().deployments
    try:
        before: Deployment | None = deployments.get(name)
    except NotFound:
        before = None
    if before is None and target is None:
        raise click.UsageError("give MODEL@REV, which it is to serve")
    spec = _spec(name, before, target, canaries, shadows)
    if no_trust and (trust or trust_all):
        raise click.UsageError("--no-trust trusts nothing: leave the names out")
    if no_trust or trust or trust_all:
        given["trusted"] = ("*",) if trust_all else trust
    made = deployments.apply(
        _changed(spec, given), generation=0 if before is None else before.generation
    )
    if wait:
        made = _ready(session, made)
    session.out.show(DeploymentView(made, "deployed"))
    if made.spec.paused:
        session.out.hint(f"it is paused, and follows nothing until yard resume {name}")
    elif not wait and made.state == "waiting":
        session.out.hint("yard up serves it")


def _spec(
    name: str,
    before: Deployment | None,
    target: ModelRevision | None,
    canaries: Sequence[tuple[ModelRevision, float | None]],
    shadows: Sequence[tuple[ModelRevision, float | None]],
) -> DeploymentSpec:
    """The shares that were said; a new stable version is alone unless more are said."""
    from modelyard.core.deployment import DeploymentSpec

    tried = [_share(each, _CANARY if part is None else part) for each, part in canaries]
    left = 100.0 - sum(share.percent for share in tried)
    if left < 0:
        raise click.UsageError("the canaries have more than 100 percent together")
    copied = [_share(each, 100.0 if part is None else part, shadow=True) for each, part in shadows]
    if target is not None:
        first = _share(target, left)
    elif before is not None:
        first = replace(before.spec.stable, percent=left)
        if shadows and not canaries:  # those that answer stay as they are
            live = [share for share in before.spec.shares if not share.shadow]
            return replace(before.spec, shares=(*live, *copied))
        if not (canaries or shadows):
            return before.spec
        copied = copied or list(before.spec.shadows)
    shares = (first, *tried, *copied)
    if before is None:
        return DeploymentSpec(name=name, shares=shares)
    return replace(before.spec, shares=shares, rollout=None, paused=False)


def _share(target: ModelRevision, percent: float, *, shadow: bool = False) -> Share:
    from modelyard.core.deployment import Share

    return Share(
        model=target.model.text, revision=revision_of(target) or "", percent=percent, shadow=shadow
    )


def _changed(spec: DeploymentSpec, given: dict[str, Any]) -> DeploymentSpec:
    """With the options that were given."""
    said = _said(given)
    limits = {
        name: said.pop(name)
        for name in ("deadline", "idle", "pinned", "threads", "memory")
        if name in said
    }
    if said.get("sticky"):
        said["sticky"] = said["sticky"].lower()
    return replace(spec, limits=replace(spec.limits, **limits), **said)


def _said(given: dict[str, Any]) -> dict[str, Any]:
    """What was said, or taken back: what was not said stays."""
    said = {name: value for name, value in given.items() if value not in (None, ())}
    if "trusted" in given:  # nothing, too
        said["trusted"] = given["trusted"]
    for name, nothing in (("sticky", None), ("idle", None), ("redact", ())):
        if not said.pop(f"no_{name}"):
            continue
        if name in said:
            raise click.UsageError(f"--{name} and --no-{name} say the opposite")
        said[name] = nothing
    return said


def _ready(session: Session, made: Deployment) -> Deployment:
    """As it is when it answers on every server.

    Raises:
        Unavailable: `no-server`: none is heard of. `not-served`: a version failed.
    """
    from modelyard.errors import Unavailable

    begun, told = time.monotonic(), ""
    while True:
        now = session.yard().deployments.get(made.name)
        if now.state in ("ready", "asleep"):
            return now
        failed = [
            version
            for server in now.servers
            if server.seen > made.updated + _KNOWN
            for version in server.versions
            if version.state == "failed"
            and version.commit in {share.commit for share in now.spec.shares}
        ]
        if failed and now.state == "failed":
            one = failed[0]
            raise Unavailable(
                "not-served", f"{one.model}@{one.number} can't be served: {one.reason}",
                hint=f"what was served before is served on; yard rollback --deployment {made.name}",
            )  # fmt: skip
        if not now.servers and time.monotonic() - begun > _NOBODY:
            raise Unavailable(
                "no-server", "no server is there that could serve it",
                hint="yard up, or yard server, for this yard",
            )  # fmt: skip
        words = _progress(now)
        if words != told:
            session.out.say(words)
            told = words
        time.sleep(0.1)


def _progress(now: Deployment) -> str:
    if not now.servers:
        return f"{now.name}: waiting for a server"
    states = [
        f"{version.model}@{version.number} {version.state}"
        for server in now.servers
        for version in server.versions
        if version.state != "ready"
    ]
    return f"{now.name}: {', '.join(dict.fromkeys(states)) or 'loading'}"


@command(
    "deployments",
    examples=["yard deployments", "yard deployments fraud", "yard deployments -q"],
    see=["deploy", "rollout", "rollback", "undeploy"],
)
@click.argument("name", type=DEPLOYED, required=False, help="One of them.")
@pass_session
def deployments_command(session: Session, name: str | None) -> None:
    """List deployments, or show one and its history.

    Those of models that you may read, with what the servers say of them.
    """
    from modelyard.cli.views.deployments import DeploymentsView, DeploymentView

    deployments = session.yard().deployments
    if name is None:
        found = deployments.list()
        session.out.show(DeploymentsView(found))
        if not found:
            session.out.hint("yard deploy NAME MODEL@REV")
        return
    one = deployments.get(name)
    changes = list(islice(deployments.changes(name), _CHANGES))
    session.out.show(DeploymentView(one, changes=changes))


@command("undeploy", examples=["yard undeploy fraud --yes"], see=["deploy", "deployments"])
@click.argument("name", type=DEPLOYED, help="The deployment.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_session
def undeploy_command(session: Session, name: str, yes: bool) -> int:
    """Serve a deployment no more.

    Its history stays, and its name is free. Asks on a terminal; elsewhere it needs --yes.
    """
    from modelyard.cli.views.deployments import DeploymentView, shares_told

    deployments = session.yard().deployments
    one = deployments.get(name)
    will = f"this ends {one.name}, which serves {shares_told(one.spec.shares)}."
    if not session.out.confirm(will, yes=yes):
        session.out.say("nothing was undeployed")
        return 1
    session.out.show(DeploymentView(deployments.undeploy(name), "undeployed"))
    return 0
