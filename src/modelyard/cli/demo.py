"""`yard demo`: the main job on real models."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from modelyard.cli.command import command
from modelyard.cli.session import Session, pass_session

__all__ = ["demo_command"]


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

    if folder is not None:
        demo_story.run(session.cwd / folder)
    elif keep:
        place = Path(tempfile.mkdtemp(prefix="yard-demo-"))
        demo_story.run(place)
        session.out.say(f"kept in {place}")
    else:
        with tempfile.TemporaryDirectory(prefix="yard-demo-") as temporary:
            demo_story.run(Path(temporary))
