"""`yard report`: how a deployment did, as one file to send, to keep, to print."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.params import DEPLOYED, DURATION
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from modelyard.core.yard import Yard

__all__ = ["report_command"]

_DAY = 86_400.0
_STEPS = 120


@command(
    "report",
    examples=[
        "yard report fraud --html fraud.html",
        "yard report fraud --since 30d --html november.html --language zh",
    ],
    see=["monitor", "alerts", "feedback"],
)
@click.argument("name", type=DEPLOYED, help="The deployment.")
@click.option("--html", "file", metavar="FILE", type=click.Path(path_type=Path), required=True,
              help="Where to write it.")  # fmt: skip
@click.option("--since", metavar="TIME", type=DURATION, default=_DAY,
              help="How far back: 1h, 7d, 30d. Default: 1d.")  # fmt: skip
@click.option("--language", type=click.Choice(["en", "zh"]), default="en", help="Default: en.")
@pass_session
def report_command(session: Session, name: str, *, file: Path, since: float, language: str) -> None:
    """Write how a deployment did into one HTML file.

    Performance, quality, drift of every column, fairness, anomalies, alerts and the rules behind
    them, with pictures. The file needs no other: no script, no font, no network.
    """
    from modelyard.cli.views.report import ReportView

    text = _html(session.yard(), name, since, language)
    place = file.expanduser()
    place.write_text(text, encoding="utf-8")
    session.out.show(ReportView(name, place, len(text.encode())))


def _html(yard: Yard, name: str, since: float, language: str) -> str:
    from modelyard.errors import Unsupported
    from modelyard.monitoring.opening import watch

    try:
        from modelyard.server.web.report import DRAWN, report_html, report_of
    except ImportError:
        raise Unsupported(
            "no-extra", "what draws reports is not installed",
            hint="pip install 'modelyard[server]'",
        ) from None  # fmt: skip
    watching = watch(yard)
    until = datetime.now(UTC)
    begin = until - timedelta(seconds=since)
    page = report_of(
        watching.look(name, since=begin, until=until), yard.deployments.get(name).spec,
        watching.series(name, DRAWN, since=begin, until=until, steps=_STEPS),
        yard.deployments.changes(name), watching.rules(name),
    )  # fmt: skip
    return report_html(page, language)
