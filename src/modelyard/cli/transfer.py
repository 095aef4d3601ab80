"""Between yards, and into files: copy, mirror, backup, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.params import TARGET, revision_of
from modelyard.cli.session import Session, pass_session
from modelyard.cli.views.transfer import BackupView, CopiedView, ExportedView

if TYPE_CHECKING:
    from modelyard.core.names import ModelRevision

__all__ = [
    "backup_command",
    "copy_command",
    "export_command",
    "mirror_command",
    "restore_backup_command",
]

_YARD = "The folder of a yard, with its yard.toml."


@command(
    "copy",
    examples=[
        "yard copy vision/resnet ~/models /mnt/team       # all its versions",
        "yard copy vision/resnet@prod ~/models /mnt/team  # one version and its ancestors",
        "yard copy vision/resnet@7 . /mnt/team --dry-run",
    ],
    see=["mirror", "export"],
)
@click.argument("target", metavar="MODEL[@REV]", type=TARGET, help="What is copied.")
@click.argument("source", metavar="FROM", help=_YARD)
@click.argument("to", metavar="TO", help=_YARD)
@click.option("--dry-run", is_flag=True, help="Only say what would travel.")
@pass_session
def copy_command(
    session: Session, target: ModelRevision, source: str, to: str, dry_run: bool
) -> int:
    """Copy a model from one yard into another.

    Only chunks that the other yard lacks travel. History, numbers, labels, evaluations and refs
    come along. What differs there stays as it is, is listed, and makes the exit code 1.
    """
    with (
        session.yard_at(source) as ours,
        session.yard_at(to) as theirs,
        session.out.progress() as progress,
    ):
        done = ours.copy_to(
            theirs, target.model.text, revision_of(target), dry_run=dry_run, progress=progress
        )
    session.out.show(CopiedView(done))
    return 1 if done.conflicts else 0


@command(
    "mirror",
    examples=["yard mirror ~/models /mnt/team", "yard mirror ~/models /mnt/team --dry-run"],
    see=["copy", "backup"],
)
@click.argument("source", metavar="FROM", help=_YARD)
@click.argument("to", metavar="TO", help=_YARD)
@click.option("--dry-run", is_flag=True, help="Only say what would travel.")
@pass_session
def mirror_command(session: Session, source: str, to: str, dry_run: bool) -> int:
    """Copy all models of one yard into another.

    A second run sends only what is new, and renames what was renamed. Nothing is ever deleted or
    overwritten there: what differs is listed, and makes the exit code 1.
    """
    with (
        session.yard_at(source) as ours,
        session.yard_at(to) as theirs,
        session.out.progress() as progress,
    ):
        done = ours.mirror_to(theirs, dry_run=dry_run, progress=progress)
    session.out.show(CopiedView(done))
    return 1 if done.conflicts else 0


@command(
    "backup",
    examples=[
        "yard backup /mnt/disk/models.tar",
        "yard backup --catalog  # only the rows, in the store",
    ],
    see=["restore-backup", "mirror", "verify"],
)
@click.argument("file", type=click.Path(path_type=Path), required=False, help="A new file.")
@click.option("--catalog", is_flag=True, help="Write the catalog's rows into the store, now.")
@pass_session
def backup_command(session: Session, file: Path | None, catalog: bool) -> None:
    """Write the whole yard into one file.

    It is as of one moment, while others go on. An encrypted yard's backup is encrypted too, and
    reading it takes the same key.
    """
    if (file is None) != catalog:
        raise click.UsageError("give a file, or --catalog")
    place = None if file is None else session.cwd / file.expanduser()
    with session.out.progress() as progress:
        done = session.yard().backup(place, progress=progress)
    session.out.show(BackupView(done, "backed up"))
    if place is not None:
        session.out.hint(f"yard restore-backup {file} FOLDER makes a yard of it")


@command(
    "restore-backup",
    examples=[
        "yard restore-backup models.tar ~/models",
        "yard restore-backup models.tar ~/models --store s3://bucket/models",
        "yard restore-backup ~/models/store ~/as-of-last-night  # the newest dump in a store",
    ],
    see=["backup", "verify"],
)
@click.argument("source", metavar="FILE", help="A backup; or a store, by its folder or URL.")
@click.argument("folder", type=click.Path(path_type=Path), default=".", help="Default: this one.")
@click.option(
    "--store", metavar="URL", help="Where the bytes go; a folder in the yard's if not given."
)
@click.option(
    "--catalog", metavar="URL", help="Where the rows go; SQLite in the folder if not given."
)
@click.option("--key", metavar="FILE|env:NAME", help="The key of an encrypted yard.")
@pass_session
def restore_backup_command(
    session: Session,
    source: str,
    folder: Path,
    store: str | None,
    catalog: str | None,
    key: str | None,
) -> None:
    """Make a yard of a backup, in an empty folder.

    Everything is checked first: of a cut or altered file nothing is made.
    """
    from modelyard import registry

    with session.out.progress() as progress:
        done = registry.restore_backup(
            source, (session.cwd / folder.expanduser()).resolve(), author=session.author(),
            store=store, catalog=catalog, key=key, progress=progress,
        )  # fmt: skip
    session.out.show(BackupView(done, "restored"))


@command(
    "export",
    examples=["yard export vision/resnet@prod resnet.tar", "yard export iris@3 iris-3.tar"],
    see=["import", "checkout", "copy"],
)
@click.argument("target", metavar="MODEL[@REV]", type=TARGET, help="One version.")
@click.argument("file", type=click.Path(path_type=Path), help="A new tar file.")
@pass_session
def export_command(session: Session, target: ModelRevision, file: Path) -> None:
    """Write one version into a tar file.

    It holds the files as checkout gives them, and one JSON file with message, author, labels,
    metrics and evaluations. The same version gives the same bytes.
    """
    done = session.yard().export(
        target.model.text, revision_of(target), session.cwd / file.expanduser()
    )
    session.out.show(ExportedView(done))
