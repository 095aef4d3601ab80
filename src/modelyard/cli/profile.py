"""`yard profile`: what a version's traffic is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.params import TARGET, revision_of, trust_options, trusted_of
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from modelyard.core.names import ModelRevision

__all__ = ["profile_command"]


@command(
    "profile",
    examples=[
        "yard profile flowers/iris@champion --data train.csv --target species",
        "yard profile bank/loans@7 --data data/loans@2 --target repaid --group sex",
        "yard profile bank/loans@7",
    ],
    see=["monitor", "evaluate", "report"],
)
@click.argument("target", metavar="MODEL[@REV]", type=TARGET, help="Default of REV: main.")
@click.option("--data", metavar="FILE|DATASET", help="Rows as they should be; else it is shown.")
@click.option(
    "--target", "column", metavar="COL",
    help="The column of right answers: then quality can be estimated and compared.",
)  # fmt: skip
@click.option(
    "--group", "groups", metavar="COL", multiple=True,
    help="A column by whose values the version is to be fair; can be given again.",
)  # fmt: skip
@trust_options
@pass_session
def profile_command(
    session: Session,
    target: ModelRevision,
    *,
    data: str | None,
    column: str | None,
    groups: tuple[str, ...],
    trust: tuple[str, ...],
    trust_all: bool,
) -> None:
    """Make or show what a version's traffic is compared with.

    The version is asked about every row of the data, in a process of its own. What went in and what
    came out is kept as distributions, not as rows (but for a small sample). An evaluation makes a
    reference too, and so do the first 1,000 rows of traffic, if there is none.
    """
    from modelyard.cli.views.profiles import ProfileView
    from modelyard.errors import InvalidInput
    from modelyard.monitoring.opening import watch

    monitoring = watch(session.yard())
    model, revision = target.model.text, revision_of(target)
    if data is None:
        if column or groups:
            raise InvalidInput("no-profile-data", "a reference is made of data", hint="--data FILE")
        session.out.show(ProfileView(monitoring.profile(model, revision)))
        return
    trusted = trusted_of(trust, everything=trust_all)
    found = monitoring.make_profile(
        model, revision, data, target=column, groups=groups, trusted=trusted
    )
    session.out.show(ProfileView(found))
    session.out.hint("yard deploy serves it; yard monitor compares")
