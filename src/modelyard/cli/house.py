"""The house: making a yard, freeing space, checking, counting."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.cli.command import command
from modelyard.cli.session import Session, pass_session
from modelyard.cli.views.house import GcView, MadeView, RekeyedView, StatsView, VerifyView
from modelyard.errors import Corrupt

__all__ = ["gc_command", "init_command", "rekey_command", "stats_command", "verify_command"]


@command(
    "init",
    examples=[
        "yard init",
        "yard init ~/team --store s3://models/team --catalog postgresql://yard@db/yard",
        "yard init vault --key ~/.config/vault.key",
    ],
    see=["commit", "list"],
)
@click.argument("path", type=click.Path(path_type=Path), default=".", help="Default: this folder.")
@click.option("--store", metavar="URL", help="Where the bytes are. Default: in the folder.")
@click.option("--catalog", metavar="URL", help="Where the rows are. Default: SQLite in the folder.")
@click.option("--key", metavar="FILE", help="Encrypt the store; or env:NAME. A new file is made.")
@pass_session
def init_command(
    session: Session, path: Path, store: str | None, catalog: str | None, key: str | None
) -> None:
    """Make a yard in a folder.

    The folder gets a yard.toml: in it and below it, yard needs no --yard. Without any init, the
    first commit makes your own yard in ~/.local/share/modelyard.

    --store takes s3://, azblob://, oss://, gcs://, webdav://, postgresql://, mysql://, mongodb://
    or sqlite:///; --catalog postgresql://, mysql:// or sqlite:///. With those of a yard that is
    there already, this machine joins it. Credentials come from where each service has them, never
    from the URL.
    """
    from modelyard import registry

    if "://" in str(path) or ":/" in str(path):
        raise click.UsageError(f"a yard is made in a folder, and {path} is none")
    place = (session.cwd / path.expanduser()).resolve()
    made = registry.create(place, author=session.author(), store=store, catalog=catalog, key=key)
    models, commit = 0, "yard commit MODEL PATH -m MSG"
    with made:
        try:
            models = made.stats().models if catalog else 0
        except Corrupt as lost:  # a store whose catalog is to be rebuilt
            commit = lost.hint or commit
    session.out.show(MadeView(str(place), models))
    commit = "yard list" if models else commit
    if place in (session.cwd.resolve(), *session.cwd.resolve().parents):
        session.out.hint(commit)
    else:
        session.out.hint(f"export YARD={place}, then {commit}")


@command("gc", examples=["yard gc --dry-run", "yard gc"], see=["delete", "restore", "stats"])
@click.option("--dry-run", is_flag=True, help="Only say what would be freed.")
@pass_session
def gc_command(session: Session, dry_run: bool) -> None:
    """Give back the space of what nothing needs any more.

    What was deleted less than the grace time ago (30 days) stays, and so does whatever a version, a
    ref's log or a running commit needs. Safe at any time.
    """
    session.out.show(GcView(session.yard().gc(dry_run=dry_run)))


@command(
    "verify",
    examples=["yard verify", "yard verify --rebuild", "yard verify --repair-from /backup/yard"],
    see=["stats"],
)
@click.option("--rebuild", is_flag=True, help="Make the catalog again from the store alone.")
@click.option(
    "--repair-from", metavar="YARD", help="Take what is damaged or missing from another yard."
)
@pass_session
def verify_command(session: Session, rebuild: bool, repair_from: str | None) -> int:
    """Read everything and say what is damaged.

    Exits with 1 if something is. --rebuild restores every version, number and ref from the store;
    labels come from the catalog's last backup. --repair-from asks another yard for the content of
    damaged chunks by their hashes, checks it and stores it anew; what it has not stays damaged.
    """
    source = (session.cwd / repair_from) if repair_from else None
    with session.out.progress() as progress:
        report = session.yard().verify(rebuild=rebuild, repair_from=source, progress=progress)
    session.out.show(VerifyView(report))
    if report.damage and not repair_from:
        session.out.hint("yard verify --repair-from YARD takes it from another yard that has it")
    return 0 if report.ok else 1


@command(
    "rekey",
    examples=["yard rekey ~/.config/vault-2027.key", "yard rekey env:YARD_KEY_2027"],
    see=["init", "verify"],
)
@click.argument("key", metavar="KEY", help="A file, made if it is not there, or env:NAME.")
@pass_session
def rekey_command(session: Session, key: str) -> None:
    """Encrypt with another master key.

    The keys of all packs are wrapped anew and yard.toml names the new key; packs stay as they are,
    so this takes a moment however much is stored. Other machines that share the yard need the new
    key in their yard.toml.
    """
    count = session.local_yard().rekey(key)
    session.out.show(RekeyedView(key, count))


@command("stats", examples=["yard stats", "yard stats --json"], see=["gc", "list"])
@pass_session
def stats_command(session: Session) -> None:
    """Count bytes: of the yard, and of each model.

    'as copies' is what plain copies of all versions would take, 'distinct' what sharing leaves of
    that, 'stored' what compression leaves.
    """
    session.out.show(StatsView(session.yard().stats()))
