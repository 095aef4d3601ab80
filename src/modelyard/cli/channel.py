"""Channels: where people are told of alerts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.command import command
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from modelyard.core.telling import Telling

__all__ = ["channel_command"]

_ACTIONS = ("list", "add", "test", "delete")
_WANTED = {"list": 0, "add": 3, "test": 1, "delete": 1}


@command(
    "channel",
    examples=[
        "yard channel add ops webhook https://ci.example.org/alerts --severity critical",
        "yard channel add team slack https://hooks.slack.com/services/T/B/X --deployment 'fraud-*'",
        "yard channel test ops",
    ],
    see=["alerts", "rules", "silence", "webhook"],
)
@click.argument("action", type=click.Choice(_ACTIONS), default="list", help="Default: list.")
@click.argument("given", metavar="[NAME] [KIND] [ADDRESS]", nargs=-1,
                help="KIND: webhook, email, slack, dingtalk, feishu or wecom.")  # fmt: skip
@click.option("--deployment", "pattern", metavar="PATTERN", default="*",
              help="Of a new one: only alerts of these, such as 'fraud-*'.")  # fmt: skip
@click.option("--severity", type=click.Choice(["info", "warning", "critical"]), default="warning",
              show_default=True, help="Of a new one: the least that it is told.")  # fmt: skip
@click.option("--secret", metavar="env:NAME|-",
              help="What signs (dingtalk, feishu), or the password of the relay.")  # fmt: skip
@click.option("--relay", metavar="URL", help="Of e-mail: smtp://USER@HOST:587 or smtps://...")
@click.option("--from", "sender", metavar="ADDRESS", help="Of e-mail: where it comes from.")
@pass_session
def channel_command(
    session: Session,
    action: str,
    given: tuple[str, ...],
    pattern: str,
    severity: Any,
    secret: str | None,
    relay: str | None,
    sender: str | None,
) -> None:
    """List, make, try or delete ways to tell people of alerts.

    A server sends: what fires at once, what is over, and again every four hours what still fires.
    A webhook gets signed events; its secret is shown once. 'slack' is for Slack, Mattermost,
    Rocket.Chat and Discord. 'test' sends a notice and says what came of it.
    """
    from modelyard.cli.views import alerts as views
    from modelyard.core.channels import NewChannel

    if len(given) != _WANTED[action]:
        names = {0: "nothing", 1: "a name", 3: "a name, a kind and an address"}
        raise click.UsageError(f"'{action}' takes {names[_WANTED[action]]}")
    telling, out = _telling(session), session.out
    if action == "list":
        out.show(views.ChannelsView(telling.channels()))
    elif action == "add":
        kind: Any = given[1]
        made = telling.add_channel(
            NewChannel(
                name=given[0], kind=kind, address=given[2], pattern=pattern, severity=severity,
                secret=_secret(session, secret), relay=relay, sender=sender,
            )
        )  # fmt: skip
        out.show(views.MadeChannelView(made))
        out.hint(f"yard channel test {given[0]}")
    elif action == "test":
        tried = telling.test_channel(given[0])
        out.show(views.ToldView(tried))
        if tried.status is None and "may" in tried.error:  # refused before it was sent
            out.hint("yard server --private-hooks lets them go to private networks and any port")
        if not tried.is_good:
            raise SystemExit(1)
    else:
        out.show(views.ChannelsView([telling.remove_channel(given[0])], done="deleted"))


def _secret(session: Session, source: str | None) -> str | None:
    """Never from the command line itself: others see it in the list of processes."""
    if source is None:
        return None
    if source == "-":
        if sys.stdin.isatty():
            return str(click.prompt("Secret", hide_input=True, err=True))
        return sys.stdin.readline().rstrip("\n")
    kind, _, name = source.partition(":")
    if kind != "env" or not name:
        raise click.UsageError("--secret takes env:NAME, or '-' to type it")
    value = session.environment.get(name)
    if not value:
        raise click.UsageError(f"--secret: {name} is not set")
    return value


def _telling(session: Session) -> Telling:
    from modelyard.registry.local import LocalYard

    yard = session.yard()
    if isinstance(yard, LocalYard):
        from modelyard.monitoring.alerts.desk import LocalTelling
        from modelyard.server.outside import Door

        return LocalTelling(yard.house, Door(private=False))
    from modelyard.client.channels import RemoteTelling
    from modelyard.client.remote import RemoteYard

    assert isinstance(yard, RemoteYard)
    return RemoteTelling(yard.desk.connection)
