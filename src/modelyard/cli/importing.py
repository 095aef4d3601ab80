"""Bringing in what is elsewhere: a tar file of ours, git, Subversion, MLflow, DVC."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.command import command
from modelyard.cli.params import MODEL
from modelyard.cli.session import Session, pass_session
from modelyard.cli.views.importing import ImportedView
from modelyard.cli.views.versions import CommittedView

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelyard.core.imports import Imported
    from modelyard.core.version import Progress
    from modelyard.core.yard import Yard
    from modelyard.registry.house import House

__all__ = ["import_command"]

_SYSTEMS = ("git", "svn", "mlflow", "dvc")
_OPTIONS = {
    "path": ("git", "dvc"), "trunk": ("svn",), "branches": ("svn",), "tags": ("svn",),
    "authors": ("svn",), "only": ("dvc",), "cache": ("dvc",),
}  # fmt: skip


@command(
    "import",
    examples=[
        "yard import resnet.tar  # what yard export wrote",
        "yard import git https://example.org/team/resnet.git vision/resnet",
        "yard import mlflow http://mlflow.example.org:5000",
    ],
    see=["export", "commit", "copy"],
)
@click.argument(
    "what", nargs=-1, required=True, metavar="FILE | SYSTEM SOURCE [MODEL]",
    help="A file of yard export; or git, svn, mlflow or dvc, and where it is.",
)  # fmt: skip
@click.option(
    "--as", "model", metavar="NAME", type=MODEL, help="The model; named after the source if absent."
)
@click.option("--path", metavar="FOLDER", help="git, dvc: only this folder of the repository.")
@click.option("--only", metavar="GLOB", multiple=True, help="dvc: only outputs like this.")
@click.option(
    "--cache", metavar="FOLDER|URL", help="dvc: where the bytes are; else the repository's cache."
)
@click.option("--trunk", metavar="FOLDER", help="svn: instead of trunk.")
@click.option("--branches", metavar="FOLDER", multiple=True, help="svn: instead of branches.")
@click.option("--tags", metavar="FOLDER", multiple=True, help="svn: instead of tags.")
@click.option(
    "--authors", type=click.Path(path_type=Path), metavar="FILE",
    help="svn: lines 'name = Full Name <mail>'.",
)  # fmt: skip
@pass_session
def import_command(
    session: Session,
    what: tuple[str, ...],
    model: str | None,
    path: str | None,
    only: tuple[str, ...],
    cache: str | None,
    trunk: str | None,
    branches: tuple[str, ...],
    tags: tuple[str, ...],
    authors: Path | None,
) -> int:
    """Bring in a version, or a history from elsewhere.

    A version comes from a file that yard export wrote, a history from git, Subversion, MLflow, DVC.

    Versions keep their authors, dates, parents, branches and tags. A second run brings only what is
    new. Whatever can't come is listed; a ref that went another way here stays, and makes the exit
    code 1.
    """
    given = {
        "path": path, "only": only, "cache": cache, "trunk": trunk, "branches": branches,
        "tags": tags, "authors": authors,
    }  # fmt: skip
    system = what[0] if what[0] in _SYSTEMS and len(what) > 1 else "file"
    for name, value in given.items():
        if value and system not in _OPTIONS[name]:
            raise click.UsageError(f"--{name} is for {' and '.join(_OPTIONS[name])}")
    if system == "file":
        if len(what) > 1:
            raise click.UsageError(f"{what[0]} is none of {', '.join(_SYSTEMS)}")
        return _file(session, Path(what[0]), model)
    if len(what) > 3:
        raise click.UsageError(f"{what[3]} is too much: SYSTEM SOURCE [MODEL]")
    named = what[2] if len(what) > 2 else None
    done = _history(session, system, what[1], named, model, given)
    session.out.show(ImportedView(done))
    return 1 if done.conflicts else 0


def _file(session: Session, file: Path, model: str | None) -> int:
    if (session.cwd / file.expanduser()).is_dir():
        raise click.UsageError(
            f"{file} is a folder: say of which system, yard import git {file}, or commit it"
        )
    done = session.yard_to_fill().import_version(session.cwd / file.expanduser(), model=model)
    session.out.show(CommittedView(done))
    return 0


def _history(
    session: Session,
    system: str,
    source: str,
    name: str | None,
    model: str | None,
    given: Mapping[str, Any],
) -> Imported:
    from modelyard.registry.local import LocalYard

    yard = session.yard_to_fill()
    work = partial(_import, session, system, source, name, model, given)
    if isinstance(yard, LocalYard):
        return work(yard.house)
    return _far(session, yard, [] if system == "mlflow" else [model or name], work)


def _import(
    session: Session,
    system: str,
    source: str,
    name: str | None,
    model: str | None,
    given: Mapping[str, Any],
    house: House,
) -> Imported:
    where = source if "://" in source else str(Path(source).expanduser())
    options = {key: value for key, value in given.items() if value}
    if "authors" in options:
        options["authors"] = _text(session.cwd / str(options["authors"]))
    with session.out.progress() as bars:
        progress = bars or _quietly
        if system == "git":
            from modelyard.registry.histories.git import import_git

            return import_git(house, where, model or name, report=progress, **options)
        if system == "svn":
            from modelyard.registry.histories.svn import import_svn

            return import_svn(house, where, model or name, report=progress, **options)
        if system == "dvc":
            from modelyard.registry.foreign.dvc import import_dvc

            return import_dvc(house, where, model or name, report=progress, **options)
        from modelyard.registry.foreign.mlflow import import_mlflow

        token = session.environment.get("MLFLOW_TRACKING_TOKEN")
        user = session.environment.get("MLFLOW_TRACKING_USERNAME")
        password = session.environment.get("MLFLOW_TRACKING_PASSWORD")
        return import_mlflow(
            house, where, name, rename=model, token=token,
            login=(user, password or "") if user else None, report=progress,
        )  # fmt: skip


def _quietly(_progress: Progress) -> None:
    """Nobody looks."""


def _far(
    session: Session, yard: Yard, names: Sequence[str | None], work: Callable[[House], Imported]
) -> Imported:
    """Import into a yard of this machine that has what the server has, and send what is new."""
    from modelyard.errors import NotFound
    from modelyard.registry.local import LocalYard

    with (
        tempfile.TemporaryDirectory(prefix="yard-import-") as place,
        LocalYard.create(Path(place) / "yard", author=session.author()) as room,
    ):
        for name in filter(None, names):
            try:
                yard.copy_to(room, name)
            except NotFound:
                continue
        done = work(room.house)
        models = []
        for model in done.models:
            left: list[str] = []
            if model.versions or model.refs:
                sent = room.copy_to(yard, model.model)
                left = [
                    f"{one.what} {one.name} is {one.there} there, and {one.here} in the source"
                    for copied in sent.models
                    for one in copied.conflicts
                ]
            models.append(replace(model, conflicts=(*model.conflicts, *left)))
    return replace(done, models=tuple(models))


def _text(file: Path) -> str:
    from modelyard.errors import NotFound

    try:
        return file.expanduser().read_text("utf-8")
    except OSError as error:
        raise NotFound("no-file", f"{file}: {error.strerror}") from None
