"""Who asks, and what that one may do. Pure: a server and a yard's own rows decide with it.

A role holds for a pattern: `*` (the whole yard), `vision/*` (a namespace) or one model's name. The
most exact pattern decides, and of several equal ones the highest role; `none` takes away what a
wider pattern gave. What everybody has never lowers what an account has by a wider pattern, unless
it is `none`: a model that is made public stays its maintainer's. `admin` for `*` can't be taken
away by `none`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ANYBODY",
    "EVERYONE",
    "NOBODY",
    "ROLES",
    "Account",
    "Caller",
    "Grant",
    "Role",
    "at_least",
    "check_pattern",
    "fits",
    "lower",
    "parse_role",
    "role_for",
]

Role = Literal["none", "reader", "writer", "maintainer", "admin"]

ROLES: tuple[Role, ...] = ("none", "reader", "writer", "maintainer", "admin")
"""Each may all that those before it may.

`reader` sees and gets; `writer` commits, and moves refs that are not guarded; `maintainer` deletes,
renames, guards refs and approves; `admin` gives roles, and for `*` looks after accounts and house.
"""

ANYBODY = -1
"""In the place of an account: everybody, signed in or not."""
EVERYONE = 0
"""In the place of an account: every account."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role for a pattern of models."""

    pattern: str
    role: Role
    shared: bool = False
    """Whether it is everybody's, and not given to this account by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person, or a program with an account of its own."""

    id: int
    name: str
    kind: Literal["user", "service"] = "user"
    title: str = ""
    """As authors are written: `Ann Lee <ann@example.org>`."""

    @property
    def author(self) -> str:
        """Who made what this account commits."""
        return self.title or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody who asks a server for something, and the most that may be done for them."""

    account: Account | None
    """None for somebody who is not signed in."""
    grants: tuple[Grant, ...] = ()
    ceiling: Role = "admin"
    """Of the token that was shown: no role is higher than this one."""
    only: tuple[str, ...] = ()
    """Patterns that the token is for; none: all models."""
    address: str | None = None
    request: str | None = None
    token: int | None = None
    """Which token was shown."""

    @property
    def author(self) -> str:
        return self.account.author if self.account else "unknown"

    @property
    def name(self) -> str | None:
        """Of the account."""
        return self.account.name if self.account else None

    @property
    def id(self) -> int:
        """Of the account, or `ANYBODY`."""
        return self.account.id if self.account else ANYBODY

    def role(self, model: str) -> Role:
        """The role for a model, there or not; `*` stands for the whole yard."""
        if model != "*" and self.only and not any(fits(p, model) for p in self.only):
            return "none"
        if model == "*" and self.only and "*" not in self.only:
            return "none"
        return lower(role_for(self.grants, model), self.ceiling)

    def role_over(self, pattern: str) -> Role:
        """The least that this one is for any model of a pattern, there or not."""
        inside = [grant.pattern for grant in self.grants if fits(pattern, grant.pattern)]
        return min((self.role(each) for each in [pattern, *inside]), key=ROLES.index)

    def may(self, model: str, role: Role) -> bool:
        """Whether the role for a model, or for `*`, is at least this one."""
        return at_least(self.role(model), role)

    @property
    def reads_all(self) -> bool:
        """Whether no model, also none that will be made, can be hidden from this one."""
        hidden = any(grant.role == "none" for grant in self.grants)
        bounded = bool(self.only) and "*" not in self.only
        return self.may("*", "reader") and not bounded and (Grant("*", "admin") in self.grants
                                                            or not hidden)  # fmt: skip


NOBODY = Caller(account=None)
"""Somebody at this machine's own folder, where no server asks who it is."""


def role_for(grants: Iterable[Grant], model: str) -> Role:
    """The role that the most exact of these patterns gives; see the head of this module."""
    found = [grant for grant in grants if fits(grant.pattern, model)]
    if any((grant.pattern, grant.role, grant.shared) == ("*", "admin", False) for grant in found):
        return "admin"
    best = 0
    for level in (2, 1, 0):
        here = [grant for grant in found if _exactness(grant.pattern) == level]
        highest = max((ROLES.index(grant.role) for grant in here), default=0)
        best = max(best, highest)
        if here and (highest == 0 or not all(grant.shared for grant in here)):
            break
    return ROLES[best]


def at_least(role: Role, wanted: Role) -> bool:
    return ROLES.index(role) >= ROLES.index(wanted)


def lower(a: Role, b: Role) -> Role:
    """The one of two roles that may less."""
    return min(a, b, key=ROLES.index)


def parse_role(text: str) -> Role:
    """InvalidInput: `bad-role`."""
    for role in ROLES:
        if role == text:
            return role
    raise InvalidInput("bad-role", f"{text[:40]!r} is no role", hint=f"one of {', '.join(ROLES)}")


def check_pattern(text: str) -> str:
    """`*`, `NAMESPACE/*` or a model's name. InvalidInput: `bad-pattern`."""
    from modelyard.core.names import ModelName

    space = text.endswith("/*")
    name = text.removesuffix("/*") if space else text
    try:
        good = text == "*" or not (ModelName.parse(name) and space and "/" in name)
    except InvalidInput:
        good = False
    if not good:
        raise InvalidInput(
            "bad-pattern", f"{text[:120]!r} stands for no models",
            hint="'*' for all, 'vision/*' for a namespace, or a model's name",
        )  # fmt: skip
    return text


def fits(pattern: str, model: str) -> bool:
    """Whether a pattern stands for a model, or for all that another pattern stands for."""
    if pattern in ("*", model):
        return True
    return pattern.endswith("/*") and fnmatchcase(model, pattern)


def _exactness(pattern: str) -> int:
    return 0 if pattern == "*" else 1 if pattern.endswith("/*") else 2
