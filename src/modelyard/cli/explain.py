"""`yard explain`: which inputs matter, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.command import command
from modelyard.cli.params import TARGET, revision_of, trust_options, trusted_of
from modelyard.cli.session import Session, pass_session
from modelyard.cli.views.explanations import ExplanationView

if TYPE_CHECKING:
    from modelyard.core.names import ModelRevision

__all__ = ["explain_command"]


@command(
    "explain",
    examples=[
        "yard explain flowers/iris@champion --data iris.csv --target species",
        "yard explain flowers/iris --data data/iris@1 --shap",
    ],
    see=["evaluate", "show"],
)
@click.argument("target", metavar="MODEL[@REV]", type=TARGET, help="The version to explain.")
@click.option("--data", metavar="FILE|DATASET", required=True, help="Rows to ask the model about.")
@click.option(
    "--target", "column", metavar="COL",
    help="The column of right answers: importance is then a drop of the score.",
)  # fmt: skip
@click.option("--rows", metavar="N", type=int, default=1000, help="Rows drawn. Default: 1000.")
@click.option("--repeats", metavar="N", type=int, default=5, help="Shuffles a column. Default: 5.")
@click.option("--shap", is_flag=True, help="Compute SHAP values too (extra: explain).")
@click.option("--seed", metavar="N", type=int, default=0, help="Default: 0.")
@trust_options
@pass_session
def explain_command(
    session: Session,
    target: ModelRevision,
    *,
    data: str,
    column: str | None,
    rows: int,
    repeats: int,
    shap: bool,
    seed: int,
    trust: tuple[str, ...],
    trust_all: bool,
) -> None:
    """Find out which inputs matter to a model, and how.

    Each column is shuffled to see how much worse the answers get; then it is set to one value after
    the other. Works for every model that can be asked. The result is kept with the version and
    shown by 'yard show'.
    """
    from modelyard.optimization.explain import explain

    yard: Any = session.yard()
    with session.out.progress() as progress:
        found = explain(
            yard,
            target.model.text,
            revision_of(target),
            data=data,
            target=column,
            rows=rows,
            repeats=repeats,
            shap=shap,
            seed=seed,
            trusted=trusted_of(trust, everything=trust_all),
            progress=progress,
        )
    session.out.show(ExplanationView(found))
