"""Tokens: list, make, make anew, take back."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from modelyard.core.people import MadeToken, Token
from modelyard.registry.access.desk import Desk
from modelyard.server.routing import SIGNED_IN, Answer, Routes
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("tokens")

Key = Annotated[int, Path(ge=1, le=(1 << 62) - 1)]
Pattern = Annotated[str, Field(min_length=1, max_length=200, examples=["vision/*"])]


class TokenBody(BaseModel):
    """A token that is to be made."""

    model_config = ConfigDict(extra="forbid")

    account: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """Another one than the own, as admin."""
    name: Annotated[str, Field(max_length=100, examples=["laptop"])] = ""
    role: Literal["reader", "writer", "maintainer", "admin"] = "admin"
    """The most that it may, if the account may as much."""
    models: Annotated[list[Pattern], Field(max_length=100)] = []
    """Patterns of the models that it is for; none: all."""
    days: Annotated[int, Field(ge=1, le=3660)] | None = 90
    """How long it is valid; null: until it is revoked."""


@routes.get("/tokens", needs=SIGNED_IN, answers=list[Token])
def list_tokens(
    ask: Ask, *, account: Annotated[str | None, Query(min_length=1, max_length=64)] = None
) -> list[Token]:
    """The caller's tokens, or those of an account for an admin of the yard; newest first."""
    return Desk(ask.house).tokens(account)


@routes.post("/tokens", needs=SIGNED_IN, answers=MadeToken, status=201, secret=True)
def make_token(ask: Ask, *, body: TokenBody) -> Answer:
    """Make a token. Its text is shown in this answer, and never again.

    It is no wider than the token that is shown, and does not outlive it.
    """
    made = Desk(ask.house).make_token(
        body.account, name=body.name, role=body.role, models=body.models, days=body.days
    )
    return _secret(made, 201)


@routes.post("/tokens/{token}/rotate", needs=SIGNED_IN, answers=MadeToken, secret=True)
def rotate_token(ask: Ask, token: Key) -> Answer:
    """Give a token another text, valid as long as it was at first; the old one is void."""
    return _secret(Desk(ask.house).rotate_token(token), 200)


@routes.delete("/tokens/{token}", needs=SIGNED_IN, answers=Token)
def revoke_token(ask: Ask, token: Key) -> Token:
    """Take a token back, at once."""
    return Desk(ask.house).revoke_token(token)


def _secret(made: MadeToken, status: int) -> Answer:
    return Answer(made, status, {"cache-control": "no-store"})
