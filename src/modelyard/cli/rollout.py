"""Changing a deployment by steps, holding it, and taking it back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import click

from modelyard.cli.command import command
from modelyard.cli.params import DEPLOYED, DURATION
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from modelyard.core.deployment import Deployment

__all__ = ["pause_command", "promote_command", "resume_command", "roll_back", "rollout_command"]

_TOLD: Final = 2.0
"""Seconds until every server has said how far it is, mostly; loading something takes longer."""
NAME = click.argument("name", type=DEPLOYED, help="The deployment.")


class Steps(click.ParamType["tuple[float, ...]"]):
    """`5,25,100`."""

    name = "steps"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(text.strip().removesuffix("%")) for text in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} are no percents such as 5,25,100", param, ctx)


@command(
    "rollout",
    examples=["yard rollout fraud --steps 5,25,100 --every 10m"],
    see=["deploy", "promote", "pause", "rollback"],
)
@NAME
@click.option("--steps", metavar="PERCENTS", type=Steps(), default="5,25,50,100",
              show_default=True, help="The canary's shares, growing to 100.")  # fmt: skip
@click.option("--every", metavar="TIME", type=DURATION, default="10m", show_default=True,
              help="Between two steps: 90s, 10m, 2h.")  # fmt: skip
@pass_session
def rollout_command(session: Session, name: str, steps: tuple[float, ...], every: float) -> None:
    """Let a canary's share grow by steps.

    The first step is taken at once; with the last the canary is promoted. A server takes the steps,
    and none while the canary is not ready. 'yard pause' holds it, 'yard rollback --deployment'
    takes it back.
    """
    made = session.yard().deployments.roll_out(name, steps, every)
    _show(session, made, "rolling out")
    session.out.hint(f"yard deployments {name} shows how far it is")


@command("promote", examples=["yard promote fraud"], see=["rollout", "rollback", "deploy"])
@NAME
@pass_session
def promote_command(session: Session, name: str) -> None:
    """Make the canary the stable version, at once."""
    _show(session, session.yard().deployments.promote(name), "promoted")
    session.out.hint(f"yard rollback --deployment {name} takes it back")


@command("pause", examples=["yard pause fraud"], see=["resume", "rollout"])
@NAME
@pass_session
def pause_command(session: Session, name: str) -> None:
    """Take no step and follow no alias for a while.

    What is served is served on.
    """
    _show(session, session.yard().deployments.pause(name), "paused")
    session.out.hint(f"yard resume {name}")


@command("resume", examples=["yard resume fraud"], see=["pause", "rollout"])
@NAME
@pass_session
def resume_command(session: Session, name: str) -> None:
    """Go on after a pause.

    Aliases are followed at once; a rollout takes its next step after a whole interval.
    """
    _show(session, session.yard().deployments.resume(name), "resumed")


def roll_back(session: Session, name: str, to: str | None) -> None:
    """`yard rollback --deployment`."""
    if to is not None and not (to.isascii() and to.isdigit()):
        raise click.UsageError(f"--to takes a generation: yard deployments {name} shows them")
    made = session.yard().deployments.roll_back(name, to=None if to is None else int(to))
    _show(session, made, "rolled back")


def _show(session: Session, made: Deployment, done: str) -> None:
    from modelyard.cli.views.deployments import DeploymentView

    _wait_until_told(session, made)
    session.out.show(DeploymentView(made, done))


def _wait_until_told(session: Session, made: Deployment) -> None:
    """Requests go where they are to go already; `yard deployments` is to say so too."""
    limit = time.monotonic() + _TOLD
    while time.monotonic() < limit:
        now = session.yard().deployments.get(made.name)
        if all(server.generation >= made.generation for server in now.servers):
            return
        time.sleep(0.05)
