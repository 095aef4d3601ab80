"""New versions out of old ones: revert, merge of files, mixing of weights."""

from __future__ import annotations

import click

from modelyard.cli.command import command
from modelyard.cli.params import MODEL
from modelyard.cli.session import Session, pass_session
from modelyard.cli.views.mixing import MixedView
from modelyard.cli.views.versions import CommittedView

__all__ = ["merge_command", "revert_command"]

METHODS = ("average", "weighted", "slerp", "ties", "dare", "task-arithmetic")
"""As `core.mixing` knows them; numpy need not be loaded for help."""


@command(
    "revert",
    examples=["yard revert vision/resnet 5", "yard revert vision/resnet prod --branch quantized"],
    see=["rollback", "log"],
)
@click.argument("model", type=MODEL, help="The model.")
@click.argument("revision", metavar="REV", help="The version whose content comes back.")
@click.option(
    "-b", "--branch", metavar="BRANCH", help="The branch that gets the new version. Default: main."
)
@pass_session
def revert_command(session: Session, model: str, revision: str, branch: str | None) -> None:
    """Make a new version with the content of an old one.

    History stays; nothing is stored twice. To point an alias back, use 'yard rollback'.
    """
    session.out.show(CommittedView(session.yard().revert(model, revision, branch=branch)))


@command(
    "merge",
    examples=[
        "yard merge vision/resnet quantized --into main",
        "yard merge vision/resnet main tuned --method average",
        "yard merge vision/resnet 3 7 9 --method ties --density 0.2 --into merged",
    ],
    see=["diff", "branch", "log"],
)
@click.argument("model", type=MODEL, help="The model.")
@click.argument(
    "sources",
    metavar="FROM | A B...",
    nargs=-1,
    required=True,
    help="The branch or version whose changes are wanted; with --method, those to mix.",
)
@click.option("--into", metavar="BRANCH", help="The branch that gets the result.")
@click.option("-m", "--message", metavar="MSG", default="", help="Default: says what was merged.")
@click.option("--method", type=click.Choice(METHODS), help="Mix weights, in this way.")
@click.option(
    "--base", metavar="REV", help="What they were tuned from. Default: the common ancestor."
)
@click.option(
    "--weight", "weights", type=float, multiple=True, help="One for each version, in their order."
)
@click.option("--density", type=float, help="ties, dare: share of changes that is kept.")
@click.option("--scale", type=float, help="With a base: factor of the merged change.")
@click.option("--seed", type=int, help="dare: what is dropped depends on it.")
@pass_session
def merge_command(
    session: Session,
    model: str,
    sources: tuple[str, ...],
    *,
    into: str | None,
    message: str,
    method: str | None,
    base: str | None,
    weights: tuple[float, ...],
    density: float | None,
    scale: float | None,
    seed: int | None,
) -> None:
    """Bring the changes of one branch into another, or mix weights.

    Without --method, 'yard merge MODEL FROM --into BRANCH' merges files: those that only one side
    changed are taken from it. If both changed a file, nothing is merged and the files in conflict
    are listed.

    With --method, 'yard merge MODEL A B...' makes a version whose weights are mixed of those of A,
    B and more; all other files are A's. It goes to the branch whose tip A is, or to a new one
    that --into names. ties, dare and task-arithmetic add up what each version changed of a base.
    """
    if method is None:
        given = {"--base": base, "--density": density, "--scale": scale, "--seed": seed}
        extra = [name for name, value in given.items() if value is not None]
        extra += ["--weight"] if weights else []
        _check_files(sources, into, extra)
        made = session.yard().merge(model, sources[0], into=into or "", message=message)
        session.out.show(CommittedView(made))
        return
    with session.out.progress() as progress:
        mixed = session.yard().mix(
            model, sources,
            method=method, base=base, weights=weights or None, density=density, scale=scale,
            seed=seed, into=into, message=message, progress=progress,
        )  # fmt: skip
    session.out.show(MixedView(mixed))
    for warning in mixed.warnings:
        session.out.warn(warning)


def _check_files(sources: tuple[str, ...], into: str | None, extra: list[str]) -> None:
    """A merge of files has one source and a goal, and no numbers."""
    if extra:
        raise click.UsageError(f"{', '.join(extra)} needs --method: only weights are mixed so")
    if len(sources) > 1:
        raise click.UsageError(
            "files of one branch are merged into another: FROM --into BRANCH; "
            f"to mix weights, say how: --method {'|'.join(METHODS)}"
        )
    if into is None:
        raise click.UsageError("say which branch gets the changes: --into BRANCH")
