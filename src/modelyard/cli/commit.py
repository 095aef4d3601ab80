"""`yard commit`: from a path into a model, or from a checkout back to its branch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from modelyard.cli.command import command
from modelyard.cli.params import LABEL, METRIC, MODEL, PARAM
from modelyard.cli.session import Session, pass_session
from modelyard.cli.views.versions import CommittedView

if TYPE_CHECKING:
    from modelyard.core.version import Committed
    from modelyard.core.yard import Yard

__all__ = ["commit_command"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be committed with the files."""

    message: str
    branch: str | None
    metrics: dict[str, float]
    params: dict[str, Any]
    labels: dict[str, str]
    parent: str | None
    only: tuple[str, ...]
    data: tuple[str, ...] = ()
    kind: Literal["model", "dataset"] = "model"


@command(
    "commit",
    examples=[
        'yard commit vision/resnet out/ -m "first baseline" --metric acc=0.912',
        "yard commit vision/resnet model.onnx -m smaller --branch quantized --parent 3",
        'yard commit -m "new head"        # in a checkout: to the branch it came from',
    ],
    see=["status", "log", "diff"],
)
@click.argument("model", type=MODEL, required=False, help="A name: [namespace/]name.")
@click.argument(
    "path", type=click.Path(exists=True, path_type=Path), required=False, help="A file or folder."
)
@click.option("-m", "--message", metavar="MSG", default="", help="What is new, in a line or more.")
@click.option(
    "-b", "--branch", metavar="BRANCH", help="The branch to commit to, made if new. Default: main."
)
@click.option("--metric", "metrics", type=METRIC, multiple=True, help="A measured number.")
@click.option("--param", "params", type=PARAM, multiple=True, help="A parameter of the training.")
@click.option("--label", "labels", type=LABEL, multiple=True, help="A label of this version.")
@click.option(
    "--data",
    metavar="FILE|DATASET",
    multiple=True,
    help="What it was trained on: a file, or a dataset such as data/wine@3.",
)
@click.option(
    "--kind",
    type=click.Choice(["model", "dataset"]),
    default="model",
    help="A dataset is kept like a model. Default: model.",
)
@click.option("--parent", metavar="REV", help="The version that this one was made from.")
@click.option(
    "--only",
    metavar="GLOB",
    multiple=True,
    help="Take only these files; the rest as in the parent.",
)
@pass_session
def commit_command(
    session: Session,
    model: str | None,
    path: Path | None,
    *,
    message: str,
    branch: str | None,
    metrics: tuple[tuple[str, float], ...],
    params: tuple[tuple[str, Any], ...],
    labels: tuple[tuple[str, str], ...],
    data: tuple[str, ...],
    kind: Literal["model", "dataset"],
    parent: str | None,
    only: tuple[str, ...],
) -> None:
    """Store a file or folder as the next version of a model.

    Without MODEL and PATH, commits what was changed in the checkout around the working folder.
    Content that the branch has already makes no new version.
    """
    wish = Wish(
        message, branch, dict(metrics), dict(params), dict(labels), parent, only, data, kind
    )
    if model is None:
        yard, made = _from_checkout(session, wish)
    elif path is None:
        raise click.UsageError("give MODEL and PATH, or neither of them in a checkout")
    else:
        yard, made = _from_path(session, model, path, wish)
    session.out.show(CommittedView(made))
    for warning in made.warnings:
        session.out.warn(warning)
    if made.created and session.out.mode == "human":
        session.out.hint(_next(yard, made))


def _from_path(session: Session, model: str, path: Path, wish: Wish) -> tuple[Yard, Committed]:
    from modelyard.errors import NotFound

    yard = session.yard_to_fill()
    with session.out.progress() as progress:
        try:
            return yard, yard.commit(
                model,
                session.cwd / path,
                message=wish.message,
                branch=wish.branch,
                parent=wish.parent,
                only=wish.only,
                metrics=wish.metrics,
                params=wish.params,
                labels=wish.labels,
                data=_roles(wish.data),
                kind=wish.kind,
                progress=progress,
            )
        except NotFound as error:
            if error.message != f"no model named {model}":
                raise
            raise NotFound(
                "no-model", error.message,
                hint="a commit makes it if you have the role writer there: yard whoami",
            ) from None  # fmt: skip


def _roles(data: tuple[str, ...]) -> object:
    """One is what was trained on; several may say their roles: `train=a.csv`."""
    if not data:
        return None
    pairs = [text.partition("=") for text in data]
    if len(data) == 1 and not pairs[0][1]:
        return data[0]
    return {key if eq else f"data{i}": value if eq else key
            for i, (key, eq, value) in enumerate(pairs, 1)}  # fmt: skip


def _from_checkout(session: Session, wish: Wish) -> tuple[Yard, Committed]:
    from modelyard.registry import checkout

    here = session.checkout()
    if wish.data or wish.kind != "model":
        raise click.UsageError("--data and --kind are for MODEL and PATH")
    if wish.parent is not None:
        raise click.UsageError("--parent is for MODEL and PATH: a checkout knows its parent")
    yard = session.yard_of(here)
    with session.out.progress() as progress:
        return yard, checkout.commit(
            yard,
            here,
            wish.message,
            branch=wish.branch,
            only=wish.only,
            metrics=wish.metrics,
            params=wish.params,
            labels=wish.labels,
            progress=progress,
        )


def _next(yard: Yard, made: Committed) -> str:
    parents = yard.resolve(made.model, made.number).parents
    if not parents:
        return f"yard show {made.model}"
    return f"yard diff {made.model}@{parents[0]} {made.number}"
