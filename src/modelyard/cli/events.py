"""What happens in a yard: listed, followed, and told to others by webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from modelyard.core.hearing import Hearing

__all__ = ["events_command", "webhook_command"]

_ACTIONS = ("list", "add", "remove", "test", "on", "off", "deliveries", "redeliver")


@command(
    "events",
    examples=[
        "yard events",
        "yard events --follow --model 'vision/*' --kind version-committed",
        "yard events --after 1200 --json",
    ],
    see=["webhook", "log", "audit"],
)
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens from now on.")
@click.option("--model", "pattern", metavar="PATTERN", default="*",
              help="Only of these models: a name, or 'vision/*'.")  # fmt: skip
@click.option("--kind", "kinds", metavar="KIND", multiple=True,
              help="Only of this kind, such as ref-moved; may be repeated.")  # fmt: skip
@click.option("--after", metavar="ID", type=click.IntRange(min=0),
              help="Begin after this event.")  # fmt: skip
@click.option("--limit", metavar="N", type=click.IntRange(1, 1000), default=30, show_default=True,
              help="How many, if they are not followed.")  # fmt: skip
@pass_session
def events_command(
    session: Session,
    follow: bool,
    pattern: str,
    kinds: tuple[str, ...],
    after: int | None,
    limit: int,
) -> None:
    """List what happened, or follow what happens.

    The newest events, the oldest of them first, or with --after those that came after one. With
    --follow and --json each event is one line of JSON; --follow --after goes on where another call
    ended.
    """
    from modelyard.cli.failures import INTERRUPTED
    from modelyard.cli.output import encode
    from modelyard.cli.views.events import EventsView, EventView
    from modelyard.core.events import wanted

    hearing, asked = _hearing(session), wanted(kinds, pattern)
    if not follow:
        session.out.show(EventsView(hearing.events(after=after, wanted=asked, limit=limit)))
        return
    try:
        for event in hearing.follow(after=after, wanted=asked):
            if session.out.mode == "json":
                session.out.write(encode(event, pretty=False))
                session.out.flush()
            else:
                session.out.show(EventView(event))
    except KeyboardInterrupt:  # how this ends, and no failure: nothing is left undone
        raise SystemExit(INTERRUPTED) from None


@command(
    "webhook",
    examples=[
        "yard webhook add https://ci.example.org/models --model 'vision/*' --kind ref-moved",
        "yard webhook test 3",
        "yard webhook redeliver 3 118     # delivery 118, which yard webhook deliveries 3 shows",
    ],
    see=["events", "server"],
)
@click.argument("action", type=click.Choice(_ACTIONS), default="list", help="Default: list.")
@click.argument("given", metavar="[URL|ID] [DELIVERY]", nargs=-1,
                help="A new one's URL; else the id of a webhook, and of a delivery.")  # fmt: skip
@click.option("--model", "pattern", metavar="PATTERN", default="*",
              help="Of a new one: tell it of these models only.")  # fmt: skip
@click.option("--kind", "kinds", metavar="KIND", multiple=True,
              help="Of a new one: tell it of this kind only; may be repeated.")  # fmt: skip
@click.option("--limit", metavar="N", type=click.IntRange(1, 1000), default=30, show_default=True,
              help="How many deliveries.")  # fmt: skip
@pass_session
def webhook_command(
    session: Session,
    action: str,
    given: tuple[str, ...],
    pattern: str,
    kinds: tuple[str, ...],
    limit: int,
) -> None:
    """Tell other services of events.

    The server sends each as a signed POST request. 'add' shows the secret that signs them once.
    'test' sends a ping and says what came of it; 'deliveries' lists what was sent, 'redeliver'
    sends one again; 'off' and 'on' pause it.
    """
    from modelyard.cli.views import events as views
    from modelyard.core.hooks import HookChange, NewHook

    hearing, out = _hearing(session), session.out
    wanted = {"list": 0, "redeliver": 2}.get(action, 1)
    if len(given) != wanted:
        names = ("nothing", "a URL" if action == "add" else "an id", "two ids")
        raise click.UsageError(f"'{action}' takes {names[wanted]}")
    if action == "list":
        out.show(views.HooksView(hearing.hooks()))
        return
    if action == "add":
        new = NewHook(url=given[0], events=tuple(kinds), pattern=pattern)
        out.show(views.MadeHookView(hearing.add_hook(new)))
        return
    keys = [_number(text) for text in given]
    if action == "remove":
        out.show(views.HooksView([hearing.remove_hook(keys[0])], done="removed"))
    elif action == "test":
        tried = hearing.test_hook(keys[0])
        out.show(views.TriedView(tried))
        if tried.status is None and "webhooks may" in tried.error:  # refused before it was sent
            out.hint("yard server --private-hooks lets them go to private networks and any port")
        if not tried.is_good:
            raise SystemExit(1)
    elif action == "deliveries":
        out.show(views.DeliveriesView(hearing.deliveries(keys[0], limit)))
    elif action == "redeliver":
        out.show(views.DeliveriesView([hearing.redeliver(keys[0], keys[1])]))
    else:
        change = HookChange(active=action == "on")
        out.show(views.HooksView([hearing.change_hook(keys[0], change)]))


def _number(text: str) -> int:
    if not text.isdigit() or len(text) > 18:
        raise click.UsageError(f"{text[:40]!r} is no id: 'yard webhook list' shows them")
    return int(text)


def _hearing(session: Session) -> Hearing:
    from modelyard.registry.local import LocalYard

    yard = session.yard()
    if isinstance(yard, LocalYard):
        from modelyard.registry.hearing import LocalHearing
        from modelyard.server.hooks import ping
        from modelyard.server.settings import Settings

        return LocalHearing(yard.house, lambda house, row: ping(house, Settings(), row))
    from modelyard.client.events import RemoteHearing
    from modelyard.client.remote import RemoteYard

    assert isinstance(yard, RemoteYard)
    return RemoteHearing(yard.desk.connection)
