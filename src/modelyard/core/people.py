"""Accounts, tokens, roles, guarded refs and what happened: one protocol for folders and servers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from modelyard.core.access import Role

__all__ = [
    "ALL_LINES", "AccountInfo", "AuditFilter", "AuditLine", "AuditPage", "ChainHead", "Given",
    "Guard", "MadeToken", "People", "Proposal", "Self", "Token",
]  # fmt: skip

Kind = Literal["user", "service"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountInfo:
    """What others see of an account."""

    name: str
    kind: Kind
    title: str
    """As author of what it commits; empty: its name."""
    has_password: bool
    external: bool
    """Whether it signs in through OpenID Connect."""
    created: datetime
    disabled: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What may be shown of a token."""

    id: int
    account: str
    name: str
    role: Role
    """The most that it may."""
    models: tuple[str, ...]
    """Patterns of the models that it is for; none: all."""
    created: datetime
    expires: datetime | None
    used: datetime | None
    """To the hour."""
    revoked: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeToken:
    """A token that was just made."""

    token: Token
    secret: str
    """Its text, which is shown this once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A role that somebody has."""

    account: str
    """Its name; `everyone`: every account; `anybody`: also who is not signed in."""
    pattern: str
    role: Role
    who: str
    """Who gave it."""
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Self:
    """Who is signed in, and what for."""

    account: str | None
    """None for somebody who is not signed in; `owner` at the yard's own folder."""
    kind: Kind | None
    author: str
    """As whom it commits."""
    role: Role
    """For `*`."""
    roles: tuple[tuple[str, Role], ...]
    """By pattern, what everybody has included."""
    ceiling: Role
    """Of the token that was shown."""
    models: tuple[str, ...]
    """Patterns that the token is for; none: all."""
    token: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Refs that not everybody who may write may move."""

    pattern: str
    """Of models."""
    ref: str
    """A glob for branches, tags and aliases."""
    role: Role
    """Who may move them."""
    approvals: int
    """By how many others each move is to be approved."""
    who: str
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A move of a guarded ref that waits for approval."""

    id: int
    model: str
    ref: str
    old: int | None
    """Where the ref was when it was proposed: it must still be there."""
    new: int
    message: str
    state: str
    """`open`, `done`, `withdrawn`."""
    who: str
    approved: tuple[str, ...]
    """By whom."""
    needed: int
    """By how many others."""
    created: datetime
    changed: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """Something that happened."""

    id: int
    time: datetime
    action: str
    model: str | None
    """Its name now; None if it is about no model."""
    who: str
    """Author, as commits tell it."""
    account: str | None
    address: str | None
    request: str | None
    ref: str | None
    kind: str | None
    """Of the ref."""
    old: int | None
    """Version number before, ..."""
    new: int | None
    """... and after."""
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which lines; None: all."""

    model: str | None = None
    account: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


ALL_LINES = AuditFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Some lines, newest first."""

    items: tuple[AuditLine, ...]
    next: str | None
    """What `after` is to be for those before them; None: there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainHead:
    """The end of the chain over the audit log: keep it elsewhere, and compare it later."""

    seal: int
    """How many seals there are up to this one."""
    line: int
    """Number of the last line that it covers."""
    lines: int
    """How many it covers."""
    digest: str
    """SHA-256, in hex."""
    time: datetime


class People(Protocol):
    """Who may do what in a yard."""

    def whoami(self) -> Self: ...

    def accounts(self) -> Sequence[AccountInfo]: ...
    def add_account(
        self, name: str, *, kind: Kind = "user", title: str = "", password: str | None = None
    ) -> AccountInfo: ...
    def disable_account(self, name: str) -> AccountInfo: ...
    def enable_account(self, name: str) -> AccountInfo: ...
    def set_password(self, name: str, password: str, *, old: str | None = None) -> AccountInfo: ...

    def tokens(self, account: str | None = None) -> Sequence[Token]: ...
    def make_token(
        self,
        account: str | None = None,
        *,
        name: str = "",
        role: Role = "admin",
        models: Sequence[str] = (),
        days: int | None = 90,
    ) -> MadeToken: ...
    def rotate_token(self, token: int) -> MadeToken: ...
    def revoke_token(self, token: int) -> Token: ...

    def roles(self) -> Sequence[Given]: ...
    def give_role(self, account: str, pattern: str, role: Role) -> Given: ...
    def take_role(self, account: str, pattern: str) -> Given: ...

    def guards(self) -> Sequence[Guard]: ...
    def add_guard(
        self, pattern: str, ref: str, *, role: Role = "maintainer", approvals: int = 0
    ) -> Guard: ...
    def remove_guard(self, pattern: str, ref: str) -> Guard: ...

    def propose(
        self, model: str, ref: str, revision: str | int, *, message: str = ""
    ) -> Proposal: ...
    def approve(self, proposal: int) -> Proposal: ...
    def withdraw(self, proposal: int) -> Proposal: ...
    def proposals(
        self, model: str | None = None, *, state: str | None = "open"
    ) -> Sequence[Proposal]: ...

    def audit(
        self, wanted: AuditFilter = ALL_LINES, *, limit: int = 50, after: str | None = None
    ) -> AuditPage: ...
    def every_line(self, wanted: AuditFilter = ALL_LINES) -> Iterator[AuditLine]: ...
    def chain_head(self) -> ChainHead | None: ...
    def expect_head(self, digest: str) -> ChainHead: ...
