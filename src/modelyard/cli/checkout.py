"""Checkouts: a version's files in a folder that remembers where they came from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.params import TARGET, revision_of
from modelyard.cli.session import Session, pass_session
from modelyard.cli.views.diffs import StatusView
from modelyard.cli.views.versions import CheckedOutView

if TYPE_CHECKING:
    from modelyard.core.names import ModelRevision

__all__ = ["checkout_command", "pull_command", "status_command"]


@command(
    "checkout",
    examples=[
        "yard checkout vision/resnet work/            # the tip of main",
        "yard checkout vision/resnet@prod serve/",
        "yard checkout vision/resnet@3 old/ --file '*.onnx'",
    ],
    see=["status", "pull", "cat"],
)
@click.argument("target", metavar="MODEL[@REV]", type=TARGET, help="Default of REV: main.")
@click.argument("dest", type=click.Path(path_type=Path), help="The folder to write into.")
@click.option("--file", "files", metavar="GLOB", multiple=True, help="Write only these files.")
@pass_session
def checkout_command(
    session: Session, target: ModelRevision, dest: Path, files: tuple[str, ...]
) -> None:
    """Write a version's files into a folder.

    The folder remembers where it came from: in it, 'yard status' lists what you changed, 'yard
    commit -m MSG' commits it, 'yard pull' brings what is new. Files of yours are never overwritten.
    """
    with session.out.progress() as progress:
        done = session.yard().checkout(
            target.model.text,
            revision_of(target),
            session.cwd / dest,
            files=files,
            progress=progress,
        )
    session.out.show(CheckedOutView(done))
    if done.branch:
        session.out.hint(f"cd {dest}, change something, then yard status")


@command("status", examples=["yard status", "yard status --json"], see=["commit", "pull"])
@pass_session
def status_command(session: Session) -> None:
    """List what was changed in this checkout.

    A checkout is a folder that 'yard checkout' wrote; run this anywhere inside of it.
    """
    from modelyard.registry import checkout

    here = session.checkout()
    changes = checkout.status(here)
    session.out.show(StatusView(here, changes))
    if changes and here.branch:
        session.out.hint("yard commit -m MSG")
    elif changes:
        session.out.hint("yard commit -m MSG --branch NAME")


@command(
    "pull",
    examples=[
        "yard pull                   # the newest version of the branch",
        "yard pull prod",
        "yard pull 7                 # switch to version 7",
    ],
    see=["checkout", "status", "log"],
)
@click.argument("revision", metavar="[REV]", required=False, help="Default: the branch's tip.")
@pass_session
def pull_command(session: Session, revision: str | None) -> None:
    """Bring this checkout to another version.

    Local changes are kept. Where the other version changed the same files, nothing is written and
    the files in conflict are listed.
    """
    from modelyard.registry import checkout

    here = session.checkout()
    yard = session.yard_of(here)
    with session.out.progress() as progress:
        done = checkout.pull(yard, here, revision, progress=progress)
    session.out.show(CheckedOutView(done))
