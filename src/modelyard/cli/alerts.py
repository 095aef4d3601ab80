"""Alerts: what fires, by which rules, and of what nobody is to be told for a while."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.params import DEPLOYED, DURATION
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from modelyard.core.watching import Monitoring

__all__ = ["alerts_command", "rules_command", "silence_command"]

_HOUR = 3600.0


@command(
    "alerts",
    examples=["yard alerts", "yard alerts fraud --firing", "yard alerts --json"],
    see=["rules", "silence", "channel", "monitor"],
)
@click.argument("name", type=DEPLOYED, required=False, help="Of this deployment; else of all.")
@click.option("--firing", is_flag=True, help="Only those that fire now.")
@click.option("--before", metavar="ID", type=click.IntRange(min=1),
              help="Only those with smaller ids.")  # fmt: skip
@click.option("--limit", metavar="N", type=click.IntRange(1, 1000), default=30, show_default=True,
              help="How many.")  # fmt: skip
@pass_session
def alerts_command(
    session: Session, name: str | None, firing: bool, before: int | None, limit: int
) -> None:
    """List alerts: what fires, and what did.

    The newest first. With --json each has its evidence: what was measured, and of how many rows.
    """
    from modelyard.cli.views.alerts import AlertsView

    found = _watching(session).alerts(name, firing=firing, before=before)
    session.out.show(AlertsView(list(islice(found, limit))))


@command(
    "rules",
    examples=[
        "yard rules fraud",
        "yard rules fraud --yaml > rules.yaml     # change it, then:",
        "yard rules fraud --set rules.yaml",
    ],
    see=["alerts", "silence", "channel", "export-rules"],
)
@click.argument("name", type=DEPLOYED, required=False, help="The deployment.")
@click.option("--set", "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Give it rules of its own, in YAML; '-' reads them from stdin.")  # fmt: skip
@click.option("--default", "usual", is_flag=True,
              help="Take its own rules away.")  # fmt: skip
@click.option("--yaml", "text", is_flag=True, help="Write them as YAML.")
@click.option("--signals", is_flag=True, help="List what rules may look at.")
@pass_session
def rules_command(
    session: Session, name: str | None, file: Path | None, usual: bool, text: bool, signals: bool
) -> None:
    """Show or set the rules by which a deployment's alerts fire.

    A deployment has the rules that were set for it, else those in monitoring.yaml of its stable
    version, else the usual ones. Rules of a file add to the usual ones, and take the place of those
    with the same name.
    """
    from modelyard.cli.views.alerts import RulesView, SignalsView

    if signals:
        session.out.show(SignalsView())
        return
    if name is None:
        raise click.UsageError("name a deployment: 'yard deployments' lists them")
    if file is not None and usual:
        raise click.UsageError("--set and --default exclude each other")
    watching = _watching(session)
    if file is not None:
        found = watching.set_rules(name, _read(session, file))
    elif usual:
        found = watching.set_rules(name, None)
    else:
        found = watching.rules(name)
    if text and session.out.mode == "human":
        session.out.write(found.text if found.text.endswith("\n") else f"{found.text}\n")
        session.out.flush()
        return
    session.out.show(RulesView(name, found))


@command(
    "silence",
    examples=[
        "yard silence fraud errors --for 2h --reason 'we know, a new version comes'",
        "yard silence",
        "yard silence --end 3",
    ],
    see=["alerts", "rules", "channel"],
)
@click.argument("name", type=DEPLOYED, required=False, help="The deployment.")
@click.argument("rule", required=False, help="One of its rules; else all.")
@click.option("--for", "seconds", metavar="TIME", type=DURATION, default=_HOUR,
              help="How long: 30m, 2h, 1d. Default: 1h.")  # fmt: skip
@click.option("--reason", metavar="TEXT", default="", help="Why, for others.")
@click.option("--all", "everything", is_flag=True, help="Of all deployments; takes an admin.")
@click.option("--end", metavar="ID", type=click.IntRange(min=1), help="End a silence.")
@pass_session
def silence_command(
    session: Session,
    name: str | None,
    rule: str | None,
    seconds: float,
    reason: str,
    everything: bool,
    end: int | None,
) -> None:
    """Tell nobody of some alerts for a while.

    They fire all the same, and are listed; what still fires when the silence ends is told then.
    Without NAME the silences that hold are listed.
    """
    from modelyard.cli.views.alerts import SilencesView

    if sum((name is not None, everything, end is not None)) > 1:
        raise click.UsageError("a deployment, --all and --end exclude each other")
    watching = _watching(session)
    if end is not None:
        watching.unsilence(end)
        session.out.show(SilencesView((), f"ended silence {end}"))
    elif name is not None or everything:
        made = watching.silence(name or "", rule or "", seconds=seconds, reason=reason)
        session.out.show(SilencesView([made]))
        session.out.hint(f"yard silence --end {made.id} ends it")
    else:
        session.out.show(SilencesView(watching.silences()))


def _watching(session: Session) -> Monitoring:
    from modelyard.monitoring.opening import watch

    return watch(session.yard())


def _read(session: Session, file: Path) -> str:
    from modelyard.errors import InvalidInput

    if str(file) == "-":
        return sys.stdin.read()
    try:
        return (session.cwd / file.expanduser()).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InvalidInput("bad-rules", f"{file} can't be read") from None
