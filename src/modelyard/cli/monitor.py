"""`yard monitor`: how deployments are, once or for as long as you look."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.params import DEPLOYED, DURATION
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.cli.output import View
    from modelyard.core.watching import Monitoring

__all__ = ["monitor_command"]

_HOUR = 3600.0
_DRAWN = ("requests", "latency_p99")
_STEPS = 24


@command(
    "monitor",
    examples=[
        "yard monitor",
        "yard monitor fraud --since 24h",
        "yard monitor fraud --follow",
    ],
    see=["report", "alerts", "feedback", "profile", "deployments"],
)
@click.argument("name", type=DEPLOYED, required=False, help="One of them; else all.")
@click.option("--since", metavar="TIME", type=DURATION, default=_HOUR,
              help="How far back: 10m, 24h, 7d. Default: 1h.")  # fmt: skip
@click.option("--follow", "-f", is_flag=True, help="Look again and again, until Ctrl-C.")
@click.option("--every", metavar="TIME", type=DURATION, default=2.0,
              help="Between two looks. Default: 2s.")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="All columns, not only the worst.")
@pass_session
def monitor_command(
    session: Session,
    name: str | None,
    *,
    since: float,
    follow: bool,
    every: float,
    everything: bool,
) -> None:
    """Show how deployments are: speed, quality, drift, anomalies.

    Without NAME all deployments, worst first; of one also how fairly it treats groups. Accuracy is
    realized where truth is known ('yard feedback'), else estimated from the model's own scores.
    Drift is measured against the version's reference ('yard profile'). With --follow and --json
    each change is one line of JSON.
    """
    from modelyard.monitoring.opening import watch

    watching = watch(session.yard())

    def look() -> View:
        if name is None:
            from modelyard.cli.views.fleet import FleetView

            return FleetView(watching.fleet())
        return _of_one(watching, name, since, everything=everything, drawn=session.out.mode)

    if follow:
        _follow(session, look, every)
    session.out.show(look())


def _of_one(watching: Monitoring, name: str, since: float, *, everything: bool, drawn: str) -> View:
    from modelyard.cli.views.monitoring import MonitorView

    until = datetime.now(UTC)
    begin = until - timedelta(seconds=since)
    found = watching.look(name, since=begin, until=until)
    series = (
        watching.series(name, _DRAWN, since=begin, until=until, steps=_STEPS)
        if drawn == "human"
        else ()
    )
    return MonitorView(found, series, everything)


def _follow(session: Session, look: Callable[[], View], every: float) -> None:
    """Until Ctrl-C, which is how this ends, and no failure: nothing is left undone."""
    from modelyard.cli.failures import INTERRUPTED

    try:
        if session.out.mode == "human" and sys.stdout.isatty():
            _redraw(session, look, every)
        _repeat(session, look, every)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


def _repeat(session: Session, look: Callable[[], View], every: float) -> None:
    """What is new, one below the other."""
    from modelyard.cli.output import encode

    told = ""
    while True:
        view = look()
        seen = encode(_timeless(view.json()), pretty=False)
        if seen != told:
            if session.out.mode == "json":
                session.out.write(encode(view.json(), pretty=False))
                session.out.flush()
            else:
                session.out.show(view)
            told = seen
        time.sleep(every)


def _redraw(session: Session, look: Callable[[], View], every: float) -> None:
    """On a screen of its own, which is there again afterwards as it was."""
    from rich.live import Live
    from rich.text import Text

    with Live(screen=True, auto_refresh=False, vertical_overflow="ellipsis") as live:
        while True:
            text = session.out.painted(look())
            live.update(Text.from_ansi(text, no_wrap=True, overflow="ellipsis"), refresh=True)
            time.sleep(every)


def _timeless(told: object) -> object:
    """Without the ends of the window, which are always others."""
    from modelyard.core.wire import builtins

    plain = builtins(told)
    return {key: value for key, value in plain.items() if key not in ("since", "until")}
