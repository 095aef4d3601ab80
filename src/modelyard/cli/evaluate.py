"""Measuring versions, comparing them, choosing the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.params import MODEL, TARGET, revision_of, trust_options, trusted_of
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from modelyard.core.names import ModelRevision

__all__ = ["best_command", "compare_command", "evaluate_command"]

SUITES = ("classification", "regression", "ranking", "embedding")


class Bytes(click.ParamType[int]):
    """`4GB`."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        from modelyard.core.conditions import HasSize
        from modelyard.core.query import parse_query
        from modelyard.errors import InvalidInput

        try:
            (condition,) = parse_query(f"size:<{value}").conditions
        except (InvalidInput, ValueError):
            self.fail(f"{value!r} is no size such as 4GB", param, ctx)
        if not isinstance(condition, HasSize):
            self.fail(f"{value!r} is no size such as 4GB", param, ctx)
        return condition.size


@command(
    "evaluate",
    examples=[
        "yard evaluate flowers/iris --data test.csv --target species",
        "yard evaluate flowers/iris@7 --data data/iris@2 --target species --slice region",
        "yard evaluate web/ranker --data clicks.parquet --target relevance --group query",
    ],
    see=["compare", "best", "explain", "show"],
)
@click.argument("target", metavar="MODEL[@REV]", type=TARGET, help="Default of REV: main.")
@click.option("--data", metavar="FILE|DATASET@REV", required=True, help="What to measure it on.")
@click.option(
    "--target", "column", metavar="COL", required=True, help="The column to be predicted."
)
@click.option("--suite", type=click.Choice(SUITES), help="What is measured; guessed if not given.")
@click.option(
    "--slice", "slices", metavar="COL", multiple=True, help="Measure its values apart too."
)
@click.option("--group", metavar="COL", help="The column of the query: measures ranking.")
@click.option("--name", metavar="NAME", help="What the data is called; else as its file.")
@trust_options
@click.option(
    "--timeout", metavar="SECONDS", type=click.FloatRange(min=0, min_open=True),
    help="For loading, and for each batch. Default: 600.",
)  # fmt: skip
@click.option("--memory", metavar="SIZE", type=Bytes(), help="Of its process. Default: 8GiB.")
@click.option(
    "--seed", metavar="N", type=click.IntRange(0, 2**32 - 1), default=0,
    help="Of the resampling behind the intervals.",
)  # fmt: skip
@pass_session
def evaluate_command(
    session: Session,
    target: ModelRevision,
    *,
    data: str,
    column: str,
    suite: str | None,
    slices: tuple[str, ...],
    group: str | None,
    name: str | None,
    trust: tuple[str, ...],
    trust_all: bool,
    timeout: float | None,
    memory: int | None,
    seed: int,
) -> None:
    """Measure a version on data, and keep the result with it.

    CSV, Parquet, Arrow and NPZ are read. The model runs in a process of its own, with limits. The
    measures come with 95 % intervals and become metrics of the version, to search and sort by.
    """
    from modelyard.cli.views.evaluations import EvaluationView
    from modelyard.monitoring.evaluations import watch_evaluations

    watch_evaluations()
    yard = session.yard()
    with session.out.progress() as progress:
        found = yard.evaluate(
            target.model.text, revision_of(target),
            data=data, target=column, suite=suite, slices=slices, group=group, name=name,
            trusted=trusted_of(trust, everything=trust_all), timeout=timeout, memory=memory,
            seed=seed, progress=progress,
        )  # fmt: skip
    session.out.show(EvaluationView(found))
    session.out.hint(f"yard best {found.model} --metric {found.measures[0].name}")


def _way_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--higher` and `--lower`, for metrics that nobody knows by name."""
    return click.option(
        "--higher/--lower", "higher", default=None,
        help="Which way of the metric is better; known for the usual ones.",
    )(function)  # fmt: skip


@command(
    "compare",
    examples=[
        "yard compare flowers/iris 3 7 9",
        "yard compare flowers/iris champion main --metric log_loss",
    ],
    see=["evaluate", "best", "diff"],
)
@click.argument("model", type=MODEL, help="The model.")
@click.argument("revisions", metavar="REV...", nargs=-1, required=True, help="Versions of it.")
@click.option("--metric", metavar="NAME", help="What decides; else the suite's first metric.")
@click.option("--data", metavar="NAME", help="Of the dataset, where there are several.")
@_way_options
@pass_session
def compare_command(
    session: Session,
    model: str,
    revisions: tuple[str, ...],
    *,
    metric: str | None,
    data: str | None,
    higher: bool | None,
) -> None:
    """Compare versions by their evaluations on the same data.

    Differences are tested row by row (McNemar's test for accuracy, else the paired bootstrap;
    corrected after Holm), so that chance is not taken for a lead.
    """
    from modelyard.cli.views.contests import ComparisonView

    found = session.yard().compare(model, revisions, metric=metric, data=data, higher=higher)
    session.out.show(ComparisonView(found))


@command(
    "best",
    examples=[
        "yard best flowers/iris --metric accuracy",
        "yard best flowers/iris --metric accuracy --where 'size<10MB latency_p50<5ms'",
        "yard best flowers/iris --metric log_loss --alias champion",
    ],
    see=["evaluate", "compare", "alias"],
)
@click.argument("model", type=MODEL, help="The model.")
@click.option("--metric", metavar="NAME", required=True, help="What decides.")
@click.option(
    "--where", metavar="CONDITIONS", default="",
    help="Versions must meet all: size<10MB latency_p50<5ms params.C<1 label:x.",
)  # fmt: skip
@click.option("--alias", metavar="NAME", help="Point this alias at it.")
@click.option("--data", metavar="NAME", help="Of the dataset, where there are several.")
@_way_options
@pass_session
def best_command(
    session: Session,
    model: str,
    *,
    metric: str,
    where: str,
    alias: str | None,
    data: str | None,
    higher: bool | None,
) -> None:
    """Find the best version by a metric, and say why.

    Versions that are not significantly worse tie with the leader; a tie is never called a win. In
    a tie the alias stays where it is if that is one of them, or else goes to the smallest.
    """
    from modelyard.cli.views.contests import ChoiceView

    found = session.yard().best(
        model, metric=metric, where=where, alias=alias, data=data, higher=higher
    )
    session.out.show(ChoiceView(found))
