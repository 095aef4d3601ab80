"""`yard optimizations`: what was optimized, or how far one is; `yard recipes`."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from modelyard.core.optimization import Optimization
    from modelyard.core.yard import Yard

__all__ = ["optimizations_command"]

_EVERY = 1.0


@command(
    "optimizations",
    examples=[
        "yard optimizations vision/digits",
        "yard optimizations 7 --follow",
        "yard optimizations 7 --cancel",
    ],
    see=["optimize", "suggest", "recipes"],
)
@click.argument("what", metavar="MODEL|ID", required=False, help="Of a model, or one; else all.")
@click.option("--follow", "-f", is_flag=True, help="Of one that runs: look until it ends.")
@click.option("--cancel", is_flag=True, help="Stop it; what was published stays.")
@click.option("--all", "everything", is_flag=True, help="All trials, not only the best.")
@click.option("--limit", metavar="N", type=click.IntRange(1, 10_000), default=30,
              show_default=True, help="How many.")  # fmt: skip
@pass_session
def optimizations_command(
    session: Session, what: str | None, *, follow: bool, cancel: bool, everything: bool, limit: int
) -> None:
    """List what was optimized, or show one and its trials.

    Before and after are proved on rows that no pass has seen: costs as ratios, metrics with 95 %
    intervals of their difference.
    """
    from modelyard.cli.views.optimizations import OptimizationsView, OptimizationView

    yard = session.yard()
    if what is None or not what.isdigit():
        if follow or cancel:
            raise click.UsageError("--follow and --cancel take the id of one")
        found = list(islice(yard.optimizations.list(what), limit))
        session.out.show(OptimizationsView(found))
        return
    number = int(what)
    if cancel:
        ended = yard.optimizations.cancel(number)
        session.out.show(OptimizationView(ended, yard.optimizations.trials(number)))
        return
    one = yard.optimizations.get(number)
    if follow and one.state == "running":
        one = _followed(session, yard, one)
    session.out.show(OptimizationView(one, yard.optimizations.trials(number), everything))
    if one.state in ("stopped", "failed"):
        trusted = "with the --trust that it began with, if any"
        session.out.hint(f"yard optimize --resume {one.id}, {trusted}")


def _followed(session: Session, yard: Yard, one: Optimization) -> Optimization:
    """It, once it has ended. Ctrl-C ends the looking only."""
    from modelyard.cli.failures import INTERRUPTED
    from modelyard.cli.improving import Watching

    known: dict[int, object] = {}
    with Watching(session.out) as watching:
        try:
            while one.state == "running":
                trials = yard.optimizations.trials(one.id)
                fresh = [each for each in trials if known.get(each.number) != each]
                known.update({each.number: each for each in fresh})
                watching.report(one, fresh)
                time.sleep(_EVERY)
                one = yard.optimizations.get(one.id)
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None
    return one
