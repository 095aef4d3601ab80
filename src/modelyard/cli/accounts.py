"""Accounts and tokens: who may sign in, and how."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.session import Session, pass_session

if TYPE_CHECKING:
    from modelyard.core.people import People

__all__ = ["account_command", "number", "people", "token_command"]

_ROLES = ("reader", "writer", "maintainer", "admin")


def people(session: Session) -> People:
    """Who may do what in the yard: a folder's, as its owner, or a server's."""
    from modelyard.registry.local import LocalYard

    yard = session.yard()
    if isinstance(yard, LocalYard):
        from modelyard.registry.access.desk import Desk

        return Desk(yard.house)
    from modelyard.client.access import RemotePeople
    from modelyard.client.remote import RemoteYard

    assert isinstance(yard, RemoteYard)
    return RemotePeople(yard.desk.connection)


def number(text: str, what: str) -> int:
    """An id that somebody typed."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise click.UsageError(f"{text[:40]!r} is no id: '{what}' shows them")
    return int(text)


@command(
    "account",
    examples=[
        "yard account add ann --title 'Ann Lee <ann@example.org>'",
        "yard account password ann",
        "yard account disable ann",
    ],
    see=["token", "role", "login"],
)
@click.argument(
    "action",
    type=click.Choice(["list", "add", "disable", "enable", "password"]),
    default="list",
    help="Default: list.",
)
@click.argument("name", required=False, help="Of the account.")
@click.option("--title", metavar="AUTHOR", default="",
              help="Of a new one: as author of its commits.")  # fmt: skip
@click.option("--service", is_flag=True, help="Of a new one: a program's, without a password.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin.")
@click.option("--with-password", is_flag=True, help="Of a new one: ask for a password.")
@pass_session
def account_command(
    session: Session,
    action: str,
    name: str | None,
    title: str,
    service: bool,
    password_stdin: bool,
    with_password: bool,
) -> None:
    """List, make or disable accounts, or set a password.

    A name stays its account's for ever. Disabling one revokes its tokens and ends its sessions. An
    account has no rights until it is given roles.
    """
    from modelyard.cli.views.people import AccountsView

    desk, out = people(session), session.out
    if action == "list":
        out.show(AccountsView(desk.accounts()))
        return
    if name is None:
        raise click.UsageError(f"'{action}' takes the NAME of the account")
    if action == "add":
        given = _password(stdin=password_stdin) if with_password or password_stdin else None
        made = desk.add_account(
            name, kind="service" if service else "user", title=title, password=given
        )
        out.show(AccountsView([made], "made"))
        out.hint(f"yard role give {name} writer 'NAMESPACE/*'; yard token make --account {name}")
    elif action == "disable":
        out.show(AccountsView([desk.disable_account(name)], "disabled"))
    elif action == "enable":
        out.show(AccountsView([desk.enable_account(name)], "enabled"))
    else:
        old = None
        if desk.whoami().account == name and not password_stdin and sys.stdin.isatty():
            old = click.prompt("Old password", hide_input=True, err=True, default="") or None
        changed = desk.set_password(name, _password(stdin=password_stdin), old=old)
        out.show(AccountsView([changed], "changed the password of"))


@command(
    "token",
    examples=[
        "yard token make --name laptop",
        "yard token make --account ci --role writer --model 'vision/*' --days 30",
        "yard token revoke 7",
    ],
    see=["account", "login"],
)
@click.argument(
    "action",
    type=click.Choice(["list", "make", "rotate", "revoke"]),
    default="list",
    help="Default: list.",
)
@click.argument("token", metavar="[ID]", required=False, help="As 'yard token list' shows it.")
@click.option("--account", metavar="NAME", help="Of this account, as admin; default: your own.")
@click.option("--name", metavar="TEXT", default="", help="Of a new one: what it is for.")
@click.option("--role", type=click.Choice(_ROLES), default="admin",
              help="Of a new one: it may no more than that.")  # fmt: skip
@click.option("--model", "models", metavar="PATTERN", multiple=True,
              help="Of a new one: only for these models; may be repeated.")  # fmt: skip
@click.option("--days", type=click.IntRange(1, 3660), default=90, show_default=True,
              help="Of a new one: how long it is valid.")  # fmt: skip
@click.option("--no-end", is_flag=True, help="Of a new one: valid until it is revoked.")
@pass_session
def token_command(
    session: Session,
    action: str,
    token: str | None,
    account: str | None,
    name: str,
    role: str,
    models: tuple[str, ...],
    days: int,
    no_end: bool,
) -> None:
    """List, make, renew or revoke tokens.

    Programs and the command line sign in with one. Its text is shown once, when it is made or
    rotated, and kept nowhere. A token may do what its account may, within the bounds that it was
    made with.
    """
    from modelyard.cli.views.people import MadeTokenView, TokensView
    from modelyard.core.access import parse_role

    desk, out = people(session), session.out
    if action in ("rotate", "revoke"):
        if token is None:
            raise click.UsageError(f"'{action}' takes the ID of the token")
        key = number(token, "yard token list")
        if action == "revoke":
            out.show(TokensView([desk.revoke_token(key)], "revoked"))
        else:
            out.show(MadeTokenView(desk.rotate_token(key)))
    elif token is not None:
        raise click.UsageError(f"'{action}' takes no ID")
    elif action == "list":
        out.show(TokensView(desk.tokens(account)))
    else:
        made = desk.make_token(
            account, name=name, role=parse_role(role), models=models,
            days=None if no_end else days,
        )  # fmt: skip
        out.show(MadeTokenView(made))


def _password(*, stdin: bool) -> str:
    """Typed twice on a terminal, or the first line of stdin."""
    if stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: --password-stdin")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return typed
