"""Looking at versions: show, log, diff, cat."""

from __future__ import annotations

import itertools
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

import click

from modelyard.cli.command import command
from modelyard.cli.params import TARGET, revision_of
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.core.explanation import Explanation
    from modelyard.core.names import ModelRevision
    from modelyard.core.yard import Yard

__all__ = ["cat_command", "diff_command", "log_command", "show_command"]


@command(
    "show",
    examples=["yard show vision/resnet", "yard show vision/resnet@prod --all"],
    see=["log", "diff", "cat"],
)
@click.argument("target", metavar="MODEL[@REV]", type=TARGET, help="Default of REV: main.")
@click.option("--all", "every_tensor", is_flag=True, help="List all tensors, not only the first.")
@pass_session
def show_command(session: Session, target: ModelRevision, every_tensor: bool) -> None:
    """Show one version: card, files, tensors, metrics.

    Only headers are read, never the weights, and nothing in a file is executed.
    """
    from modelyard.cli.views.detail import DetailView

    yard = session.yard()
    detail = yard.show(target.model.text, revision_of(target))
    refs = () if target.revision else yard.refs(target.model.text)
    version = (detail.version.model, detail.version.number)
    measured = tuple(yard.evaluations(*version))
    session.out.show(DetailView(detail, every_tensor, refs, measured, _explained(yard, *version)))


def _explained(yard: Yard, model: str, number: int) -> Explanation | None:
    """The newest explanation that can be read, of a version.

    Nothing heavy is imported where there is none.
    """
    from modelyard.core.explanation import Explanation
    from modelyard.errors import Corrupt

    for report in yard.reports(model, number, "explanation"):
        with suppress(Corrupt):
            return Explanation.decode(report.content)
    return None


@command(
    "log",
    examples=[
        "yard log vision/resnet               # all branches",
        "yard log vision/resnet@prod --limit 5",
        "yard log vision/resnet@prod --moves  # where the alias pointed, and when",
    ],
    see=["show", "diff", "rollback"],
)
@click.argument("target", metavar="MODEL[@REV]", type=TARGET, help="REV: only what led to it.")
@click.option(
    "-n", "--limit", metavar="N", type=click.IntRange(min=1), help="Show so many, newest first."
)
@click.option("--moves", is_flag=True, help="Show the moves of the refs (of REV) instead.")
@pass_session
def log_command(session: Session, target: ModelRevision, limit: int | None, moves: bool) -> None:
    """Show the history of a model as a graph.

    Each version has two lines: number, commit, refs and message, then author, time, size, the bytes
    that were new, and metrics.
    """
    from modelyard.cli.views.versions import LogView, MovesView

    model, revision = target.model.text, revision_of(target)
    yard = session.yard()
    if moves:
        session.out.show(MovesView(list(itertools.islice(yard.reflog(model, revision), limit))))
    else:
        session.out.show(LogView(itertools.islice(yard.log(model, revision), limit)))


@command(
    "diff",
    examples=[
        "yard diff vision/resnet@1 main",
        "yard diff vision/resnet@prod vision/resnet-small@main --limit 10",
        "yard diff vision/resnet@1 2 --exit-code --quiet",
    ],
    see=["show", "log"],
)
@click.argument("a", metavar="A", type=TARGET, help="MODEL@REV.")
@click.argument("b", metavar="B", help="MODEL@REV, or REV of the same model.")
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=0), help="So many tensors, most changed first."
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 if there is a difference.")
@pass_session
def diff_command(
    session: Session, a: ModelRevision, b: str, limit: int | None, exit_code: bool
) -> int:
    """Show what differs between two versions, tensor by tensor.

    Change is the size of the difference over the size of the old values; cosine is 1 where the
    direction stayed. Tensors that share their stored chunks are not read.
    """
    from modelyard.cli.views.diffs import DiffView

    yard = session.yard()
    other = _other(yard, a, b)
    with session.out.progress() as progress:
        diff = yard.diff(str(a), str(other), limit=limit, progress=progress)
    session.out.show(DiffView(diff, limit))
    return 1 if exit_code and diff else 0


@command(
    "cat",
    examples=[
        "yard cat vision/resnet@prod config.json",
        "yard cat vision/resnet@3 model.onnx > model.onnx",
    ],
    see=["show", "checkout"],
)
@click.argument("target", metavar="MODEL[@REV]", type=TARGET, help="Default of REV: main.")
@click.argument("path", metavar="FILE", help="The file's path inside the version.")
@pass_session
def cat_command(session: Session, target: ModelRevision, path: str) -> None:
    """Write one file of a version to stdout.

    The bytes come as they were committed. With --json they are text, or base64 if they are not
    UTF-8.
    """
    from modelyard.cli.views.files import FileView, TextView

    with session.yard().open(target.model.text, revision_of(target), path) as file:
        if session.out.mode == "json":
            session.out.show(FileView(path, file.read()))
        elif sys.stdout.isatty():
            session.out.show(TextView.read(path, file))
        else:
            _copy(session, file)


BLOCK = 1 << 20


def _copy(session: Session, file: BinaryIO) -> None:
    while block := file.read(BLOCK):
        session.out.write_bytes(block)


def _other(yard: Yard, a: ModelRevision, b: str) -> ModelRevision:
    """B as `MODEL@REV`, as a revision of A's model, or else as a model."""
    from modelyard.core.names import ModelRevision, parse_revision

    model, at, revision = b.partition("@")
    if model and at:
        return ModelRevision.parse(b)
    own = ModelRevision(a.model, parse_revision(revision if at else model))
    if _is_there(yard.resolve, a.model.text, revision_of(own)):
        return own
    return ModelRevision.parse(b) if _is_there(yard.model_info, b) else own


def _is_there(find: Callable[..., object], *names: str | None) -> bool:
    from modelyard.errors import InvalidInput, NotFound

    try:
        find(*names)
    except (NotFound, InvalidInput):
        return False
    return True
