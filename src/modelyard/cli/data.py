"""`yard data`: a look at data before anything is learned from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.command import command
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from modelyard.optimization.data_profile import Labelled

__all__ = ["data_command"]


@command(
    "data",
    examples=[
        "yard data train.csv --target species",
        "yard data train.csv --target species --holdout test.csv",
        "yard data data/iris@1 --target species --json",
    ],
    see=["optimize", "profile", "evaluate"],
)
@click.argument("data", metavar="FILE|DATASET", help="Rows to look at.")
@click.option(
    "--target", "column", metavar="COL",
    help="The column that is predicted: then leaks, balance and labels are looked at.",
)  # fmt: skip
@click.option(
    "--holdout", metavar="FILE|DATASET", help="Rows to measure with: are they among the others?"
)
@click.option("--labels/--no-labels", default=True, help="Look for wrong labels. Default: do.")
@click.option("--seed", metavar="N", type=int, default=0, help="Default: 0.")
@pass_session
def data_command(
    session: Session, *, data: str, column: str | None, holdout: str | None, labels: bool, seed: int
) -> None:
    """Look at data: columns, copies, leaks, wrong labels.

    Nothing is changed or kept. Wrong labels are found by a model that did not learn from them
    (confident learning); a column leaks if it tells the target by itself.
    """
    from modelyard.cli.views.data import DataView
    from modelyard.optimization.data_profile import profile_data

    rows = _rows(session, data, column)
    other = None if holdout is None else _rows(session, holdout, column)
    with session.out.progress() as progress:
        del progress  # seconds at most; what takes longer than half of one is labels
        found = profile_data(
            rows.rows, None if other is None else other.rows, name=data, target=column or "",
            without_target=rows.left_out, labels=labels, seed=seed,
        )  # fmt: skip
    session.out.show(DataView(found))
    passes = list(dict.fromkeys(name for each in found.findings for name in each.passes))
    if passes:
        session.out.hint(f"passes of a recipe that may help: {', '.join(passes)}")


def _rows(session: Session, data: str, column: str | None) -> Labelled:
    """Of a file here, or of a dataset of the yard."""
    from modelyard.optimization.data_profile import labelled
    from modelyard.registry.data import find_data

    place = Path(data).expanduser()
    if place.is_file():
        return labelled(place, column)
    yard: Any = session.yard()
    with find_data(yard.desk, data) as found:
        return labelled(found.path, column)
