"""Roles: who may do what with which models."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.core.access import Role, parse_role
from modelyard.core.people import Given
from modelyard.registry.access.desk import Desk
from modelyard.server.routing import SIGNED_IN
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.here import Undo, language_of
from modelyard.server.web.places import back_or
from modelyard.server.web.twins import Pages

__all__ = ["acts", "pages"]

pages = Pages("roles")
acts = Acts("roles")

_ROWS = 100
_NAMES = 1000


@dataclass(frozen=True, slots=True)
class RoleLine:
    """A role that was given, and whether the caller may take it."""

    given: Given
    may_take: bool


@dataclass(frozen=True, slots=True)
class RolesPage:
    """Roles that the caller may give, and those that the caller has."""

    items: tuple[RoleLine, ...]
    next: int | None
    """Where the next page goes on."""
    gives: tuple[str, ...]
    """Patterns all of whose models the caller is admin of; none: the caller gives no roles."""
    accounts: tuple[str, ...]
    """Whom roles can be given to."""
    q: str
    """What the account or the pattern is to have in it."""


@pages.page("/settings/roles", "roles.html", needs=SIGNED_IN)
def list_roles(ask: Ask, *, q: str = "", after: int = 0) -> RolesPage:
    """All roles that the caller may see."""
    if not ask.server.settings.accounts:
        return RolesPage((), None, (), (), q)
    desk, caller = Desk(ask.house), ask.caller
    wanted = q.casefold().strip()
    found = sorted(
        (each for each in desk.roles() if wanted in each.account or wanted in each.pattern),
        key=lambda each: (each.pattern != "*", each.pattern, each.account),
    )
    start = max(after, 0)
    gives = sorted({
        each.pattern for each in caller.grants if caller.role_over(each.pattern) == "admin"
    })  # fmt: skip
    names = [one.name for one in desk.accounts() if one.disabled is None] if gives else []
    return RolesPage(
        items=tuple(
            RoleLine(each, caller.role_over(each.pattern) == "admin")
            for each in found[start : start + _ROWS]
        ),
        next=start + _ROWS if len(found) > start + _ROWS else None, gives=tuple(gives),
        accounts=tuple(names[:_NAMES]), q=q,
    )  # fmt: skip


@acts.act("/roles/give", needs=SIGNED_IN)
def give_role(ask: Ask, form: Form) -> Done:
    """Give a role, in place of the one for the same pattern."""
    account, pattern = form.one("account"), form.one("pattern")
    back = back_or(form, "/settings/roles")
    before = _now(ask, account, pattern)
    given = Desk(ask.house).give_role(account, pattern, parse_role(form.one("role")))
    fields = {"account": account, "pattern": pattern, "back": back}
    if before is None:
        undo = Undo("/do/roles/take", fields)
    else:
        undo = Undo("/do/roles/give", {**fields, "role": before})
    text = language_of(ask.request).say(
        "%(account)s has the role %(role)s for %(pattern)s.",
        account=account, role=_said(ask, given.role), pattern=pattern,
    )  # fmt: skip
    return Done(back, text, undo)


@acts.act("/roles/take", needs=SIGNED_IN)
def take_role(ask: Ask, form: Form) -> Done:
    """Forget a role; those for wider patterns hold again."""
    account, pattern = form.one("account"), form.one("pattern")
    back = back_or(form, "/settings/roles")
    taken = Desk(ask.house).take_role(account, pattern)
    fields = {"account": account, "pattern": pattern, "role": taken.role, "back": back}
    text = language_of(ask.request).say(
        "%(account)s has the role %(role)s for %(pattern)s no more.",
        account=account, role=_said(ask, taken.role), pattern=pattern,
    )  # fmt: skip
    return Done(back, text, Undo("/do/roles/give", fields))


def _now(ask: Ask, account: str, pattern: str) -> Role | None:
    """The role that is to be replaced."""
    for each in Desk(ask.house).roles():
        if (each.account, each.pattern) == (account, pattern):
            return each.role
    return None


def _said(ask: Ask, role: Role) -> str:
    """A role's name for people."""
    say = language_of(ask.request).say
    names: dict[Role, str] = {
        "none": say("No access"), "reader": say("Reader"), "writer": say("Writer"),
        "maintainer": say("Maintainer"), "admin": say("Admin"),
    }  # fmt: skip
    return names[role]
