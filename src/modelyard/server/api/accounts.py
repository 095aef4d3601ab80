"""Accounts: list, make, disable, enable; passwords."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from modelyard.core.people import AccountInfo
from modelyard.errors import Denied
from modelyard.registry.access.desk import Desk
from modelyard.server.routing import SIGNED_IN, Answer, Routes, on_yard
from modelyard.server.state import Ask

__all__ = ["AccountName", "routes"]

routes = Routes("accounts")

AccountName = Annotated[str, Path(min_length=1, max_length=64, examples=["ann"])]
Password = Annotated[str, Field(max_length=1024, examples=["some words nobody says"])]


class AccountBody(BaseModel):
    """An account that is to be made."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=64, examples=["ann"])]
    kind: Literal["user", "service"] = "user"
    title: Annotated[str, Field(max_length=200, examples=["Ann Lee <ann@example.org>"])] = ""
    password: Password | None = None


class AccountChange(BaseModel):
    """What is to be different."""

    model_config = ConfigDict(extra="forbid")

    disabled: bool


class PasswordBody(BaseModel):
    """A new password, and for one's own account the old one, if there is one."""

    model_config = ConfigDict(extra="forbid")

    password: Password
    old: Password | None = None


@routes.get("/accounts", needs=SIGNED_IN, answers=list[AccountInfo])
def list_accounts(ask: Ask) -> list[AccountInfo]:
    """All accounts for whoever may give roles somewhere; for others their own."""
    return Desk(ask.house).accounts()


@routes.post("/accounts", needs=on_yard("admin"), answers=AccountInfo, status=201)
def add_account(ask: Ask, *, body: AccountBody) -> Answer:
    """Make an account, without roles. A name is never used for another account."""
    made = Desk(ask.house).add_account(
        body.name, kind=body.kind, title=body.title, password=body.password
    )
    return Answer(made, 201)


@routes.patch("/accounts/{account}", needs=on_yard("admin"), answers=AccountInfo)
def change_account(ask: Ask, account: AccountName, *, body: AccountChange) -> AccountInfo:
    """Disable an account, which revokes its tokens and ends its sessions; or enable it."""
    desk = Desk(ask.house)
    return desk.disable_account(account) if body.disabled else desk.enable_account(account)


@routes.put("/accounts/{account}/password", needs=SIGNED_IN, answers=AccountInfo)
def set_password(ask: Ask, account: AccountName, *, body: PasswordBody) -> AccountInfo:
    """Change the own password by saying the old one, or anybody's as admin of the yard.

    Browsers that are signed in with this account are signed out; tokens stay.
    """
    rates, address = ask.server.rates, ask.caller.address
    rates.check_guesses(account, address)
    try:
        return Desk(ask.house).set_password(account, body.password, old=body.old)
    except Denied as error:
        if error.kind == "wrong-password":
            rates.guessed(account, address)
        raise
