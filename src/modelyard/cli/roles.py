"""Roles: who may do what with which models."""

from __future__ import annotations

import click

from modelyard.cli.accounts import people
from modelyard.cli.command import command
from modelyard.cli.session import Session, pass_session

__all__ = ["role_command"]


@command(
    "role",
    examples=[
        "yard role give ann maintainer 'vision/*'",
        "yard role give everyone reader '*'",
        "yard role take ann 'vision/*'",
    ],
    see=["account", "guard"],
)
@click.argument("action", type=click.Choice(["list", "give", "take"]), default="list",
                help="Default: list.")  # fmt: skip
@click.argument("given", metavar="[ACCOUNT [ROLE] PATTERN]", nargs=-1,
                help="Who, as what, for which models.")  # fmt: skip
@pass_session
def role_command(session: Session, action: str, given: tuple[str, ...]) -> None:
    """List, give or take roles.

    ROLE is reader, writer, maintainer, admin, or none to take away what a wider pattern gives.
    PATTERN is '*' for the whole yard, 'vision/*' for a namespace, or a model. The most exact one
    decides. ACCOUNT may be 'everyone' for all accounts, or 'anybody', signed in or not.
    """
    from modelyard.cli.views.people import RolesView
    from modelyard.core.access import parse_role

    desk, out = people(session), session.out
    wanted = {"list": 0, "give": 3, "take": 2}[action]
    if len(given) != wanted:
        takes = {"list": "nothing", "give": "ACCOUNT ROLE PATTERN", "take": "ACCOUNT PATTERN"}
        raise click.UsageError(f"'{action}' takes {takes[action]}")
    if action == "list":
        out.show(RolesView(desk.roles()))
    elif action == "give":
        role = desk.give_role(given[0], given[2], parse_role(given[1]))
        out.show(RolesView([role], "is now"))
    else:
        out.show(RolesView([desk.take_role(given[0], given[1])], "is no more"))
