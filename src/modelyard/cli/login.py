"""Signing in to a server: login, logout, whoami."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from modelyard.cli.command import command
from modelyard.cli.session import Session, pass_session
from modelyard.cli.views.login import SignedInView, SignedOutView, WhoView

if TYPE_CHECKING:
    from modelyard.client.addresses import Address
    from modelyard.client.connection import Connection

__all__ = ["login_command", "logout_command", "whoami_command"]


@command(
    "login",
    examples=[
        "yard login https://yard.example.org",
        "yard login                      # to the server of $YARD",
        "yard login http://127.0.0.1:8300 --token-stdin < token.txt",
    ],
    see=["logout", "whoami", "token"],
)
@click.argument("url", metavar="[URL]", required=False, help="Default: the yard that is used here.")
@click.option("--token-stdin", is_flag=True, help="Read the token from stdin, and ask nothing.")
@pass_session
def login_command(session: Session, url: str | None, token_stdin: bool) -> None:
    """Keep a token of a server.

    'yard up' shows one at its first run, 'yard token' makes more, and so does the server's page.
    It is tried first, and then kept in ~/.config/modelyard, readable by you only, for this server
    and no other. $YARD_TOKEN wins over it.
    """
    from modelyard.client.credentials import Credentials, check_token
    from modelyard.core.people import Self
    from modelyard.errors import Denied

    address = _address(session, url)
    token = check_token(_token(address, from_stdin=token_stdin))
    connection = _connection(address, token)
    try:
        who = connection.get(("whoami",), Self)
    finally:
        connection.close()
    if who.account is None:
        raise Denied("not-signed-in", f"{address} takes no tokens: it has no accounts")
    Credentials.of(session.environment).keep(address, token, who.account)
    session.out.show(SignedInView(address.url, who))
    if not address.is_private:
        session.out.hint("the token travels in the open here: put the server behind https")
    if _is_used(session, address):
        session.out.hint("yard list")
    else:
        session.out.hint(f"export YARD={address}, then yard list")


@command("logout", examples=["yard logout", "yard logout https://yard.example.org"], see=["login"])
@click.argument("url", metavar="[URL]", required=False, help="Default: the yard that is used here.")
@pass_session
def logout_command(session: Session, url: str | None) -> None:
    """Forget the token of a server.

    The token itself stays good: 'yard token' takes one back for everybody who has it.
    """
    from modelyard.client.credentials import Credentials

    address = _address(session, url)
    forgotten = Credentials.of(session.environment).forget(address)
    session.out.show(SignedOutView(address.origin, forgotten))
    if session.environment.get("YARD_TOKEN"):
        session.out.hint("$YARD_TOKEN is still set")


@command("whoami", examples=["yard whoami", "yard whoami --json"], see=["login"])
@click.argument("url", metavar="[URL]", required=False, help="Default: the yard that is used here.")
@pass_session
def whoami_command(session: Session, url: str | None) -> None:
    """Show as whom you are signed in."""
    from modelyard.client.credentials import token_for
    from modelyard.core.people import Self

    address = _address(session, url)
    connection = _connection(address, token_for(address, session.environment))
    try:
        who = connection.get(("whoami",), Self)
    finally:
        connection.close()
    session.out.show(WhoView(address.url, who))


def _is_used(session: Session, address: Address) -> bool:
    """Whether other commands go to this server already."""
    return session.yard_url().rstrip("/") == address.url


def _connection(address: Address, token: str | None) -> Connection:
    from modelyard.client.connection import Connection

    return Connection(address, token)


def _address(session: Session, url: str | None) -> Address:
    """The server that is meant. Unsupported `only-remote` if the yard is a folder."""
    from modelyard.client.addresses import Address, is_address
    from modelyard.errors import Unsupported

    place = url or session.yard_url()
    if url is None and not is_address(place):
        raise Unsupported(
            "only-remote", f"{place} is a folder, which asks nobody who they are",
            hint="name the server's URL",
        )  # fmt: skip
    return Address.parse(place)


def _token(address: Address, *, from_stdin: bool) -> str:
    """Asked for without an echo, or read from stdin."""
    if from_stdin:
        return sys.stdin.readline(5000)
    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: --token-stdin reads the token from stdin")
    token: str = click.prompt(f"Token for {address.origin}", hide_input=True, err=True)
    return token
