"""`yard demo`: the main job on real models."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.cli.text import Block

__all__ = ["demo_command"]


@dataclass(frozen=True, slots=True)
class ToldView:
    """The demo after its telling. People have read it all by then."""

    folder: Path
    seconds: float

    def json(self) -> object:
        return {"folder": str(self.folder), "seconds": round(self.seconds, 1)}

    def lines(self) -> Iterator[Block]:
        return iter(())

    def ids(self) -> Iterator[str]:
        yield str(self.folder)


@command("demo", examples=["yard demo", "yard demo --dir /tmp/demo"], see=["init", "commit"])
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), help="Default: ~/.cache/modelyard/demo."
)
@pass_session
def demo_command(session: Session, folder: Path | None) -> None:
    """Show the main job on real models, step by step.

    Commits real models in several variants, fine-tunes one, and shows log, tensor diff, search,
    rollback and what was saved on disk. The same as 'make demo'. Your own yard is not touched; what
    the demo makes stays in a folder to look around in, until the next demo there.
    """
    from modelyard.cli import demo_story
    from modelyard.config import demo_folder

    began = time.monotonic()
    place = session.cwd / folder if folder else demo_folder(session.environment)
    with nullcontext() if session.out.mode == "human" else redirect_stdout(sys.stderr):
        demo_story.run(place)
    session.out.show(ToldView(place, time.monotonic() - began))
