"""Accounts, tokens, roles, guards and the audit log of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from modelyard.core.people import (
    ALL_LINES,
    AccountInfo,
    AuditFilter,
    AuditLine,
    AuditPage,
    ChainHead,
    Given,
    Guard,
    MadeToken,
    Proposal,
    Self,
    Token,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from modelyard.client.connection import Connection
    from modelyard.core.access import Role

__all__ = ["RemotePeople"]

_PAGE = 1000


class RemotePeople:
    """`core.people.People` over HTTP."""

    def __init__(self, connection: Connection) -> None:
        self._at = connection

    def whoami(self) -> Self:
        """Who is signed in, and what for."""
        return self._at.get(["whoami"], Self)

    def accounts(self) -> list[AccountInfo]:
        return self._at.get(["accounts"], list[AccountInfo])

    def add_account(
        self,
        name: str,
        *,
        kind: Literal["user", "service"] = "user",
        title: str = "",
        password: str | None = None,
    ) -> AccountInfo:
        body = {"name": name, "kind": kind, "title": title, "password": password}
        return self._at.post(["accounts"], AccountInfo, body)

    def disable_account(self, name: str) -> AccountInfo:
        return self._at.patch(["accounts", name], AccountInfo, {"disabled": True})

    def enable_account(self, name: str) -> AccountInfo:
        return self._at.patch(["accounts", name], AccountInfo, {"disabled": False})

    def set_password(self, name: str, password: str, *, old: str | None = None) -> AccountInfo:
        body = {"password": password, "old": old}
        return self._at.put(["accounts", name, "password"], AccountInfo, body)

    def tokens(self, account: str | None = None) -> list[Token]:
        return self._at.get(["tokens"], list[Token], account=account)

    def make_token(
        self,
        account: str | None = None,
        *,
        name: str = "",
        role: Role = "admin",
        models: Sequence[str] = (),
        days: int | None = 90,
    ) -> MadeToken:
        body = {
            "account": account, "name": name, "role": role, "models": list(models), "days": days
        }  # fmt: skip
        return self._at.post(["tokens"], MadeToken, body)

    def rotate_token(self, token: int) -> MadeToken:
        return self._at.post(["tokens", token, "rotate"], MadeToken)

    def revoke_token(self, token: int) -> Token:
        return self._at.delete(["tokens", token], Token)

    def roles(self) -> list[Given]:
        return self._at.get(["roles"], list[Given])

    def give_role(self, account: str, pattern: str, role: Role) -> Given:
        body = {"account": account, "pattern": pattern, "role": role}
        return self._at.put(["roles"], Given, body)

    def take_role(self, account: str, pattern: str) -> Given:
        return self._at.delete(["roles"], Given, account=account, pattern=pattern)

    def guards(self) -> list[Guard]:
        return self._at.get(["guards"], list[Guard])

    def add_guard(
        self, pattern: str, ref: str, *, role: Role = "maintainer", approvals: int = 0
    ) -> Guard:
        body = {"pattern": pattern, "ref": ref, "role": role, "approvals": approvals}
        return self._at.put(["guards"], Guard, body)

    def remove_guard(self, pattern: str, ref: str) -> Guard:
        return self._at.delete(["guards"], Guard, pattern=pattern, ref=ref)

    def propose(self, model: str, ref: str, revision: str | int, *, message: str = "") -> Proposal:
        body = {"ref": ref, "revision": str(revision), "message": message}
        return self._at.post(["models", model, "proposals"], Proposal, body)

    def approve(self, proposal: int) -> Proposal:
        return self._at.post(["proposals", proposal, "approve"], Proposal)

    def withdraw(self, proposal: int) -> Proposal:
        return self._at.post(["proposals", proposal, "withdraw"], Proposal)

    def proposals(self, model: str | None = None, *, state: str | None = "open") -> list[Proposal]:
        return self._at.get(["proposals"], list[Proposal], of=model, state=state)

    def audit(
        self, wanted: AuditFilter = ALL_LINES, *, limit: int = 50, after: str | None = None
    ) -> AuditPage:
        return self._at.get(["audit"], AuditPage, **_query(wanted), limit=limit, after=after)

    def every_line(self, wanted: AuditFilter = ALL_LINES) -> Iterator[AuditLine]:
        """All lines, newest first, page by page."""
        after: str | None = None
        while True:
            page = self.audit(wanted, limit=_PAGE, after=after)
            yield from page.items
            after = page.next
            if after is None:
                return

    def chain_head(self) -> ChainHead | None:
        return self._at.get(["audit", "head"], ChainHead)

    def expect_head(self, digest: str) -> ChainHead:
        return self._at.get(["audit", "seals", digest], ChainHead)


def _query(wanted: AuditFilter) -> dict[str, Any]:
    return {
        "of": wanted.model, "account": wanted.account, "action": wanted.action,
        "since": _text(wanted.since), "until": _text(wanted.until),
    }  # fmt: skip


def _text(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat()
