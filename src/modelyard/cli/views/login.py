"""Views of who is signed in where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.cli.text import Block, Span
from modelyard.core.wire import builtins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.people import Self

__all__ = ["SignedInView", "SignedOutView", "WhoView"]


@dataclass(frozen=True, slots=True)
class WhoView:
    """As whom a server knows you."""

    url: str
    who: Self

    def json(self) -> object:
        return {"url": self.url, **builtins(self.who)}

    def lines(self) -> Iterator[Block]:
        who = self.who
        yield [Span(who.account or "nobody", "bold"), f" at {self.url}"]
        if who.author != who.account:
            yield f"commits as {who.author}"
        if not who.roles and who.role == "none":
            yield "no roles yet: an admin gives them, yard role give"
        for pattern, role in who.roles or ((("*", who.role),) if who.role != "none" else ()):
            yield f"{role} of {'all models' if pattern == '*' else pattern}"
        if who.ceiling != "admin":
            yield f"the token lets you be {who.ceiling} at most"
        if who.models:
            yield f"the token is for {', '.join(who.models)}"

    def ids(self) -> Iterator[str]:
        yield self.who.account or ""


@dataclass(frozen=True, slots=True)
class SignedInView:
    """A token that was kept."""

    url: str
    who: Self

    def json(self) -> object:
        return {"url": self.url, "account": self.who.account}

    def lines(self) -> Iterator[Block]:
        yield ["signed in to ", Span(self.url, "bold"), f" as {self.who.account}"]

    def ids(self) -> Iterator[str]:
        yield self.who.account or ""


@dataclass(frozen=True, slots=True)
class SignedOutView:
    """A token that was forgotten, or was not there."""

    origin: str
    forgotten: bool

    def json(self) -> object:
        return {"url": self.origin, "forgotten": self.forgotten}

    def lines(self) -> Iterator[Block]:
        yield (
            f"forgot the token of {self.origin}"
            if self.forgotten
            else (f"there was no token of {self.origin}")
        )

    def ids(self) -> Iterator[str]:
        yield self.origin
