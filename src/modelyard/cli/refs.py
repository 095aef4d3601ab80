"""Branches, tags and aliases, and pointing an alias back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.params import DEPLOYED, MODEL
from modelyard.cli.session import Session, pass_session
from modelyard.cli.views.models import RefsView, RefView

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.core.version import RefInfo, RefKind

__all__ = ["alias_command", "branch_command", "rollback_command", "tag_command"]

NAME = click.argument("name", required=False, help="Without it, the list of all.")
REV = click.argument("revision", metavar="[REV]", required=False, help="Default: main.")
DELETE = click.option("--delete", is_flag=True, help="Delete NAME; the versions stay.")


@command(
    "branch",
    examples=[
        "yard branch vision/resnet",
        "yard branch vision/resnet quantized 7",
        "yard branch vision/resnet quantized --delete",
    ],
    see=["tag", "alias", "merge"],
)
@click.argument("model", type=MODEL, help="The model.")
@NAME
@REV
@DELETE
@pass_session
def branch_command(
    session: Session, model: str, name: str | None, revision: str | None, delete: bool
) -> None:
    """List, make or delete branches.

    A branch moves forward with each commit to it.
    """
    _ref(session, "branch", model, name, revision, delete=delete)


@command(
    "tag",
    examples=[
        "yard tag vision/resnet",
        "yard tag vision/resnet release-1.0 7",
        "yard tag vision/resnet release-1.0 --delete",
    ],
    see=["branch", "alias"],
)
@click.argument("model", type=MODEL, help="The model.")
@NAME
@REV
@DELETE
@pass_session
def tag_command(
    session: Session, model: str, name: str | None, revision: str | None, delete: bool
) -> None:
    """List, make or delete tags, which never move.

    A tag keeps pointing at the version it was made for.
    """
    _ref(session, "tag", model, name, revision, delete=delete)


@command(
    "alias",
    examples=[
        "yard alias vision/resnet",
        "yard alias vision/resnet prod 7",
        "yard alias vision/resnet prod --delete",
    ],
    see=["rollback", "branch", "tag"],
)
@click.argument("model", type=MODEL, help="The model.")
@NAME
@REV
@DELETE
@pass_session
def alias_command(
    session: Session, model: str, name: str | None, revision: str | None, delete: bool
) -> None:
    """List, point or delete aliases such as prod.

    An alias may be pointed anywhere, at any time; every move is logged and undone by 'yard
    rollback'.
    """
    _ref(session, "alias", model, name, revision, delete=delete)


@command(
    "rollback",
    examples=[
        "yard rollback vision/resnet prod",
        "yard rollback vision/resnet prod --to 5",
        "yard rollback --deployment fraud",
    ],
    see=["alias", "deployments", "revert", "log"],
)
@click.argument("model", type=MODEL, required=False, help="The model.")
@click.argument("alias", required=False, help="The alias to point back.")
@click.option("--deployment", metavar="NAME", type=DEPLOYED, help="A deployment, not an alias.")
@click.option("--to", metavar="REV|N",
              help="A version, or a deployment's generation. Default: the one before.")  # fmt: skip
@pass_session
def rollback_command(
    session: Session, model: str | None, alias: str | None, deployment: str | None, to: str | None
) -> None:
    """Point an alias or a deployment back to where it was.

    Immediate, and history stays. Rolled back again, it goes one step further into its past. Of a
    deployment with a canary, the canary goes first of all.
    """
    yard = session.yard()
    if deployment is not None:
        from modelyard.cli.rollout import roll_back

        if model is not None:
            raise click.UsageError("give MODEL and ALIAS, or --deployment NAME")
        roll_back(session, deployment, to)
        return
    if model is None or alias is None:
        raise click.UsageError("give MODEL and ALIAS, or --deployment NAME")
    ref = yard.rollback(model, alias, to=to)
    session.out.show(RefView(model, ref, _old(session, model, alias)))


def _ref(
    session: Session,
    kind: RefKind,
    model: str,
    name: str | None,
    revision: str | None,
    *,
    delete: bool,
) -> None:
    if name is None:
        if delete:
            raise click.UsageError("give the NAME to delete")
        _list(session, kind, model)
    elif delete:
        _delete(session, kind, model, name)
    else:
        yard = session.yard()
        make: dict[str, Callable[[str, str, str | None], RefInfo]] = {
            "branch": yard.branch,
            "tag": yard.tag,
            "alias": yard.alias,
        }
        ref = make[kind](model, name, revision)
        session.out.show(RefView(model, ref, _old(session, model, name)))


def _list(session: Session, kind: RefKind, model: str) -> None:
    refs = [ref for ref in session.yard().refs(model) if ref.kind == kind]
    session.out.show(RefsView(model, refs, kind))
    if not refs:
        session.out.hint(f"yard {kind} {model} NAME [REV]")


def _delete(session: Session, kind: RefKind, model: str, name: str) -> None:
    from modelyard.errors import NotFound

    yard = session.yard()
    kinds = {ref.name: ref.kind for ref in yard.refs(model)}
    other = kinds.get(name)
    if other is not None and other != kind:
        raise NotFound(
            "no-ref",
            f"{name} of {model} is no {kind} but of kind {other}",
            hint=f"yard {other} {model} {name} --delete",
        )
    ref = yard.delete_ref(model, name)
    session.out.show(RefView(model, ref, ref.number, deleted=True))
    session.out.hint(f"yard {kind} {model} {name} {ref.number} makes it again")


def _old(session: Session, model: str, name: str) -> int | None:
    """Where the ref pointed before its last move."""
    move = next(iter(session.yard().reflog(model, name)), None)
    return move.old if move else None
