"""Tokens: what programs sign in with. A token's text is shown once, by the answer to its form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from starlette.responses import Response

from modelyard.core.access import parse_role
from modelyard.core.people import MadeToken, Token
from modelyard.errors import InvalidInput
from modelyard.registry.access.desk import Desk
from modelyard.server.routing import SIGNED_IN
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.here import language_of
from modelyard.server.web.rendering import html
from modelyard.server.web.twins import Pages

__all__ = ["TokenLine", "acts", "lines_of", "pages", "patterns_of"]

pages = Pages("tokens")
acts = Acts("tokens")

_MOST = 100
_DAYS = (7, 30, 90, 365)


@dataclass(frozen=True, slots=True)
class TokenLine:
    """One token, and whether it lets anybody in."""

    token: Token
    state: Literal["valid", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class TokensPage:
    """Tokens of one account."""

    account: str | None
    """Whose they are; None on a server without accounts."""
    is_own: bool
    items: tuple[TokenLine, ...]
    """Newest first, at most 100."""
    over: int
    """How many are expired or revoked."""
    all: bool
    """Whether those are shown too."""
    accounts: tuple[str, ...]
    """For whom the caller may make tokens."""
    days: tuple[int, ...]
    """How long a token may be chosen to be valid."""


@dataclass(frozen=True, slots=True)
class TokenMade:
    """A token with its text, which is shown this once."""

    token: Token
    secret: str
    is_new: bool
    """False if a token that was there got another text."""
    is_own: bool


@pages.page("/settings/tokens", "tokens.html", needs=SIGNED_IN)
def list_tokens(ask: Ask, *, account: str | None = None, all: bool = False) -> TokensPage:
    """The caller's tokens, or those of an account for an admin."""
    if not ask.server.settings.accounts:
        return TokensPage(None, True, (), 0, all, (), _DAYS)
    desk, own = Desk(ask.house), ask.caller.name
    lines = lines_of(desk.tokens(account or None))
    valid = [line for line in lines if line.state == "valid"]
    names = (
        tuple(one.name for one in desk.accounts() if one.disabled is None)[:1000]
        if ask.caller.may("*", "admin") else ()
    )  # fmt: skip
    return TokensPage(
        account=account or own, is_own=(account or own) == own,
        items=tuple(lines if all else valid)[:_MOST], over=len(lines) - len(valid),
        all=all, accounts=names, days=_DAYS,
    )  # fmt: skip


@acts.act("/tokens/make", needs=SIGNED_IN, secret=True)
def make_token(ask: Ask, form: Form) -> Response:
    """Make a token, and show it."""
    made = Desk(ask.house).make_token(
        form.one("account") or None, name=form.one("name"),
        role=parse_role(form.one("role", "admin")), models=patterns_of(form.one("models")),
        days=_days(form.one("days", "90")),
    )  # fmt: skip
    return _shown(ask, made, is_new=True)


@acts.act("/tokens/rotate", needs=SIGNED_IN, secret=True)
def rotate_token(ask: Ask, form: Form) -> Response:
    """Give a token another text, and show it."""
    return _shown(ask, Desk(ask.house).rotate_token(_key(form)), is_new=False)


@acts.act("/tokens/revoke", needs=SIGNED_IN)
def revoke_token(ask: Ask, form: Form) -> Done:
    """Take a token back, at once."""
    token = Desk(ask.house).revoke_token(_key(form))
    text = language_of(ask.request).say(
        "The token %(name)s is revoked: nobody gets in with it any more.",
        name=token.name or f"#{token.id}",
    )
    whose = "" if token.account == ask.caller.name else f"?account={token.account}"
    return Done(f"/settings/tokens{whose}", text)


def lines_of(tokens: list[Token]) -> list[TokenLine]:
    """Each with its state as of now."""
    now = datetime.now(UTC)
    return [
        TokenLine(
            token,
            "revoked" if token.revoked
            else "expired" if token.expires and token.expires <= now else "valid",
        )
        for token in tokens
    ]  # fmt: skip


def patterns_of(text: str) -> list[str]:
    """What was written with commas, blanks or lines between."""
    return [part for part in re.split(r"[\s,，]+", text) if part]


def _shown(ask: Ask, made: MadeToken, *, is_new: bool) -> Response:
    page = TokenMade(made.token, made.secret, is_new, made.token.account == ask.caller.name)
    return html(ask, "token_made.html", page, secret=True, at="/settings/tokens",
                headers={"cache-control": "no-store"})  # fmt: skip


def _key(form: Form) -> int:
    text = form.one("token")
    if not re.fullmatch("[0-9]{1,18}", text):
        raise InvalidInput("bad-choice", "say which token")
    return int(text)


def _days(text: str) -> int | None:
    """`never`, or a number. InvalidInput: `bad-days`."""
    if text == "never":
        return None
    if not re.fullmatch("[0-9]{1,4}", text):
        raise InvalidInput("bad-days", "a token is valid for a number of days, or for ever")
    return int(text)
