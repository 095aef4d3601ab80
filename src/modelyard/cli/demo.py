"""`yard demo`: the main job on real models."""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext, redirect_stdout
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

    folder: str | None
    """Where it can be looked at; None if it is gone."""
    seconds: float

    def json(self) -> object:
        return {"folder": self.folder, "seconds": round(self.seconds, 1)}

    def lines(self) -> Iterator[Block]:
        if self.folder:
            yield f"kept in {self.folder}"

    def ids(self) -> Iterator[str]:
        if self.folder:
            yield self.folder


@command("demo", examples=["yard demo", "yard demo --dir /tmp/demo"], see=["init", "commit"])
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), help="Where; it stays there afterwards."
)
@click.option("--keep", is_flag=True, help="Keep the temporary folder, and say where it is.")
@pass_session
def demo_command(session: Session, folder: Path | None, keep: bool) -> None:
    """Show the main job on real models, step by step.

    Commits real models in several variants, fine-tunes one, and shows log, tensor diff, search,
    rollback and what was saved on disk. The same as 'make demo'. Your own yard is not touched.
    """
    from modelyard.cli import demo_story

    began = time.monotonic()
    beside = nullcontext() if session.out.mode == "human" else redirect_stdout(sys.stderr)
    with _place(session.cwd / folder if folder else None, keep) as place, beside:
        demo_story.run(place)
    kept = str(place) if folder or keep else None
    session.out.show(ToldView(kept, time.monotonic() - began))


@contextmanager
def _place(folder: Path | None, keep: bool) -> Iterator[Path]:
    if folder is not None:
        yield folder
    elif keep:
        yield Path(tempfile.mkdtemp(prefix="yard-demo-"))
    else:
        with tempfile.TemporaryDirectory(prefix="yard-demo-") as temporary:
            yield Path(temporary)
