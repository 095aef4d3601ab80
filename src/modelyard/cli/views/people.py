"""Views of accounts, tokens, roles, guards, proposals and the audit log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.cli.text import Block, Column, Span, Spans, Table
from modelyard.cli.views import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from modelyard.core.people import (
        AccountInfo,
        AuditLine,
        AuditPage,
        ChainHead,
        Given,
        Guard,
        MadeToken,
        Proposal,
        Token,
    )

__all__ = [
    "AccountsView", "AuditView", "GuardsView", "HeadView", "MadeTokenView", "ProposalsView",
    "RolesView", "TokensView",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class AccountsView:
    """Accounts, or what was done to one."""

    accounts: Sequence[AccountInfo]
    done: str = ""

    def json(self) -> object:
        return self.accounts[0] if self.done else {"items": list(self.accounts)}

    def lines(self) -> Iterator[Block]:
        if self.done:
            yield f"{self.done} {self.accounts[0].name}"
        elif not self.accounts:
            yield "no accounts"
        else:
            columns = [Column(t) for t in ("account", "kind", "signs in by", "created", "state")]
            columns.append(Column("author", flexible=True))
            yield Table(columns, [self._row(each) for each in self.accounts])

    def _row(self, account: AccountInfo) -> Spans:
        ways = [
            "password" if account.has_password else "",
            "OpenID Connect" if account.external else "", "tokens",
        ]  # fmt: skip
        state = Span("disabled", "bad") if account.disabled else "-"
        return [
            Span(account.name, "bold"), account.kind, ", ".join(way for way in ways if way),
            words.minute(account.created), state, account.title or account.name,
        ]  # fmt: skip

    def ids(self) -> Iterator[str]:
        return (account.name for account in self.accounts)


@dataclass(frozen=True, slots=True)
class TokensView:
    """Tokens, or what was done to one."""

    tokens: Sequence[Token]
    done: str = ""

    def json(self) -> object:
        return self.tokens[0] if self.done else {"items": list(self.tokens)}

    def lines(self) -> Iterator[Block]:
        if self.done:
            yield f"{self.done} token {self.tokens[0].id} of {self.tokens[0].account}"
        elif not self.tokens:
            yield "no tokens"
        else:
            titles = ("id", "account", "name", "at most", "models", "expires", "last used")
            columns = [Column(t, right=t == "id", flexible=t in ("name", "models")) for t in titles]
            yield Table(columns, [self._row(token) for token in self.tokens])

    def _row(self, token: Token) -> Spans:
        ends: Any = words.minute(token.expires) if token.expires else "never"
        if token.revoked:
            ends = Span("revoked", "bad")
        return [
            str(token.id), token.account, token.name, token.role, " ".join(token.models) or "all",
            ends, _day(token.used) if token.used else "-",
        ]  # fmt: skip

    def ids(self) -> Iterator[str]:
        return (str(token.id) for token in self.tokens)


def _day(time: datetime) -> str:
    """Uses are noted by the hour: no minute is shown that nobody knows."""
    return words.minute(time)[:10]


@dataclass(frozen=True, slots=True)
class MadeTokenView:
    """A new token, with its text."""

    made: MadeToken

    def json(self) -> object:
        return self.made

    def lines(self) -> Iterator[Block]:
        token = self.made.token
        ends = f"until {words.minute(token.expires)}" if token.expires else "until it is revoked"
        yield f"token {token.id} of {token.account}, {ends}; it is shown only now:"
        yield self.made.secret

    def ids(self) -> Iterator[str]:
        yield self.made.secret


@dataclass(frozen=True, slots=True)
class RolesView:
    """Roles, or what was done to one."""

    roles: Sequence[Given]
    done: str = ""

    def json(self) -> object:
        return self.roles[0] if self.done else {"items": list(self.roles)}

    def lines(self) -> Iterator[Block]:
        if self.done:
            given = self.roles[0]
            yield f"{given.account} {self.done} {given.role} of {given.pattern}"
        elif not self.roles:
            yield "no roles"
        else:
            columns = [Column(t) for t in ("models", "account", "role", "given by", "since")]
            yield Table(columns, [
                [Span(each.pattern, "bold"), each.account, each.role, each.who or "-",
                 words.minute(each.created)]
                for each in self.roles
            ])  # fmt: skip

    def ids(self) -> Iterator[str]:
        return (f"{each.account} {each.pattern} {each.role}" for each in self.roles)


@dataclass(frozen=True, slots=True)
class GuardsView:
    """Guards, or what was done to one."""

    guards: Sequence[Guard]
    done: str = ""

    def json(self) -> object:
        return self.guards[0] if self.done else {"items": list(self.guards)}

    def lines(self) -> Iterator[Block]:
        if self.done:
            yield f"{self.done} {self.guards[0].ref} of {self.guards[0].pattern}"
        elif not self.guards:
            yield "no guards"
        else:
            columns = [Column(t) for t in ("models", "ref", "moved by", "approvals", "set by")]
            yield Table(columns, [
                [Span(each.pattern, "bold"), Span(each.ref, "good"), each.role,
                 str(each.approvals), each.who]
                for each in self.guards
            ])  # fmt: skip

    def ids(self) -> Iterator[str]:
        return (f"{each.pattern} {each.ref}" for each in self.guards)


@dataclass(frozen=True, slots=True)
class ProposalsView:
    """Proposals, or what became of one."""

    proposals: Sequence[Proposal]
    is_one: bool = False

    def json(self) -> object:
        return self.proposals[0] if self.is_one else {"items": list(self.proposals)}

    def lines(self) -> Iterator[Block]:
        if self.is_one:
            yield self._sentence(self.proposals[0])
        elif not self.proposals:
            yield "no proposals"
        else:
            titles = ("id", "model", "move", "by", "approved", "state", "why")
            columns = [Column(t, right=t == "id", flexible=t == "why") for t in titles]
            yield Table(columns, [self._row(each) for each in self.proposals])

    def _sentence(self, one: Proposal) -> str:
        left = one.needed - len(one.approved)
        move = f"proposal {one.id}, {one.ref} of {one.model} to version {one.new}"
        if one.state == "open":
            return f"{move}: approved by {len(one.approved)}, {left} more to go"
        return f"{move}: {one.state}"

    def _row(self, one: Proposal) -> Spans:
        old = "-" if one.old is None else str(one.old)
        return [
            str(one.id), Span(one.model, "bold"), f"{one.ref} {old} -> {one.new}", one.who,
            f"{len(one.approved)} of {one.needed}", one.state, words.first_line(one.message),
        ]  # fmt: skip

    def ids(self) -> Iterator[str]:
        return (str(each.id) for each in self.proposals)


@dataclass(frozen=True, slots=True)
class AuditView:
    """Lines of the audit log."""

    page: AuditPage

    def json(self) -> object:
        return self.page

    def lines(self) -> Iterator[Block]:
        if not self.page.items:
            yield "no lines"
            return
        titles = ("id", "time", "who", "action", "model", "what", "from")
        columns = [Column(t, right=t == "id", flexible=t in ("who", "what")) for t in titles]
        yield Table(columns, [_line(line) for line in self.page.items])

    def ids(self) -> Iterator[str]:
        return (str(line.id) for line in self.page.items)


def _line(line: AuditLine) -> Spans:
    return [
        str(line.id), words.minute(line.time), line.account or line.who,
        Span(line.action, "good"), Span(line.model or "-", "bold"), _what(line),
        line.address or "-",
    ]  # fmt: skip


def _what(line: AuditLine) -> str:
    if line.ref is not None:
        old, new = ("-" if number is None else str(number) for number in (line.old, line.new))
        return f"{line.kind} {line.ref} {old} -> {new}"
    told = ", ".join(
        f"{name} {_short(value)}"
        for name, value in line.detail.items()
        if value and name != "time" and not (name == "from" and "/yard-body-" in str(value))
    )
    return told or "-"


def _short(value: object) -> str:
    """Lists and labels without brackets, and the beginning of a digest."""
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, dict):
        return " ".join(f"{name}={word}" for name, word in value.items())
    text = str(value)
    return text[:12] if re.fullmatch("[0-9a-f]{64}", text) else text


@dataclass(frozen=True, slots=True)
class HeadView:
    """The end of the chain over the audit log."""

    head: ChainHead | None

    def json(self) -> object:
        return self.head

    def lines(self) -> Iterator[Block]:
        if self.head is None:
            yield "nothing was sealed yet"
            return
        yield f"line {self.head.line}, seal {self.head.seal}, {words.minute(self.head.time)}:"
        yield self.head.digest

    def ids(self) -> Iterator[str]:
        if self.head is not None:
            yield self.head.digest
