"""The audit log: who did what, when and from where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modelyard.cli.accounts import people
from modelyard.cli.command import command
from modelyard.cli.params import MODEL
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["audit_command"]

_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"])


@command(
    "audit",
    examples=[
        "yard audit vision/resnet --action alias",
        "yard audit --account ann --since 2026-11-01 --export csv > audit.csv",
        "yard audit --head",
    ],
    see=["log", "events", "verify"],
)
@click.argument("model", type=MODEL, required=False, help="Only of this model.")
@click.option("--account", metavar="NAME", help="Only what this account did.")
@click.option("--action", metavar="WORD", help="Only this, such as alias, role or sign-in-failed.")
@click.option("--since", metavar="TIME", type=_TIME, help="Only from this time on (UTC).")
@click.option("--until", metavar="TIME", type=_TIME, help="Only before this time (UTC).")
@click.option("--limit", metavar="N", type=click.IntRange(1, 1000), default=30, show_default=True,
              help="How many, newest first.")  # fmt: skip
@click.option("--after", metavar="ID", help="Go on after this line, into the past.")
@click.option("--export", type=click.Choice(["csv", "json"]),
              help="Write all of them to stdout, as CSV or JSON lines.")  # fmt: skip
@click.option("--head", is_flag=True,
              help="Seal the log, and show the end of its chain: keep it elsewhere.")  # fmt: skip
@click.option("--expect", metavar="DIGEST",
              help="Tell whether the chain still has a seal that was kept elsewhere.")  # fmt: skip
@pass_session
def audit_command(
    session: Session,
    model: str | None,
    account: str | None,
    action: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    after: str | None,
    export: str | None,
    head: bool,
    expect: str | None,
) -> None:
    """Show who did what, when and from where.

    Lines about models that you maintain; all of them for an admin of the yard. 'yard verify' checks
    that none was altered, added or taken away since it was sealed.
    """
    from modelyard.cli.views.people import AuditView, HeadView
    from modelyard.core.people import AuditFilter

    desk, out = people(session), session.out
    if expect is not None:
        out.show(HeadView(desk.expect_head(expect)))
        return
    if head:
        out.show(HeadView(desk.chain_head()))
        return
    wanted = AuditFilter(model=model, account=account, action=action, since=since, until=until)
    if export is None:
        out.show(AuditView(desk.audit(wanted, limit=limit, after=after)))
        return
    from modelyard.core.trail import as_csv, as_json_lines

    lines = desk.every_line(wanted)
    for text in as_csv(lines) if export == "csv" else as_json_lines(lines):
        out.write_bytes(text.encode())
    out.flush()
