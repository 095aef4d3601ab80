"""New versions out of old ones: revert and merge."""

from __future__ import annotations

import click

from modelyard.cli.command import command
from modelyard.cli.params import MODEL
from modelyard.cli.session import Session, pass_session
from modelyard.cli.views.versions import CommittedView

__all__ = ["merge_command", "revert_command"]


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
        'yard merge vision/resnet 12 --into main -m "take the new tokenizer"',
    ],
    see=["diff", "branch", "log"],
)
@click.argument("model", type=MODEL, help="The model.")
@click.argument("source", metavar="FROM", help="The branch or version whose changes are wanted.")
@click.option("--into", metavar="BRANCH", required=True, help="The branch that gets them.")
@click.option("-m", "--message", metavar="MSG", default="", help="Default: says what was merged.")
@pass_session
def merge_command(session: Session, model: str, source: str, into: str, message: str) -> None:
    """Bring the changes of one branch into another.

    Files that only one side changed are taken from it. If both changed a file, nothing is merged
    and the files in conflict are listed.
    """
    made = session.yard().merge(model, source, into=into, message=message)
    session.out.show(CommittedView(made))
