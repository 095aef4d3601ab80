"""Deleting and undoing it, and renaming."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.params import MODEL, TARGET, revision_of
from modelyard.cli.session import Session, pass_session
from modelyard.cli.views import words
from modelyard.cli.views.models import ModelView, VersionView
from modelyard.core.version import human_size

if TYPE_CHECKING:
    from modelyard.core.names import ModelRevision

__all__ = ["delete_command", "rename_command", "restore_command"]


@command(
    "delete",
    examples=[
        "yard delete vision/old --yes         # the model with all its versions",
        "yard delete vision/resnet@3",
        "yard delete vision/resnet@3 --purge  # can't be restored",
    ],
    see=["restore", "gc"],
)
@click.argument("target", metavar="MODEL[@REV]", type=TARGET, help="A model, or one version.")
@click.option("--purge", is_flag=True, help="Never restore: the bytes go with the next gc.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_session
def delete_command(session: Session, target: ModelRevision, purge: bool, yes: bool) -> int:
    """Delete a model or one version.

    'yard restore' undoes it until gc takes the bytes. Asks on a terminal; elsewhere it needs --yes.
    """
    if target.revision is None:
        if purge:
            raise click.UsageError("--purge needs one version: MODEL@REV")
        return _delete_model(session, target.model.text, yes=yes)
    return _delete_version(session, target, purge=purge, yes=yes)


def _delete_model(session: Session, name: str, *, yes: bool) -> int:
    yard = session.yard()
    model = yard.model_info(name)
    what = f"{model.name} with {words.count(model.versions, 'version')}"
    if not session.out.confirm(
        f"this deletes {what}, the latest of {human_size(model.size)}.", yes=yes
    ):
        return _kept(session)
    session.out.show(ModelView(yard.delete_model(model.name), f"deleted {model.name}"))
    session.out.hint(f"yard restore {model.name} undoes it, until gc")
    return 0


def _delete_version(session: Session, target: ModelRevision, *, purge: bool, yes: bool) -> int:
    yard = session.yard()
    if purge:  # also of a version that was deleted before, which no revision resolves to
        revision: str | int | None = revision_of(target)
        what = f"{target} for ever: it can't be restored"
    else:
        version = yard.resolve(target.model.text, revision_of(target))
        revision = version.number
        what = f"{version.title}, {human_size(version.size)}"
    if not session.out.confirm(f"This deletes {what}.", yes=yes):
        return _kept(session)
    gone = yard.delete_version(target.model.text, revision, purge=purge)
    session.out.show(VersionView(gone, "purged" if purge else "deleted"))
    if not purge:
        session.out.hint(f"yard restore {gone.title} undoes it, until gc")
    return 0


def _kept(session: Session) -> int:
    session.out.say("nothing was deleted")
    return 1


@command(
    "restore",
    examples=["yard restore vision/old", "yard restore vision/resnet@3"],
    see=["delete", "list"],
)
@click.argument("target", metavar="MODEL[@REV]", type=TARGET, help="What was deleted.")
@pass_session
def restore_command(session: Session, target: ModelRevision) -> None:
    """Undo a deletion.

    Possible until gc took the bytes. 'yard list --deleted' lists the models that can come back.
    """
    model = session.yard().restore(target.model.text, revision_of(target))
    if target.revision is None:
        session.out.show(ModelView(model, f"restored {target}"))
    else:
        version = session.yard().resolve(model.name, revision_of(target))
        session.out.show(VersionView(version, "restored"))


@command("rename", examples=["yard rename resnet vision/resnet"], see=["list"])
@click.argument("model", type=MODEL, help="The name it has.")
@click.argument("new_name", metavar="NEW", help="The name it gets.")
@pass_session
def rename_command(session: Session, model: str, new_name: str) -> None:
    """Give a model another name.

    The old name still leads to it, until a new model takes that name.
    """
    renamed = session.yard().rename(model, new_name)
    session.out.show(ModelView(renamed, f"renamed {model} to {renamed.name}"))
